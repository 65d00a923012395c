# The files outside of the scene file that go into its pictures: which, and whether they are there.
import os

import bpy


def absolute(block):
    return bpy.path.abspath(block.filepath, library=block.library)


def trouble(path, library=None):
    """What is wrong with a file, and what can be done about it; nothing if it can be read."""
    path = bpy.path.abspath(path, library=library)
    if not os.path.exists(path):
        return "not found", ""
    try:
        # Not to wait for a writer where it is a pipe.
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return "cannot be read", " (%s; --allow-read)" % error.strerror
    return None


def warnings():
    """A line for each file that Blender will render without."""
    lines = []
    for library in bpy.data.libraries:
        wrong = trouble(library.filepath)
        if wrong and not is_blenders_own(absolute(library)):
            lines.append("linked library %s: %s%s" % (wrong[0], library.filepath, wrong[1]))
    for texture in bpy.data.images:
        if texture.source in {"FILE", "MOVIE"} and texture.filepath and not texture.packed_file:
            wrong = trouble(texture.filepath, texture.library)
            if wrong:
                lines.append(
                    "image %s %s, its surfaces will be pink or black: %s%s"
                    % (texture.name, wrong[0], texture.filepath, wrong[1])
                )
    return lines


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


def is_blenders_own(path):
    """Whether a file came with Blender: its brushes are linked from a library of its own."""
    own = bpy.utils.system_resource("DATAFILES")
    return bool(own) and os.path.normpath(path).startswith(os.path.normpath(own) + os.sep)


def named(path):
    """A path as the worker is told it: `//` is the folder that the scene file is in."""
    path = os.path.normpath(path)
    beside = os.path.join(os.path.normpath(os.path.dirname(bpy.data.filepath)), "")
    # The folder itself is no prefix of its own name with a slash.
    inside = os.path.join(path, "").startswith(beside)
    return "//" + path[len(beside) :] if inside else path


def leads_to_scene(folder):
    """Whether the scene file lies somewhere in a folder. Nobody keeps a cache there, but empty
    paths, `//` and `/` mean such folders."""
    folder = os.path.join(os.path.normpath(folder), "")
    return os.path.normpath(bpy.data.filepath).startswith(folder)


def files():
    """Pairs of a kind and a path: a `file`, the files directly in a `folder`, or everything in
    and below a `tree`."""
    found = set()
    for path in bpy.utils.blend_paths(absolute=True):
        # The path of a cache on disk is empty, and means the folder below.
        if not os.path.isabs(path) or is_blenders_own(path):
            continue
        is_tree = os.path.isdir(path) and not leads_to_scene(path)
        found.add(("tree" if is_tree else "file", named(path)))
    found |= {("tree", named(path)) for path in caches()}
    for block in sequences():
        if block.filepath:
            found.add(("folder", named(os.path.dirname(absolute(block)))))
    for each, strip in image_strips():
        if strip.directory:
            folder = bpy.path.abspath(strip.directory, library=each.library)
            found.add(("folder", named(folder)))
    # One whose folder cannot be told (a file that was never saved has none) is not to be found.
    return {(kind, path) for kind, path in found if path.startswith("/")}


def answer():
    """The files as the worker is told them; None if a name is no text, so that they cannot be."""
    found = sorted(files())
    try:
        "".join(path for _, path in found).encode()
    except UnicodeEncodeError:
        return None
    return [{kind: path} for kind, path in found]
