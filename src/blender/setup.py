# Run by Blender between loading the scene and rendering (see command.rs).
# Works in every Blender from 2.93 on. Prints a line for each file that goes into the
# pictures and is not in the scene file, `//` being the folder that this is in; then one line:
#   render-worker-external: {"file": "//textures/wood.png"}
#   render-worker-scene: {"blender": "4.3.2", "fps": 24, ...}
import json
import os
import sys

import bpy

# What the worker can verify, deliver and stitch. Everything else, video above
# all, is rendered as PNG.
STILLS = {"PNG", "JPEG", "OPEN_EXR", "OPEN_EXR_MULTILAYER", "TIFF", "WEBP"}

scene = bpy.context.scene
render = scene.render
image = render.image_settings
warnings = []

if image.file_format not in STILLS:
    warnings.append(
        "the scene's output format is %s, which is no still image that can be verified: "
        "rendering PNG instead" % (image.file_format or "one that this Blender does not know")
    )
    if hasattr(image, "media_type"):  # Blender 5: formats are grouped by kind
        image.media_type = "IMAGE"
    image.file_format = "PNG"

if render.use_multiview and image.views_format == "INDIVIDUAL":
    warnings.append(
        "the scene saves a file for each eye, which is not supported: rendering the one view of "
        "its camera"
    )
    render.use_multiview = False

# With these two as a scene may have them, junk or empty files would be taken for
# frames. The extension is how a frame is found.
render.use_overwrite = True
render.use_placeholder = False
render.use_file_extension = True


def trouble(path, library=None):
    """What is wrong with a file, and what can be done about it; nothing if it can be read."""
    path = bpy.path.abspath(path, library=library)
    if not os.path.exists(path):
        return "not found", ""
    try:
        # Not to wait for whoever writes into a pipe.
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return "cannot be read", " (%s; --allow-read)" % error.strerror
    return None


for library in bpy.data.libraries:
    wrong = trouble(library.filepath)
    if wrong:
        warnings.append("linked library %s: %s%s" % (wrong[0], library.filepath, wrong[1]))
for texture in bpy.data.images:
    if texture.source in {"FILE", "MOVIE"} and texture.filepath and not texture.packed_file:
        wrong = trouble(texture.filepath, texture.library)
        if wrong:
            warnings.append(
                "image %s %s, its surfaces will be pink or black: %s%s"
                % (texture.name, wrong[0], texture.filepath, wrong[1])
            )

if (
    render.engine == "CYCLES"
    and scene.cycles.device == "GPU"
    and "--cycles-device" not in sys.argv
    and not bpy.context.preferences.addons["cycles"].preferences.has_active_device()
):
    warnings.append("the scene asks for a GPU and none is set up: rendering on the CPU")


def sequences():
    """Files that stand for others beside them: numbered ones, or the tiles of a picture."""
    for block in bpy.data.images:
        if block.source in {"SEQUENCE", "TILED"} and not block.packed_file:
            yield block
    for block in bpy.data.movieclips:
        if block.source == "SEQUENCE":
            yield block
    for block in [*bpy.data.cache_files, *getattr(bpy.data, "volumes", [])]:
        if block.is_sequence:
            yield block


def image_strips():
    for each in bpy.data.scenes:
        editor = each.sequence_editor
        strips = getattr(editor, "strips_all", None) or getattr(editor, "sequences_all", [])
        for strip in strips:
            if strip.type == "IMAGE":
                yield each, strip


def caches():
    """Where simulations are kept on disk: a folder beside the .blend that they are in."""
    for blend in [bpy.data.filepath] + [absolute(library) for library in bpy.data.libraries]:
        folder, name = os.path.split(blend)
        yield os.path.join(folder, "blendcache_" + os.path.splitext(name)[0])


def absolute(block):
    return bpy.path.abspath(block.filepath, library=block.library)


def told(path):
    path = os.path.normpath(path)
    beside = os.path.join(os.path.normpath(os.path.dirname(bpy.data.filepath)), "")
    # The folder itself is no prefix of its own name with a slash.
    inside = os.path.join(path, "").startswith(beside)
    return "//" + path[len(beside) :] if inside else path


external = {("file", told(path)) for path in bpy.utils.blend_paths(absolute=True)}
external |= {("file", told(path)) for path in caches()}
external |= {("folder", told(os.path.dirname(absolute(block)))) for block in sequences()}
external |= {
    ("folder", told(bpy.path.abspath(strip.directory, library=each.library)))
    for each, strip in image_strips()
}
print()
for kind, path in sorted(external):
    print("render-worker-external: " + json.dumps({kind: path}), flush=True)
print(
    "render-worker-scene: "
    + json.dumps(
        {
            "blender": bpy.app.version_string,
            "engine": render.engine,
            "fps": render.fps,
            "fps_base": render.fps_base,
            "width": int(render.resolution_x * render.resolution_percentage / 100),
            "height": int(render.resolution_y * render.resolution_percentage / 100),
            "frame_start": scene.frame_start,
            "frame_end": scene.frame_end,
            "extension": render.file_extension,
            "warnings": warnings,
            "external_files": len(external),
        }
    ),
    flush=True,
)
