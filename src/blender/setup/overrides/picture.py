# The size of the pictures, the part of them that is rendered, and their format.
import render_worker_answer as answer
import render_worker_output as output

# What a preview is reduced to, where the scene has more.
PREVIEW_PERCENTAGE = 25


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


def set_border(render, border):
    if border is None:
        return
    region = border.get("region")
    render.use_border = region is not None
    if region:
        # Blender keeps each side on its side of the opposite one.
        render.border_min_x, render.border_min_y = 0, 0
        render.border_max_x, render.border_max_y = region["max_x"], region["max_y"]
        render.border_min_x, render.border_min_y = region["min_x"], region["min_y"]
        render.use_crop_to_border = region["crop"]


def size(render):
    """The width and height of the frames, as Blender computes them."""
    width = int(render.resolution_x * render.resolution_percentage / 100)
    height = int(render.resolution_y * render.resolution_percentage / 100)
    if render.use_border and render.use_crop_to_border:
        width = int(render.border_max_x * width) - int(render.border_min_x * width)
        height = int(render.border_max_y * height) - int(render.border_min_y * height)
    return width, height


def set_format(image, overrides, findings):
    file_format = overrides.get("format")
    if file_format:
        if hasattr(image, "media_type"):  # Blender 5: formats are grouped by kind
            is_multilayer = file_format == "OPEN_EXR_MULTILAYER"
            image.media_type = "MULTI_LAYER_IMAGE" if is_multilayer else "IMAGE"
        try:
            output.set_format(image, file_format)
        except TypeError as error:
            findings.lack(
                "--format (FORMAT): this Blender cannot save %s; it can save %s"
                % (file_format, ", ".join(answer.choices(error)))
            )
            return
    # The channels first: they limit the depths of some formats.
    for name, flag in (
        ("color_mode", "--color-mode (COLOR_MODE)"),
        ("color_depth", "--color-depth (COLOR_DEPTH)"),
    ):
        if name in overrides:
            try:
                setattr(image, name, str(overrides[name]))
            except TypeError as error:
                findings.mistake(
                    "%s: frames in %s cannot have %s, but %s"
                    % (
                        flag,
                        image.file_format,
                        overrides[name],
                        " or ".join(answer.choices(error)),
                    )
                )

