# The files outside of the scene file that affect its pictures.
import os

import bpy


def absolute(block):
    return bpy.path.abspath(block.filepath, library=block.library)


def problem(path, library=None):
    """The problem with a file, and its details in parentheses; None if the file can be read."""
    path = bpy.path.abspath(path, library=library)
    if not os.path.exists(path):
        return "not found", ""
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return "cannot be read", " (%s; --allow-read)" % error.strerror
    return None


def warnings():
    """A line for each file that Blender cannot read. It renders without them."""
    lines = []
    for library in bpy.data.libraries:
        found = problem(library.filepath)
        if found and not is_blenders_own(absolute(library)):
            lines.append("linked library %s: %s%s" % (found[0], library.filepath, found[1]))
    for texture in bpy.data.images:
        if texture.source in {"FILE", "MOVIE"} and texture.filepath and not texture.packed_file:
            found = problem(texture.filepath, texture.library)
            if found:
                lines.append(
                    "image %s %s, surfaces that use it will be pink or black: %s%s"
                    % (texture.name, found[0], texture.filepath, found[1])
                )
    return lines


def sequences():
    """Blocks whose file stands for others beside it: numbered files, or the tiles of an image."""
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
    """The folders that hold cached simulations: one beside each .blend file."""
    for blend in [bpy.data.filepath] + [absolute(library) for library in bpy.data.libraries]:
        folder, name = os.path.split(blend)
        yield os.path.join(folder, "blendcache_" + os.path.splitext(name)[0])


def is_blenders_own(path):
    """Whether a file came with Blender, such as its library of brushes."""
    own = bpy.utils.system_resource("DATAFILES")
    return bool(own) and os.path.normpath(path).startswith(os.path.normpath(own) + os.sep)


def described(path):
    """A path as the description contains it: `//` is the folder of the scene file."""
    path = os.path.normpath(path)
    beside = os.path.join(os.path.normpath(os.path.dirname(bpy.data.filepath)), "")
    # The slash makes the folder of the scene file count as inside of itself.
    inside = os.path.join(path, "").startswith(beside)
    return "//" + path[len(beside) :] if inside else path


def contains_scene(folder):
    """Whether the scene file lies in or below a folder. Such a folder is no cache, but empty
    paths, `//` and `/` lead to one."""
    folder = os.path.join(os.path.normpath(folder), "")
    return os.path.normpath(bpy.data.filepath).startswith(folder)


def files():
    """Pairs of a kind and a path: a `file`, the files directly in a `folder`, or everything in
    and below a `tree`."""
    found = set()
    for path in bpy.utils.blend_paths(absolute=True):
        # The path of a cache on disk is empty. caches() finds its folder.
        if not os.path.isabs(path) or is_blenders_own(path):
            continue
        is_tree = os.path.isdir(path) and not contains_scene(path)
        found.add(("tree" if is_tree else "file", described(path)))
    found |= {("tree", described(path)) for path in caches()}
    for block in sequences():
        if block.filepath:
            found.add(("folder", described(os.path.dirname(absolute(block)))))
    for each, strip in image_strips():
        if strip.directory:
            folder = bpy.path.abspath(strip.directory, library=each.library)
            found.add(("folder", described(folder)))
    # A scene that was never saved has no folder, so its relative paths lead nowhere.
    return {(kind, path) for kind, path in found if path.startswith("/")}


def description():
    """The files as the worker expects them; None if a path is not valid Unicode."""
    found = sorted(files())
    try:
        "".join(path for _, path in found).encode()
    except UnicodeEncodeError:
        return None
    return [{kind: path} for kind, path in found]
