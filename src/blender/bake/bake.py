# Blender runs this script after loading the scene, to bake its simulations (see bake.rs).
#
# Reads bake.json beside it:
#   {"answer": PATH, "scene": PATH, "caches": PATH or null, "absolute_paths": false,
#    "missing_files": "fail" or "warn"}
# Bakes every simulation that the pictures depend on, and saves the scene to the path `scene`. What
# can only be cached in files is cached in the folder `caches`.
# Writes an answer, atomically:
#   {"blender": "4.5.15", "baked": [{"name": NAME, "first_frame": 1, "last_frame": 20}, ...],
#    "lacking": [...], "unbakeable": [PROBLEM, ...], "unusable_files": [...], "needed": [...],
#    "warnings": [LINE, ...]}
# Nothing is baked if a simulation cannot be baked, if this Blender lacks a feature for it, or if a file
# is missing and that is to fail.
import functools
import json
import os
import sys

import bpy

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
import render_worker_answer as answer
import render_worker_features as features
import render_worker_missing as missing
import render_worker_node_bakes as node_bakes
import render_worker_simulate as simulate
import render_worker_simulations as simulations

# The features without which there is nothing to bake, or something would be lost.
NEEDED = {"fluid", "bullet", "newer-blender"}


def bake(scene, found, caches):
    """Bakes these simulations to the last frame of the scene."""
    last = scene.frame_end + simulate.frames_ahead(scene)
    for each in found:
        each.last = min(each.last, last)
    cached = [each for each in found if each.cache]
    for each in cached:
        if is_hair(each):
            # Blender does not find its way in a cache that was filled or cut short before.
            each.last = each.cache.frame_end
        elif each.cache.frame_end > each.last:
            each.cache.frame_end = each.last
    # One pass fills the caches of all, because simulations can affect each other.
    simulate.play(scene, cached, last)
    for each in cached:
        operator = bpy.ops.ptcache.bake_from_cache
        if is_hair(each):
            operator = functools.partial(bpy.ops.ptcache.bake, bake=True)
        run(operator, each, point_cache=each.cache)
        if not each.cache.is_baked:
            raise RuntimeError("Blender did not bake %s" % each.name)
    for each in found:
        if each.fluid:
            bake_fluid(each, scene, caches)
        elif each.bake:
            bake_zone(each, caches)
    scene.frame_set(scene.frame_start)


def is_hair(simulation):
    modifier = simulation.modifier
    if not modifier or modifier.type != "PARTICLE_SYSTEM":
        return False
    return modifier.particle_system.settings.type == "HAIR"


def run(operator, simulation, **context):
    thing = simulation.things[0]
    return within(operator, {"object": thing, "active_object": thing, **context})


def within(operator, context):
    # Blender 3.1 and earlier take a dictionary instead.
    if hasattr(bpy.context, "temp_override"):
        with bpy.context.temp_override(**context):
            return operator()
    return operator({**bpy.context.copy(), **context})


def bake_fluid(simulation, scene, caches):
    fluid, thing = simulation.fluid, simulation.things[0]
    simulate.show(simulation, scene)
    fluid.cache_directory = os.path.join(caches, bpy.path.clean_name("fluid_" + thing.name))
    fluid.cache_type = "ALL"
    simulate.keep_precision(fluid)
    fluid.cache_frame_end = simulation.last
    bpy.context.view_layer.objects.active = thing
    print("render-worker: bakes %s" % simulation.name, flush=True)
    run(bpy.ops.fluid.bake_all, simulation)
    if not fluid.has_cache_baked_data:
        raise RuntimeError("Blender did not bake %s" % simulation.name)


def bake_zone(simulation, caches):
    bake, modifier, thing = simulation.bake, simulation.modifier, simulation.things[0]
    simulate.show(simulation, bpy.context.scene)
    bake.use_custom_simulation_frame_range = True
    bake.frame_start, bake.frame_end = simulation.first, simulation.last
    if hasattr(bake, "bake_target"):
        bake.bake_target = "PACKED"
    else:
        name = bpy.path.clean_name("nodes_%s_%s_%d" % (thing.name, modifier.name, bake.bake_id))
        bake.use_custom_path, bake.directory = True, os.path.join(caches, name)
    print("render-worker: bakes %s" % simulation.name, flush=True)
    operator = functools.partial(
        bpy.ops.object.geometry_node_bake_single,
        session_uid=thing.session_uid,
        modifier_name=modifier.name,
        bake_id=bake.bake_id,
    )
    if "FINISHED" not in run(operator, simulation):
        raise RuntimeError("Blender did not bake %s" % simulation.name)


def problem(simulation, caches):
    """Why a simulation cannot be baked; None if it can."""
    linked = [thing for thing in simulation.things if thing.library]
    if linked:
        return "%s is linked from %s: bake it there" % (simulation.name, linked[0].library.filepath)
    if simulation.is_zone and not simulation.bake:
        return "%s needs Blender 4.1 or later" % simulation.name
    if simulation.obstacle:
        return simulate.described(simulation)
    needs_files = simulation.fluid or (
        simulation.bake and not hasattr(simulation.bake, "bake_target")
    )
    if needs_files and not caches:
        return "the cache of %s is a folder of files, which must lie on a file system" % simulation.name
    return None


def main(settings):
    scene = bpy.context.scene
    found = [each for each in simulations.unbaked(scene) if each.affects(scene.frame_end)]
    lacking = [lack for lack in features.lacking(scene) if lack["feature"] in NEEDED]
    problems = [it for it in (problem(each, settings["caches"]) for each in found) if it]
    # What a simulation collides with can come from a library or a cache.
    frames = range(scene.frame_start, scene.frame_end + simulate.frames_ahead(scene) + 1)
    needs, warnings = missing.needs(scene, frames)
    unusable, needed = missing.sorted_out(needs)
    is_missing = unusable and settings["missing_files"] == "fail"
    if not lacking and not problems and not is_missing:
        if settings["absolute_paths"]:
            bpy.ops.file.make_paths_absolute()
        warnings += node_bakes.pack_unwritable(simulations.influences(scene))
        bake(scene, found, settings["caches"])
        bpy.ops.wm.save_as_mainfile(
            filepath=settings["scene"], copy=True, compress=True, relative_remap=False
        )
    baked = [
        {"name": each.name, "first_frame": each.first, "last_frame": each.last} for each in found
    ]
    answer.write(
        settings["answer"],
        {
            "blender": bpy.app.version_string,
            "baked": baked,
            "lacking": lacking,
            "unbakeable": problems,
            "unusable_files": unusable,
            "needed": needed,
            "warnings": warnings,
        },
    )


with open(os.path.join(HERE, "bake.json"), encoding="utf-8") as file:
    main(json.load(file))
