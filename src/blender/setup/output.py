# What the scene saves, changed where the worker could not deliver it.
import bpy

# What the worker can verify, deliver and stitch. Everything else, video above all, is rendered
# as PNG.
STILLS = {"PNG", "JPEG", "OPEN_EXR", "OPEN_EXR_MULTILAYER", "TIFF", "WEBP"}


def make_deliverable(scene):
    """Changes the scene's output settings, and returns what a person should know of that."""
    render = scene.render
    image = render.image_settings
    warnings = []

    if image.file_format not in STILLS:
        # Empty: one of a movie that this Blender no longer knows.
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

    # With these two as a scene may have them, junk or empty files would be taken for frames. The
    # extension is how a frame is found.
    render.use_overwrite = True
    render.use_placeholder = False
    render.use_file_extension = True
    return warnings
