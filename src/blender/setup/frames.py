# The frames that this Blender was started for, from its command line.
import sys

import bpy
import render_worker_scripts as scripts

RANGE = {"frame_start", "frame_end"}


def of_launch(scene):
    """The frames as ascending numbers; those of the scene if the command line names none."""
    words = sys.argv
    frames = set()
    for at, word in enumerate(words[:-1]):
        if word == "--render-frame":
            frames |= set(listed(words[at + 1]))
    if not frames:
        first = after("--frame-start", scene.frame_start)
        frames = set(range(first, after("--frame-end", scene.frame_end) + 1))
    return sorted(frames)


def after(option, otherwise):
    return int(sys.argv[sys.argv.index(option) + 1]) if option in sys.argv else otherwise


def listed(text):
    """The frames of `1..3,7`."""
    for term in text.split(","):
        first, _, last = term.partition("..")
        yield from range(int(first), int(last or first) + 1)


def in_order():
    """Whether the frames are rendered in ascending order."""
    words = sys.argv
    lists = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "--render-frame"]
    frames = [frame for text in lists for frame in listed(text)]
    return frames == sorted(frames)


def warnings(scene):
    """A line that names what depends on the scene's own range, while Blender has that of a job with
    other frames."""
    if of_launch(scene) == list(range(scene.frame_start, scene.frame_end + 1)):
        return []
    names = sorted({scripts.named(curve, owner) for owner, curve in readers_of_range()})
    if scene.render.use_stamp and scene.render.use_stamp_frame_range:
        names.append("the Frame Range of Burn Into Image")
    if not names:
        return []
    return [
        "Blender sets the scene's range to the frames that it renders, and these depend on the range: "
        "%s. Their pictures differ with the frames of a job: put numbers in place of the range"
        % scripts.listed(names)
    ]


def readers_of_range():
    for owner, curve in scripts.all_drivers():
        for variable in curve.driver.variables:
            targets = [it for it in variable.targets if it.data_path in RANGE]
            if any(isinstance(it.id, bpy.types.Scene) for it in targets):
                yield owner, curve
