# Blender runs this script without a scene (see mod.rs). It writes an answer beside itself: the version,
# which of the optional features this Blender has, and the GPUs that Cycles can use:
#   {"version": "4.5.3", "features": {"denoiser": true, ...}, "gpus": {"OPTIX": [NAME, ...], ...}}
# Works in every Blender from 2.93 on.
import os
import sys

import bpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import render_worker_answer as answer
import render_worker_devices as devices
import render_worker_features as features


def gpus():
    cycles = bpy.context.preferences.addons.get("cycles")
    if not cycles:
        return {}
    found = {}
    for kind in devices.TYPES:
        of_kind = devices.of_type(cycles.preferences, kind)
        names = [device.name for device in of_kind if device.type == kind]
        if names:
            found[kind] = names
    return found


known = {feature: features.has(option) for feature, option in features.MODIFIERS.values()}
known.update(
    {
        "alembic": features.has("alembic"),
        "bullet": features.has("bullet"),
        "denoiser": features.cycles_has("with_openimagedenoise"),
        "fluid": features.has("fluid") and features.fluid_solver_works(),
        "freestyle": features.has("freestyle"),
        "movies": features.has("codec_ffmpeg"),
        "openvdb": features.has("openvdb"),
        "osl": features.cycles_has("with_osl"),
        "usd": features.has("usd"),
    }
)
found = {"version": bpy.app.version_string, "features": known, "gpus": gpus()}
answer.write(os.path.join(HERE, "answer.json"), found)
