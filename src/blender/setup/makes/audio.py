# The scene's sound: what plays, and its mixdown.
import os

import bpy

import render_worker_files as files
import render_worker_strips as strips

# What is wrong with a sound that cannot be mixed.
PROBLEMS = {
    files.MISSING: "is not there",
    files.UNREADABLE: "cannot be read (--allow-read)",
    files.EMPTY: "is empty",
}

# The plan for mix(): the name of the scene, its first and last frame, and the path.
plan = None


def description(scene, path):
    """The scene's sound, None if nothing plays; and a warning for each sound that is missing.
    Prepares mix() to write the sound of the scene's own range to a path."""
    playing, warnings = False, []
    try:
        found = list(sounds(scene, set()))
    except Exception as error:
        return None, ["the scene's sound is left out, because it cannot be examined: %s" % error]
    for user, sound in found:
        problem = None
        if not sound.packed_file:
            problem = files.problem(files.absolute(sound.filepath, sound.library))
        if problem:
            warnings.append(
                "the sound of %s %s, the others are mixed without it: %s"
                % (user, PROBLEMS[problem], sound.filepath)
            )
        else:
            playing = True
    if not playing:
        return None, warnings
    global plan
    plan = scene.name, scene.frame_start, scene.frame_end, path
    return {"first_frame": scene.frame_start}, warnings


def sounds(scene, seen):
    """Pairs of what plays a sound, and the sound."""
    if is_muted(scene) or scene in seen:
        return
    seen.add(scene)
    if scene.sequence_editor:
        yield from of_strips(scene.sequence_editor, seen)
    for thing in scene.objects:
        if thing.type == "SPEAKER" and thing.data.sound and not thing.data.muted:
            yield "speaker %s" % thing.name, thing.data.sound


def is_muted(scene):
    # In earlier versions of Blender, the property says the opposite of its name. Only its
    # description tells: "Play back of audio from Sequence Editor will be muted" or "...,
    # otherwise mute audio".
    means_muted = "otherwise" not in scene.bl_rna.properties["use_audio"].description
    return scene.use_audio == means_muted


def of_strips(owner, seen):
    for strip in strips.of_owner(owner):
        if strips.is_muted(strip, owner):
            continue
        if strip.type == "SOUND" and strip.sound:
            yield "strip %s" % strip.name, strip.sound
        elif strip.type == "META":
            yield from of_strips(strip, seen)
        elif strip.type == "SCENE" and strip.scene:
            yield from sounds(strip.scene, seen)


def mix():
    """Writes the sound that description() has found, if any, or a file with what went wrong. It
    changes the scene, so call it when all frames are rendered."""
    if plan is None:
        return
    name, first, last, path = plan
    partial = path + ".partial"
    try:
        scene = bpy.data.scenes[name]
        keep_speakers()
        # Frames were rendered from a range of their own. The end of a range limits its start.
        scene.frame_start, scene.frame_end = first, last
        scene.frame_start = first
        if (scene.frame_start, scene.frame_end) != (first, last):
            raise ValueError("this Blender cannot mix the frames %d to %d" % (first, last))
        bpy.ops.sound.mixdown(
            filepath=partial, check_existing=False, container="FLAC", codec="FLAC", format="S16"
        )
        os.replace(partial, path)
    except Exception as error:
        with open(partial, "w", encoding="utf-8", errors="replace") as file:
            file.write(str(error))
        os.replace(partial, path + ".error")


def keep_speakers():
    """Removes all objects that have no influence on the sound. A mixdown evaluates the scene at
    each of its frames, which takes as long as a simulation or a rig may take."""
    speakers = [thing for thing in bpy.data.objects if thing.type == "SPEAKER"]
    # What a speaker sounds like depends on the camera.
    left = speakers + [thing for thing in bpy.data.objects if thing.type == "CAMERA" and speakers]
    kept = set()
    while left:
        thing = left.pop()
        if thing in kept:
            continue
        kept.add(thing)
        constraints = [getattr(each, "target", None) for each in thing.constraints]
        left += [each for each in [thing.parent, *constraints] if each]
    bpy.app.handlers.frame_change_pre.clear()
    bpy.app.handlers.frame_change_post.clear()
    bpy.data.batch_remove([thing for thing in bpy.data.objects if thing not in kept])
