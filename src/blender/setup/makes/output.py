# The scene's output settings, changed where the worker could not deliver the frames.
import re

import bpy

# The formats that the worker can verify, deliver and stitch. A scene that is set to any other
# format, such as video, is rendered as PNG.
STILLS = {
    "PNG",
    "JPEG",
    "OPEN_EXR",
    "OPEN_EXR_MULTILAYER",
    "TIFF",
    "WEBP",
    "BMP",
    "TARGA",
    "TARGA_RAW",
    "HDR",
}


def own_name(render):
    """The name that the scene gives its frames, such as `shot_####`; None if it names a folder."""
    return re.split(r"[/\\]", render.filepath)[-1] or None


def make_deliverable(scene):
    """Changes the scene's output settings, and returns warnings about these changes."""
    render = scene.render
    image = render.image_settings
    warnings = []

    if image.file_format not in STILLS:
        # The name of a movie format that this Blender no longer knows is empty.
        name = image.file_format or "unknown to this Blender"
        warnings.append(
            "the scene's output format is %s; only still images can be verified: rendering PNG "
            "instead" % name
        )
        if hasattr(image, "media_type"):  # Blender 5: formats are grouped by kind
            image.media_type = "IMAGE"
        image.file_format = "PNG"

    if image.file_format == "WEBP" and image.color_mode == "BW":
        # Blender fails to save grey WebP. Grey as RGB is the same picture.
        image.color_mode = "RGB"

    if render.use_multiview and image.views_format == "INDIVIDUAL":
        warnings.append(
            "the scene saves a file for each eye, which is not supported: rendering the one view "
            "of its camera"
        )
        render.use_multiview = False

    # Files of other programs and Blender's empty placeholders would be taken for frames. The worker
    # recognises a frame by its extension.
    render.use_overwrite = True
    render.use_placeholder = False
    render.use_file_extension = True
    return warnings
