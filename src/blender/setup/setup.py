# Run by Blender between loading the scene and rendering (see ../setup.rs).
# Works in every Blender from 2.93 on.
#
# Reads settings.json beside it:
#   {"answer": PATH, "denoise": bool, "allow_missing": [FEATURE, ...]}
# Leaves at PATH, whole or not at all, what the worker needs to know of the scene:
#   {"scene": {...}, "external": [{"file": "//textures/wood.png"}, ...]}
# The log would not do for that: a scene can print, too, and lines have a limit.
import json
import os
import sys

import bpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import render_worker_external as external
import render_worker_features as features
import render_worker_output as output

# The exit status for a scene that must not be rendered; the worker knows why by the answer.
REFUSED = 86

with open(os.path.join(HERE, "settings.json"), encoding="utf-8") as file:
    settings = json.load(file)

scene = bpy.context.scene
render = scene.render
warnings = output.make_deliverable(scene)
if not settings["denoise"]:
    features.switch_denoising_off(scene)
lacking = features.lacking(scene)
refused = [lack for lack in lacking if lack["feature"] not in settings["allow_missing"]]
if any(lack["feature"] == "denoiser" for lack in lacking) and not refused:
    # Asked to denoise, a Blender that cannot renders nothing.
    features.switch_denoising_off(scene)
warnings += external.warnings()
warnings += features.warnings(scene)

answer = {
    "scene": {
        "name": scene.name,
        "blender": bpy.app.version_string,
        "engine": render.engine,
        "fps": render.fps,
        "fps_base": render.fps_base,
        "width": int(render.resolution_x * render.resolution_percentage / 100),
        "height": int(render.resolution_y * render.resolution_percentage / 100),
        "frame_start": scene.frame_start,
        "frame_end": scene.frame_end,
        "extension": render.file_extension,
        "warnings": warnings,
        "lacking": lacking,
    },
    "external": external.answer(),
}
partial = settings["answer"] + ".partial"
with open(partial, "w", encoding="utf-8", errors="replace") as file:
    json.dump(answer, file, ensure_ascii=False)
os.replace(partial, settings["answer"])

# The worker looks for the answer whenever a line arrives.
print("\nrender-worker: the scene is described", flush=True)

if refused:
    # At once: a Blender that quits in the ordinary way would render first.
    os._exit(REFUSED)
