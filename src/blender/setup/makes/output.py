# The scene's output settings, changed where the worker could not deliver the frames.
import re

# The formats that the worker can verify, deliver and stitch. Any other format is replaced by one of
# these that holds the same picture.
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

# The other formats for linear light (BKE_imtype_requires_linear_float in Blender).
LINEAR = {"CINEON", "DPX"}


def own_name(render):
    """The name that the scene gives its frames, such as `shot_####`; None if it names a folder."""
    return re.split(r"[/\\]", render.filepath)[-1] or None


def make_deliverable(scene):
    """Changes the scene's output settings, and returns warnings about these changes."""
    render = scene.render
    image = render.image_settings
    warnings = []
    replaced = replace_format(image)
    if replaced:
        warnings.append(
            "the scene's output format is %s, which cannot be verified: rendering %s instead"
            % replaced
        )

    # Files of other programs and Blender's empty placeholders would be taken for frames. The worker
    # recognises a frame by its extension.
    render.use_overwrite = True
    render.use_placeholder = False
    render.use_file_extension = True
    return warnings


def set_format(image, file_format):
    """Sets the format alone: with it, Blender resets the colour space of linear formats."""
    # Blender 3.1 and earlier have no colour space for the output alone.
    space = getattr(image, "linear_colorspace_settings", None)
    name = space and space.name
    image.file_format = file_format
    if name:
        space.name = name


def replace_format(image):
    """Sets image settings to a format that the worker can verify. The result is the names of the
    old and the new format, if there is a new one."""
    old, replaced = image.file_format, None
    if old not in STILLS:
        depth = int(image.color_depth or 8)
        if hasattr(image, "media_type"):  # Blender 5: formats are grouped by kind
            image.media_type = "IMAGE"
        # What has no format for the same values keeps them all in a finer one.
        if old in LINEAR:
            set_format(image, "OPEN_EXR")
            image.color_depth = "32"
        else:
            set_format(image, "PNG")
            image.color_depth = "16" if depth > 8 else "8"
        # The name of a movie format that this Blender no longer knows is empty.
        replaced = (
            old or "unknown to this Blender",
            "%s of %s bits" % (image.file_format, image.color_depth),
        )
    if image.file_format == "WEBP" and image.color_mode == "BW":
        # Blender fails to save grey WebP. Grey as RGB is the same picture.
        image.color_mode = "RGB"
    if getattr(image, "use_preview", False):
        # Blender would save a JPEG beside each OpenEXR file, under the name of a frame.
        image.use_preview = False
    return replaced
