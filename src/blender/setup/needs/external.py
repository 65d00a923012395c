# The files outside of the scene file that affect its pictures.
import os

import bpy

import render_worker_caches as caches
import render_worker_files as files
import render_worker_strips as strips


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
        for strip in strips.inside(each.sequence_editor) if each.sequence_editor else ():
            if strip.type == "IMAGE":
                yield each, strip


def cache_folders():
    """The folders that hold cached simulations: one beside each .blend file."""
    libraries = [files.absolute(it.filepath, it.library) for it in bpy.data.libraries]
    for blend in [bpy.data.filepath] + libraries:
        yield os.path.join(os.path.dirname(blend), caches.folder_beside(blend))


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


def is_no_cache(kind, path):
    """Whether a tree holds the scene file. Such a folder is no cache, but empty paths, `//` and `/`
    lead to one."""
    folder = os.path.join(os.path.normpath(path), "")
    return kind == "tree" and os.path.normpath(bpy.data.filepath).startswith(folder)


def paths(needs):
    """Pairs of a kind and a path: a `file`, the files directly in a `folder`, or everything in
    and below a `tree`. Also of files that no picture needs: whether one does can change with the
    frame, and these are few."""
    found = {need.tracked for need in needs}
    for path in bpy.utils.blend_paths(absolute=True):
        # The path of a cache on disk is empty. cache_folders() finds its folder.
        if not os.path.isabs(path) or is_blenders_own(path):
            continue
        found.add(("tree" if os.path.isdir(path) else "file", path))
    found |= {("tree", path) for path in cache_folders()}
    for block in sequences():
        if block.filepath:
            path = files.absolute(block.filepath, block.library)
            found.add(("folder", os.path.dirname(path)))
    for each, strip in image_strips():
        if strip.directory:
            found.add(("folder", files.absolute(strip.directory, each.library)))
    found = {("file" if is_no_cache(*pair) else pair[0], described(pair[1])) for pair in found}
    # A scene that was never saved has no folder, so its relative paths lead nowhere.
    return {(kind, path) for kind, path in found if path.startswith("/")}


def description(needs):
    """The files as the worker expects them; None if a path is not valid Unicode."""
    found = sorted(paths(needs))
    try:
        "".join(path for _, path in found).encode()
    except UnicodeEncodeError:
        return None
    return [{kind: path} for kind, path in found]
