# Run by Blender between loading the scene and rendering (see command.rs).
# Works in every Blender from 2.93 on. Prints one line:
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
        "rendering PNG instead" % image.file_format
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


def is_missing(path, library=None):
    return not os.path.exists(bpy.path.abspath(path, library=library))


for library in bpy.data.libraries:
    if is_missing(library.filepath):
        warnings.append("linked library not found: %s" % library.filepath)
for texture in bpy.data.images:
    if texture.source in {"FILE", "MOVIE"} and texture.filepath and not texture.packed_file:
        if is_missing(texture.filepath, texture.library):
            warnings.append(
                "image %s not found, its surfaces will be pink or black: %s"
                % (texture.name, texture.filepath)
            )

if (
    render.engine == "CYCLES"
    and scene.cycles.device == "GPU"
    and "--cycles-device" not in sys.argv
    and not bpy.context.preferences.addons["cycles"].preferences.has_active_device()
):
    warnings.append("the scene asks for a GPU and none is set up: rendering on the CPU")

print(
    "\nrender-worker-scene: "
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
        }
    ),
    flush=True,
)
