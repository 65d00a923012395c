# Blocks that stand for several files: numbered sequences, and the tiles of an image (UDIM).
import os
import re

import render_worker_animation as animation


def tiles(image):
    """The paths of the tiles. The tokens are those of BKE_image_get_tile_info in Blender."""
    paths = []
    for tile in image.tiles:
        u, v = (tile.number - 1001) % 10 + 1, (tile.number - 1001) // 10 + 1
        path = image.filepath.replace("<UDIM>", str(tile.number))
        paths.append(path.replace("<UVTILE>", "u%d_v%d" % (u, v)))
    return paths


def numbered(path, numbers):
    """The paths with these numbers, in order, in place of the last number in the name of the file;
    the path itself if it has none."""
    name = re.split(r"[/\\]", path)[-1]
    # The digit of an extension, such as that of .jp2, is no number.
    found = list(re.finditer(r"\d+", os.path.splitext(name)[0]))
    if not found:
        return [path] if numbers else []
    start, end = found[-1].span()
    folder = path[: len(path) - len(name)]
    digits = "%0" + str(end - start) + "d"
    return [folder + name[:start] + digits % number + name[end:] for number in sorted(numbers)]


def number_in(path):
    """The last number in the name of the file; None if there is none."""
    found = re.findall(r"\d+", os.path.basename(os.path.splitext(path)[0]))
    return int(found[-1]) if found else None


def of_image(user, frames, holds):
    """The numbers of an image's files for these frames, as in BKE_image_user_frame_get in Blender.
    `holds` is whether the first file is shown before the sequence and the last one after it."""
    names = ("frame_start", "frame_duration", "frame_offset", "use_cyclic")
    values, numbers = animation.Values(user, *names), set()
    for frame in frames:
        start, duration, offset, is_cyclic = values.at(frame)
        position = frame - start + 1
        if is_cyclic and duration:
            position = position % duration or duration
        elif holds:
            position = min(max(position, 1), duration)
        if 1 <= position <= duration:
            numbers.add(position + offset)
    return numbers


def of_volume(volume, frames):
    """The same for an OpenVDB sequence, as in volume_sequence_frame in Blender."""
    values = animation.Values(volume, "frame_start", "frame_duration", "frame_offset")
    numbers = set()
    for frame in frames:
        start, duration, offset = values.at(frame)
        if not duration:
            continue
        position = frame - start + 1
        if volume.sequence_mode == "CLIP" and not 1 <= position <= duration:
            continue
        if volume.sequence_mode == "EXTEND":
            position = min(max(position, 1), duration)
        elif volume.sequence_mode == "REPEAT":
            position = position % duration or duration
        elif volume.sequence_mode == "PING_PONG":
            period = max(duration * 2 - 2, 1)
            position = position % period or period
            if position > duration:
                position = duration * 2 - position
        numbers.add(position + offset)
    return numbers


def of_cache(block, frames):
    """The same for an Alembic or USD sequence."""
    values, numbers = animation.Values(block, "override_frame", "frame"), set()
    for frame in frames:
        is_own, own = values.at(frame)
        numbers.add(int(own) if is_own else frame)
    return numbers


def of_clip(clip, frames):
    """The same for a movie clip. Blender takes the first gap for the end of the clip, so the number
    of its files says nothing: what lies between two files that are there is needed, and so is the
    first one."""
    first = number_in(clip.filepath)
    if first is None:
        return set()
    return {first} | {
        first + frame - clip.frame_start + clip.frame_offset
        for frame in frames
        if frame >= clip.frame_start
    }
