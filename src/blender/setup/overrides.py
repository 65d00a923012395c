# The settings that the job replaces in the scene.
import os
import sys

# What a preview is reduced to, where the scene has more.
PREVIEW_PERCENTAGE = 25
PREVIEW_SAMPLES = 16


def apply(scene, overrides, exit_status):
    """Replaces the settings that the job gives, and returns warnings. Exits with this status if
    this Blender does not have the engine."""
    warnings = set_engine(scene.render, overrides["engine"], exit_status)
    set_resolution(scene.render, overrides)
    return warnings + set_samples(scene, overrides)


def set_engine(render, engine, exit_status):
    own = render.engine
    if engine in (None, own):
        return []
    try:
        render.engine = engine
    except TypeError as error:
        # The worker recognises the message of Blender's own --engine. Python's error lists the
        # engines that exist.
        print("Error: engine not found '%s': %s" % (engine, error))
        sys.stdout.flush()
        os._exit(exit_status)
    return [
        "the scene is set to the render engine %s, and %s renders it: --engine scene (ENGINE) keeps "
        "the scene's own" % (own or "of another Blender", engine)
    ]


def set_resolution(render, overrides):
    resolution = overrides.get("resolution")
    if isinstance(resolution, dict):
        render.resolution_x = resolution["width"]
        render.resolution_y = resolution["height"]
        render.resolution_percentage = 100
    elif resolution:
        render.resolution_percentage = resolution
    elif overrides.get("preview"):
        render.resolution_percentage = min(render.resolution_percentage, PREVIEW_PERCENTAGE)


def set_samples(scene, overrides):
    samples = overrides.get("samples")
    most = PREVIEW_SAMPLES if overrides.get("preview") else None
    if samples is None and most is None:
        return []

    def chosen(own):
        return samples or min(own, most)

    engine = scene.render.engine
    if engine == "CYCLES":
        scene.cycles.samples = chosen(scene.cycles.samples)
        for layer in scene.view_layers:
            # The samples of a layer replace those of the scene, unless they are 0.
            if layer.samples:
                layer.samples = chosen(layer.samples)
    elif engine.startswith("BLENDER_EEVEE"):
        scene.eevee.taa_render_samples = chosen(scene.eevee.taa_render_samples)
    elif samples:
        return ["--samples (SAMPLES) changes nothing, because the render engine is %s" % engine]
    return []
