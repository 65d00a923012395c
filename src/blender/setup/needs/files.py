# Files that a scene names, and whether Blender can read them.
import collections
import os
import re

import bpy

# A file, or several that belong together, such as those of a sequence.
#   kind, name, used_by: "image", "wood.png", "material Floor"
#   path: as the scene has it
#   files: the absolute paths of the files that are needed
#   tracked: what can change the pictures, as a pair of "file", "folder" (the files in it) or "tree"
#   (everything at and below it) and an absolute path
#   problem: what is wrong besides the files themselves, one of PROBLEMS; None if nothing is
Need = collections.namedtuple("Need", "kind name used_by path files tracked problem")

# The problems of a file, as in `FileProblem` of the worker's blender/description/needed_file.rs.
MISSING, UNREADABLE, EMPTY, NOT_IN_LIBRARY = PROBLEMS = (
    "missing",
    "unreadable",
    "empty",
    "not-in-library",
)


def absolute(path, library=None):
    """The path that Blender opens: `//` is the folder of the .blend file, and paths of Windows are
    changed as Blender changes them."""
    path = path.replace("\\", "/")
    if re.match("[A-Za-z]:/", path):
        path = "/" + path[0].lower() + path[2:]
    return os.path.normpath(bpy.path.abspath(path, library=library))


def need(kind, name, used_by, path, library=None, paths=None):
    """A need for the file at a path, or for several paths in its folder. All are relative to the
    same .blend file."""
    file = absolute(path, library)
    if paths is None:
        return Need(kind, name, used_by, path, [file], ("file", file), None)
    found = [absolute(each, library) for each in paths]
    return Need(kind, name, used_by, path, found, ("folder", os.path.dirname(file)), None)


def need_in_tree(kind, name, used_by, path, library, names):
    """A need for the folder at a path and for files below it, by their names."""
    tree = absolute(path, library)
    found = [os.path.join(tree, it) for it in names]
    if not os.path.isdir(tree) or problem(tree):
        # What is in it is not known.
        found = [tree]
    return Need(kind, name, used_by, path, found, ("tree", tree), None)


def listed(folder):
    """The names in a folder, in order; none if it does not exist, or may not be read in the
    sandbox."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def problem(path):
    """What keeps Blender from reading a file or folder, one of PROBLEMS; None if nothing does."""
    # A sandbox denies to open files that it lets Blender see.
    if not os.path.exists(path):
        return MISSING
    try:
        if os.path.isdir(path):
            os.listdir(path)
            return None
        # O_NONBLOCK: opening a named pipe would wait for a writer.
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return UNREADABLE
    return None if os.path.getsize(path) else EMPTY
