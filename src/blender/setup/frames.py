# The frames that this Blender was started for, from its command line.
import sys


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
