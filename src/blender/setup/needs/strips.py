# The strips of the sequencer that are rendered.
import bisect
import math

import render_worker_animation as animation
import render_worker_files as files


def are_rendered(scene):
    """Whether the pictures come from the sequencer, and not from the scene: if it has a strip that
    can be seen."""
    editor = scene.sequence_editor
    if not scene.render.use_sequencer or editor is None:
        return False
    return any(strip.type != "SOUND" and not is_muted(strip, editor) for strip in of_owner(editor))


def of_owner(owner):
    # Blender 5 has renamed sequences to strips.
    return owner.strips if hasattr(owner, "strips") else owner.sequences


def inside(owner):
    """All strips of a sequencer, and those in its meta strips."""
    for strip in of_owner(owner):
        yield strip
        if strip.type == "META":
            yield from inside(strip)


def is_muted(strip, owner):
    """Whether a strip or its channel is muted at all frames."""
    return not all(map(animation.can_run, with_channel(strip, owner)))


def can_be_muted(strip, owner):
    return any(animation.can_be(it, "mute", True) for it in with_channel(strip, owner))


def with_channel(strip, owner):
    # Blender 3.1 and earlier cannot mute a channel.
    channels = getattr(owner, "channels", None)
    return [strip, channels[strip.channel]] if channels else [strip]


def playing(scene, frames):
    """Pairs of a strip that is shown, and those of the frames in which it is."""
    return playing_of(scene.sequence_editor, frames) if scene.sequence_editor else []


def playing_of(owner, frames):
    strips = [it for it in of_owner(owner) if it.type != "SOUND" and not is_muted(it, owner)]
    marks = sorted({mark for it in strips for mark in (it.frame_final_start, it.frame_final_end)})
    # Between two marks, the same strips are shown.
    spans, shown = {}, {}
    for frame in frames:
        spans.setdefault(bisect.bisect_right(marks, frame), set()).add(frame)
    for span in spans.values():
        todo = [(strip, span) for strip in stack_at(strips, owner, min(span))]
        while todo:
            strip, its_frames = todo.pop()
            # A damaged file can have effects that go round in circles.
            if not its_frames <= shown.setdefault(strip, set()):
                shown[strip] |= its_frames
                todo += [(it, frames_of_input(strip, its_frames)) for it in inputs(strip)]
                todo += [(it, its_frames) for it in masks(strip)]
    for strip, its_frames in shown.items():
        yield strip, its_frames
        if strip.type == "META":
            yield from playing_of(strip, its_frames)


def stack_at(strips, owner, frame):
    """The strips that lie on each other at a frame: those above the first one that replaces what is
    below it, without those that an effect above them takes, as in must_render_strip in Blender."""
    stack, taken = [], set()
    for strip in sorted(strips, key=lambda strip: -strip.channel):
        if strip.frame_final_start <= frame < strip.frame_final_end:
            if strip not in taken or inputs(strip):
                stack.append(strip)
            taken.update(it for it in inputs(strip) if it.channel < strip.channel)
            if strip.blend_type == "REPLACE" and not can_be_muted(strip, owner):
                break
    return stack


def inputs(strip):
    """The strips that an effect takes."""
    found = [getattr(strip, name, None) for name in ("input_1", "input_2")]
    return [it for it in found if it]


def frames_of_input(strip, frames):
    """The frames in which an effect shows its inputs."""
    is_faster = strip.type == "SPEED" and strip.speed_control == "MULTIPLY"
    if not is_faster or animation.of_property(strip, "speed_factor"):
        return frames
    start = int(strip.frame_start)
    exact = [start + position(strip, frame) * strip.speed_factor for frame in frames]
    found = {math.floor(it + 0.5) for it in exact}
    return found | {math.ceil(it) for it in exact} if strip.use_frame_interpolate else found


def masks(strip):
    """The strips that the modifiers of a strip take for masks."""
    modifiers = [it for it in strip.modifiers if not it.mute and it.input_mask_type == "STRIP"]
    return [it.input_mask_strip for it in modifiers if it.input_mask_strip]


def position(strip, frame):
    """Which frame of its content a strip shows, counted from 0, as in give_frame_index in Blender.
    The first and the last one are held."""
    last = strip.frame_duration - 1
    at = min(max(frame - int(strip.frame_start), 0), last)
    if getattr(strip, "use_reverse_frames", False):
        at = last - at
    return at + getattr(strip, "animation_offset_start", 0)


def frames_of(strip, content, frames):
    """The frames of a scene or movie clip that its strip shows."""
    return {content.frame_start + position(strip, frame) for frame in frames}


def of_files(strip, scene, used_by, frames):
    """The files of a strip."""
    library = scene.library
    if strip.type == "MOVIE":
        yield files.need("movie", strip.name, used_by, strip.filepath, library)
    elif strip.type == "IMAGE" and strip.elements:
        folder = strip.directory.rstrip("/\\")
        positions = {position(strip, frame) for frame in frames}
        last = len(strip.elements) - 1
        wanted = sorted({min(max(it, 0), last) for it in positions})
        paths = ["%s/%s" % (folder, strip.elements[it].filename) for it in wanted]
        # `//` is the folder of the scene file.
        paths = [path if folder else "//" + path.lstrip("/") for path in paths]
        yield files.need("image strip", strip.name, used_by, paths[0], library, paths)
