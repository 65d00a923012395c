# The features that a scene needs, compared with those that this Blender has.
import sys

import bpy

import render_worker_animation as animation
import render_worker_nodes as nodes
import render_worker_objects as objects


def lacking(scene):
    """The features that the scene needs and this Blender lacks: a list of
    {"feature": NAME, "needed_by": [what in the scene, ...]}. The names are those of `Feature` in
    the worker's request/feature.rs."""
    found = {}
    for feature, available, needed_by in needs(scene):
        if not available:
            found.setdefault(feature, []).append(needed_by)
    return [
        {"feature": feature, "needed_by": sorted(set(users))} for feature, users in found.items()
    ]


def needs(scene):
    """Triples of a feature, whether this Blender has it, and what in the scene needs it."""
    if bpy.data.version[:2] > bpy.app.version[:2]:
        saved_by = "the file, saved by Blender %d.%d" % bpy.data.version[:2]
        yield "newer-blender", False, saved_by
    yield from of_render_settings(scene)
    for thing in objects.rendered(scene):
        yield from of_object(thing)
    for kind, block in (("image", image) for image in bpy.data.images if image.users):
        if block.source == "MOVIE" and not block.packed_file:
            yield "movies", has("codec_ffmpeg"), "%s %s" % (kind, block.name)


def has(option):
    """Whether Blender was built with an option. A Blender that has no such option cannot be built
    without the feature."""
    return getattr(bpy.app.build_options, option, True)


def cycles_has(option):
    try:
        import _cycles
    except ImportError:
        return False
    return getattr(_cycles, option, True)


def fluid_solver_works():
    """Whether the classes of the fluid solver have all their methods. In the official wheel they
    lack those of their base classes, unless the command `blender` of the image has added them.
    Elsewhere, Blender makes the classes, with their methods, when it loads the first fluid."""
    solver = sys.modules.get("manta")
    return solver is None or hasattr(solver.LevelsetGrid, "setConst")


def of_render_settings(scene):
    render = scene.render
    if render.engine == "CYCLES":
        for layer in layers_denoised_by_cycles(scene):
            used_by = "view layer %s, which Cycles denoises" % layer.name
            yield "denoiser", cycles_has("with_openimagedenoise"), used_by
        for tree, node in nodes.shader_nodes("SCRIPT"):
            yield "osl", cycles_has("with_osl"), "Script node %s of %s" % (node.name, tree)
    for tree, node in nodes.compositor_nodes(scene, "DENOISE"):
        # Cycles and the compositor are built with the same denoiser.
        used_by = "Denoise node %s of %s" % (node.name, tree)
        yield "denoiser", cycles_has("with_openimagedenoise"), used_by
    if render.use_freestyle:
        yield "freestyle", has("freestyle"), "the lines of scene %s" % scene.name
    world = scene.rigidbody_world
    if world and world.enabled and world.collection and world.collection.objects:
        yield "bullet", has("bullet"), "the rigid bodies of scene %s" % scene.name


# Modifiers that a Blender can be built without: their features and build options.
MODIFIERS = {
    "OCEAN": ("ocean", "mod_oceansim"),
    "REMESH": ("remesh", "mod_remesh"),
    "SUBSURF": ("opensubdiv", "opensubdiv"),
    "MULTIRES": ("opensubdiv", "opensubdiv"),
}


def of_object(thing):
    for modifier in objects.modifiers(thing):
        used_by = "modifier %s of object %s" % (modifier.name, thing.name)
        if modifier.type == "FLUID":
            yield "fluid", has("fluid") and fluid_solver_works(), used_by
        elif modifier.type in MODIFIERS:
            feature, option = MODIFIERS[modifier.type]
            yield feature, has(option), used_by
        elif modifier.type == "MESH_SEQUENCE_CACHE" and modifier.cache_file:
            yield of_cache_file(modifier.cache_file) + (used_by,)
    for constraint in thing.constraints:
        # A constraint of a type that this Blender does not know has none.
        if getattr(constraint, "type", "") == "TRANSFORM_CACHE" and constraint.cache_file:
            used_by = "constraint %s of object %s" % (constraint.name, thing.name)
            yield of_cache_file(constraint.cache_file) + (used_by,)
    if thing.type == "VOLUME" and thing.data.filepath:
        yield "openvdb", has("openvdb"), "volume %s" % thing.data.name


def of_cache_file(block):
    if block.filepath.lower().endswith(".abc"):
        return "alembic", has("alembic")
    return "usd", has("usd")


def layers_denoised_by_cycles(scene):
    if scene.cycles.use_denoising:
        for layer in scene.view_layers:
            if layer.use and layer.cycles.use_denoising:
                yield layer


def switch_denoising_off(scene):
    """`--denoise off`: neither Cycles nor the compositor denoises."""
    if hasattr(scene, "cycles"):
        animation.replace(scene.cycles, "use_denoising", False)
    for _, node in nodes.compositor_nodes(scene, "DENOISE"):
        node.mute = True


def differences():
    """A line for what this Blender does not load of the file, so that the pictures differ."""
    # Blender 5 no longer converts the animation curves of such files (IPO).
    if bpy.data.version >= (2, 50, 0) or bpy.app.version < (5, 0, 0):
        return []
    return [
        "the file was saved by Blender %d.%d, whose animation this Blender does not load: "
        "nothing that was animated moves. Save it again with Blender 4.5, or render it with "
        "Blender 4.5" % bpy.data.version[:2]
    ]


def warnings(scene):
    """A line for each setting of the scene that this Blender does not follow, although the pictures
    are the same."""
    lines = []
    if scene.render.engine == "CYCLES":
        # A Script node makes it a lacking feature instead.
        if (
            scene.cycles.shading_system
            and not cycles_has("with_osl")
            and not any(nodes.shader_nodes("SCRIPT"))
        ):
            lines.append(
                "the scene asks for Open Shading Language, which this Blender was built without; "
                "it has no Script node, so Cycles renders its materials the same without"
            )
    return lines
