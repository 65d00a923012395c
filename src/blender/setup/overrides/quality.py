# What the quality of the pictures and the time for them depend on.
import render_worker_animation as animation
import render_worker_features as features

# What a preview is reduced to, where the scene has more.
PREVIEW_SAMPLES = 16


def apply(scene, overrides, findings):
    set_samples(scene, overrides, findings)
    set_denoising(scene, overrides["denoise"], findings)
    for name, flag, attribute in (
        ("time_limit", "--time-limit (TIME_LIMIT)", "time_limit"),
        ("seed", "--seed (SEED)", "seed"),
    ):
        if name in overrides:
            if is_cycles(scene, flag, findings):
                animation.replace(scene.cycles, attribute, overrides[name])
    render = scene.render
    simplify = overrides.get("simplify")
    if simplify:
        animation.replace(render, "use_simplify", simplify["enabled"])
        if "max_subdivision" in simplify:
            most = simplify["max_subdivision"]
            animation.replace(render, "simplify_subdivision_render", most)
    if "persistent_data" in overrides:
        render.use_persistent_data = overrides["persistent_data"] == "on"
    if "threads" in overrides:
        render.threads_mode = "FIXED"
        render.threads = overrides["threads"]


def is_cycles(scene, flag, findings):
    """Whether Cycles renders the scene. If not, the flag does nothing."""
    if scene.render.engine == "CYCLES":
        return True
    findings.warnings.append(
        "%s changes nothing, because the render engine is %s" % (flag, scene.render.engine)
    )
    return False


def set_samples(scene, overrides, findings):
    samples = overrides.get("samples")
    most = PREVIEW_SAMPLES if overrides.get("preview") else None
    if samples is None and most is None:
        return

    def choose(owner, name):
        animation.replace(owner, name, samples or min(getattr(owner, name), most))

    engine = scene.render.engine
    if engine == "CYCLES":
        choose(scene.cycles, "samples")
        for layer in scene.view_layers:
            # The samples of a layer replace those of the scene, unless they are 0.
            if layer.samples:
                choose(layer, "samples")
    elif engine.startswith("BLENDER_EEVEE"):
        choose(scene.eevee, "taa_render_samples")
    elif samples:
        is_cycles(scene, "--samples (SAMPLES)", findings)


def set_denoising(scene, denoise, findings):
    if denoise == "off":
        features.switch_denoising_off(scene)
    elif denoise == "on" and is_cycles(scene, "--denoise on (DENOISE)", findings):
        animation.replace(scene.cycles, "use_denoising", True)
        for layer in scene.view_layers:
            layer.cycles.use_denoising = True
