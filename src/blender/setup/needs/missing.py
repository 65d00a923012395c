# The files that the pictures need: which of them Blender cannot use, and which the worker has to
# look into.
import render_worker_files as files
import render_worker_used as used


def needs(scene, frames):
    """Everything outside of the scene file that the pictures of these frames need, and warnings."""
    found, warnings = [], []
    try:
        for need in used.needs(scene, frames, warnings):
            found.append(need)
    except Exception as error:
        warnings.append(
            "the files that the scene needs are not all known, so a missing one can go unnoticed: "
            "%s: %s" % (type(error).__name__, error)
        )
    return found, warnings


def sorted_out(needs):
    """Two lists of descriptions: of needs of which Blender cannot use a file, and of the others.
    Each is a `NeededFile` of the worker's blender/description/needed_file.rs."""
    # Several materials may use the same image, and show different frames of a sequence.
    groups = {}
    for need in needs:
        groups.setdefault((need.kind, need.name, need.path), []).append(need)
    bad, good = [], []
    for group in groups.values():
        need = group[0]
        paths = sorted({path for each in group for path in each.files})
        problem, unusable = need.problem, need.files
        if not problem:
            problem, unusable = first_problem(paths)
        if problem:
            bad.append({**described(need, unusable), "of": len(paths), "problem": problem})
        elif paths:
            good.append(described(need, paths))
    return bad, good


def described(need, paths):
    return {
        "kind": need.kind,
        "name": need.name,
        "used_by": need.used_by,
        "path": need.path,
        "files": paths,
    }


def first_problem(paths):
    """The problem of the first file that has one, and all files with this problem."""
    problems = [(files.problem(path), path) for path in paths]
    first = next((problem for problem, _ in problems if problem), None)
    return first, [path for problem, path in problems if problem == first]
