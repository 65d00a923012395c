# Images, movie clips, volumes, fonts and the files of single nodes.
import os

import bpy

import render_worker_files as files
import render_worker_graph as graph
import render_worker_sequences as sequences


def of_image(image, used_by, numbers):
    """The files of an image: those with these numbers of a sequence, and none for None."""
    path = image.filepath
    if not path or image.packed_file or len(image.packed_files):
        return
    if image.source == "SEQUENCE" and numbers is not None:
        paths = sequences.numbered(path, numbers)
        yield files.need("image sequence", image.name, used_by, path, image.library, paths)
    elif image.source == "TILED":
        paths = sequences.tiles(image)
        yield files.need("image in tiles", image.name, used_by, path, image.library, paths)
    elif image.source == "MOVIE":
        yield files.need("movie", image.name, used_by, path, image.library)
    elif image.source == "FILE":
        yield files.need("image", image.name, used_by, path, image.library)


def numbers_in_geometry(node, frames):
    """The numbers of the files of a sequence that an Image Texture node of geometry nodes shows;
    None if only Blender knows."""
    number = node.inputs["Frame"]
    output = graph.source(number)
    if output and output.node.bl_idname == "GeometryNodeInputSceneTime" and output.name == "Frame":
        return set(frames)
    constant = graph.constant(number)
    return None if constant is None else {constant}


def of_clip(clip, used_by, frames):
    paths = None
    if clip.source == "SEQUENCE":
        folder = os.path.dirname(files.absolute(clip.filepath, clip.library))
        there = files.listed(folder)
        last = max([sequences.number_in(name) or 0 for name in there], default=0)
        first = sequences.number_in(clip.filepath)
        wanted = sequences.of_clip(clip, frames)
        numbers = {number for number in wanted if number == first or number <= last}
        paths = sequences.numbered(clip.filepath, numbers)
    yield files.need("movie clip", clip.name, used_by, clip.filepath, clip.library, paths)


def of_volume(volume, used_by, frames):
    if not volume.filepath or getattr(volume, "packed_file", None):
        return
    paths = None
    if volume.is_sequence:
        numbers = sequences.of_volume(volume, frames)
        paths = sequences.numbered(volume.filepath, numbers)
    yield files.need("volume", volume.name, used_by, volume.filepath, volume.library, paths)


def of_font(font, used_by):
    if font.filepath != "<builtin>" and not font.packed_file:
        yield files.need("font", font.name, used_by, font.filepath, font.library)


def of_node(node, used_by, scene):
    """The file that a node names itself."""
    kind = {"TEX_IES": "IES file", "SCRIPT": "OSL script"}.get(node.type)
    if node.type == "SCRIPT" and not uses_osl(scene):
        return
    if kind and node.mode == "EXTERNAL" and node.filepath:
        library = node.id_data.library
        name = os.path.basename(node.filepath)
        yield files.need(kind, name, used_by, node.filepath, library)
    text = getattr(node, "script", None) or getattr(node, "ies", None)
    if kind and node.mode == "INTERNAL" and text and text.filepath and not text.is_in_memory:
        yield files.need("text", text.name, used_by, text.filepath, text.library)


def of_import(node, used_by):
    """The file that a node of geometry nodes imports (Blender 4.5): its path is a text."""
    kind = node.bl_idname.partition("GeometryNodeImport")[2]
    path = text(node.inputs["Path"]) if kind and "Path" in node.inputs else ""
    if path:
        name = os.path.basename(path.replace("\\", "/"))
        yield files.need("%s file" % kind, name, used_by, path, node.id_data.library)


def text(socket):
    """The text of an input: its own, or that of a String node; empty if only Blender knows it."""
    output = graph.source(socket)
    if output is None:
        return socket.default_value
    is_constant = output.node.type == "INPUT_STRING" and not output.node.mute
    return output.node.string if is_constant else ""


def of_camera(camera, used_by):
    """The OSL script of a camera (Blender 5)."""
    is_custom = isinstance(camera, bpy.types.Camera) and camera.type == "CUSTOM"
    if is_custom and camera.custom_mode == "EXTERNAL":
        path = camera.custom_filepath
        yield files.need("OSL script", os.path.basename(path), used_by, path, camera.library)


def uses_osl(scene):
    return scene.render.engine == "CYCLES" and scene.cycles.shading_system


def of_environment():
    """The configuration of colours that a variable names. OCIO has some of its own (ocio://)."""
    path = os.environ.get("OCIO", "")
    if path and "://" not in path:
        name = os.path.basename(path)
        yield files.need("colour configuration", name, "the variable OCIO", path)
