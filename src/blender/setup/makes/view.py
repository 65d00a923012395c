# How Blender shows the scene's colours on a screen: its view settings, and a 3D lookup table (LUT) for
# frames that are stored as linear light.
import array

import bpy
import render_worker_animation as animation
import render_worker_output as output

# The formats that hold linear light. In any other format, Blender stores what it shows.
LINEAR = {"OPEN_EXR", "OPEN_EXR_MULTILAYER", "HDR"}


def description(scene, others, lut, axis):
    """The view settings, None if neither the frames nor the `others`, file names, are stored as
    linear light; and warnings.

    Writes an image to the path `lut`: the colours that Blender shows for each combination of the
    linear values in `axis`. A row of the image has one value of blue. Along it, red counts
    fastest, then green."""
    settings = scene.render.image_settings
    if settings.file_format not in LINEAR and not any(map(is_linear, others)):
        return None, []
    # Blender 3.1 and earlier have no view settings for the output alone.
    has_own = getattr(settings, "color_management", "FOLLOW_SCENE") == "OVERRIDE"
    view = settings.view_settings if has_own else scene.view_settings
    display = settings.display_settings if has_own else scene.display_settings
    found = {
        "transform": view.view_transform,
        "look": view.look,
        "exposure": view.exposure,
        "gamma": view.gamma,
        "display": display.display_device,
    }
    try:
        if view.view_transform == "False Color":
            # Debian's Blender 3.4 aborts when it saves such an image with 16 bits.
            raise ValueError("its colours change too abruptly for a LUT")
        # Exposure is a factor. Its inverse makes the LUT equally precise at any exposure.
        save(scene, lut, [value * 2.0**-view.exposure for value in axis], has_own)
    except Exception as error:
        return found, [
            "the view transform %s is not stored with the frames, so a video of them will have "
            "other colours than Blender shows: %s" % (view.view_transform, error)
        ]
    animated = [name for name in ("exposure", "gamma") if animation.of_property(view, name)]
    return found, [
        "the %s of the view changes from frame to frame, and a video of these frames is shown with "
        "that of the first one only; frames of PNG are saved with their own (--format PNG)" % name
        for name in animated
    ]


def is_linear(name):
    return name.endswith((".exr", ".hdr"))


def save(scene, path, axis, has_own):
    settings = scene.render.image_settings
    # Blender 5 groups formats by kind. A format limits the modes, and a mode limits the depths.
    names = ["media_type", "file_format", "color_mode", "color_depth", "compression"]
    before = [(name, getattr(settings, name)) for name in names if hasattr(settings, name)]
    image = bpy.data.images.new(
        "render-worker", width=len(axis) ** 2, height=len(axis), float_buffer=True
    )
    try:
        linear = image.colorspace_settings.name
        if has_own and settings.linear_colorspace_settings.name != linear:
            raise ValueError(
                "the frames are in %s, not in %s"
                % (settings.linear_colorspace_settings.name, linear)
            )
        image.pixels.foreach_set(lattice(axis))
        if hasattr(settings, "media_type"):
            settings.media_type = "IMAGE"
        output.set_format(settings, "PNG")
        settings.color_mode = "RGB"
        settings.color_depth = "16"
        settings.compression = 15
        image.save_render(path, scene=scene)
    finally:
        for name, value in before:
            if name == "file_format":
                output.set_format(settings, value)
            else:
                setattr(settings, name, value)
        bpy.data.images.remove(image)


def lattice(axis):
    pixels = array.array("f")
    # The rows of an image count from its bottom, but a file begins with the top one.
    for blue in reversed(axis):
        for green in axis:
            for red in axis:
                pixels.extend((red, green, blue, 1.0))
    return pixels
