# The strips of the sequencer that are rendered.
import render_worker_files as files
import render_worker_sequences as sequences


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


def is_muted(strip, owner):
    # Blender 3.1 and earlier cannot mute a channel.
    channels = getattr(owner, "channels", None)
    return strip.mute or bool(channels and channels[strip.channel].mute)


def playing(scene, frames):
    """The strips that are shown in one of the frames."""
    if scene.sequence_editor:
        yield from playing_of(scene.sequence_editor, frames)


def playing_of(owner, frames):
    for strip in of_owner(owner):
        if is_muted(strip, owner):
            continue
        first, last = strip.frame_final_start, strip.frame_final_end - 1
        if not any(first <= frame <= last for frame in frames):
            continue
        yield strip
        if strip.type == "META":
            yield from playing_of(strip, frames)


def of_files(strip, scene, used_by, frames):
    """The files of a strip."""
    library = scene.library
    if strip.type == "MOVIE":
        yield files.need("movie", strip.name, used_by, strip.filepath, library)
    elif strip.type == "IMAGE" and strip.elements:
        folder = strip.directory.rstrip("/\\")
        positions = {frame - int(strip.frame_start) for frame in frames}
        last = len(strip.elements) - 1
        wanted = sorted({min(max(it, 0), last) for it in positions})
        paths = ["%s/%s" % (folder, strip.elements[it].filename) for it in wanted]
        # `//` is the folder of the scene file.
        paths = [path if folder else "//" + path.lstrip("/") for path in paths]
        yield files.need("image strip", strip.name, used_by, paths[0], library, paths)
