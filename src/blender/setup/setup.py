# Blender runs this script between loading the scene and rendering (see mod.rs).
# Works in every Blender from 2.93 on.
#
# Reads settings.json beside it:
#   {"description": PATH, "overrides": {...}, "allow_missing": [FEATURE, ...],
#    "missing_files": "fail" or "warn", "strict": BOOL,
#    "simulations": {"unbaked": "refuse", "frames": {"first": 1, "last": 10} or null},
#    "cycles_device": "auto", "auto+CPU" or null,
#    "view": {"lut": PATH, "axis": [0.0, ...]}, "audio": PATH, "outputs": FOLDER,
#    "scripts": [{"path": PATH, "name": NAME}, ...], "addons": {...}, "describe": false,
#    "project": {"folder": FOLDER, "origins": {PATH: FILE, ...}, "is_fetched": BOOL} or null}
# With "describe", nothing is rendered: what is in the file is described, and nothing refused.
# The overrides are RenderOverrides in the worker's request/overrides.
# Writes an answer to PATH, atomically: a description of the scene,
#   {"scene": {...}, "external": [{"file": "//textures/wood.png"}, ...], "outputs": {...},
#    "needed": [{"kind": "image", "files": ["/work/textures/wood.png"], ...}, ...],
#    "cut_off": [NAME, ...], "mapped": [{"from": PATH, "to": FILE}, ...]}
# or why it refuses the job,
#   {"refused": {"kind": "usage", "problems": ["--camera (CAMERA): ...", ...]}}
# The log cannot carry the answer: a scene can print, too, and the worker cuts long lines.
import json
import os
import sys

import bpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import render_worker_answer as answer
import render_worker_audio as audio
import render_worker_contents as contents
import render_worker_devices as devices
import render_worker_external as external
import render_worker_features as features
import render_worker_frames as frames
import render_worker_mapping as mapping
import render_worker_missing as missing
import render_worker_node_bakes as node_bakes
import render_worker_output as output
import render_worker_outputs as outputs
import render_worker_overrides as overrides
import render_worker_picture as picture
import render_worker_python as python
import render_worker_scripts as scripts
import render_worker_selection as selection
import render_worker_simulate as simulate
import render_worker_simulations as simulations
import render_worker_view as view

with open(os.path.join(HERE, "settings.json"), encoding="utf-8") as file:
    settings = json.load(file)

findings = answer.Findings()
mapped = mapping.map_paths(settings["project"])
scene = selection.scene(settings["overrides"].get("scene"), findings)
findings.refuse_if_any(settings["description"])
# Before anything else changes the scene: the flags of the job win over scripts, and so do the output
# settings with which no frame is lost.
python.run(settings["scripts"], settings["description"])
scene = selection.scene(settings["overrides"].get("scene"), findings)
findings.refuse_if_any(settings["description"])
render = scene.render
inside = contents.description(scene) if settings["describe"] else None
overrides.apply(scene, settings["overrides"], findings)
used_devices, problems = devices.choose(scene, settings["cycles_device"], findings)
findings.refuse_if_any(settings["description"])
# What makes the pictures differ from those of Blender on a desktop, and all warnings.
differences = findings.warnings
warnings = problems + output.make_deliverable(scene)
made, problems = outputs.redirect(scene, settings["outputs"])
warnings += problems
lacking = features.lacking(scene)
allowed = settings["allow_missing"]
refused = [lack for lack in lacking if lack["feature"] not in allowed]
if any(lack["feature"] == "denoiser" for lack in lacking) and not refused:
    # A Blender that is asked to denoise and cannot do so renders nothing.
    features.switch_denoising_off(scene)
needs, problems = missing.needs(scene, frames.of_launch(scene))
unusable, needed = missing.sorted_out(needs)
differences += problems + features.differences() + scripts.warnings() + frames.warnings(scene)
warnings = differences + warnings + features.warnings(scene)
unbaked, cut_off = simulations.unbaked(scene), []
if not settings["describe"] and not frames.in_order():
    # Whether they are simulated or begin with each job: another order makes other pictures.
    last = settings["simulations"]["frames"]["last"]
    names = ", ".join(each.name for each in unbaked if each.affects(last))
    if names:
        findings.mistake(
            "--order (ORDER): each frame of %s is made from the one before, because it is not baked; "
            "leave --order out, or bake it first (render-worker bake)" % names
        )
    findings.refuse_if_any(settings["description"])
if settings["simulations"]["unbaked"] != "allow" and settings["simulations"]["frames"]:
    may_begin_late = settings["simulations"]["unbaked"] == "simulate"
    cut_off = simulate.cut_off(scene, unbaked, may_begin_late, **settings["simulations"]["frames"])
warnings += node_bakes.pack_unwritable(simulations.influences(scene))
is_refused = not settings["describe"] and bool(
    refused
    or cut_off
    or (unusable and settings["missing_files"] == "fail")
    or (differences and settings["strict"])
)
shown = None
if not is_refused:
    others = [file["after"] for file in made["files"]]
    shown, problems = view.description(scene, others, **settings["view"])
    warnings += problems
heard, problems = audio.description(scene, settings["audio"])
warnings += problems

width, height = picture.size(render)
description = {
    "scene": {
        "name": scene.name,
        "blender": bpy.app.version_string,
        "engine": render.engine,
        "devices": used_devices,
        "fps": render.fps,
        "fps_base": render.fps_base,
        "width": width,
        "height": height,
        "frame_start": scene.frame_start,
        "frame_end": scene.frame_end,
        "frame_step": scene.frame_step,
        "output_name": output.own_name(render),
        "extension": render.file_extension,
        "warnings": warnings,
        "differences": differences,
        "lacking": lacking,
        "unusable_files": unusable,
        "simulations": [{"name": each.name, "first_frame": each.first} for each in unbaked],
        "view": shown,
        "audio": heard,
    },
    "external": external.description(needs),
    "needed": needed,
    "cut_off": [simulate.described(each) for each in cut_off],
    "contents": inside,
    "mapped": mapped,
    "outputs": made,
}
answer.write(settings["description"], description)

# The worker looks for the description whenever a line arrives.
print("\nrender-worker: the scene is described", flush=True)

if is_refused:
    # Exit at once: a Blender that quits in the ordinary way renders first.
    os._exit(answer.REFUSED)
if settings["simulations"]["unbaked"] != "allow" and not settings["describe"]:
    simulate.begin(scene, unbaked, settings["simulations"]["frames"]["last"])
