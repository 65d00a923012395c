# The simulations that the pictures of a scene depend on, and whether they are baked.
import os
import re

import bpy

import render_worker_animation as animation
import render_worker_compositor as compositor
import render_worker_files as files
import render_worker_node_bakes as node_bakes
import render_worker_objects as objects
import render_worker_strips as strips

# The last frame that Blender can render.
LAST_FRAME = 1048574

# The parts of a fluid that are baked one after the other, and what switches them on.
FLUID_PARTS = {"data": None, "noise": "use_noise", "mesh": "use_mesh"}


class Simulation:
    """A simulation that is not baked: each frame is made from the frame before it."""

    def __init__(self, name, frames, things, modifier=None, cache=None, fluid=None, bake=None):
        self.name = name
        # Its first frame shows what the scene contains. After its last one nothing moves.
        self.first, self.last = frames[0], max(frames)
        self.things, self.modifier = things, modifier
        # What holds its results: a point cache, the settings of a fluid, or a bake of nodes.
        self.cache, self.fluid, self.bake = cache, fluid, bake
        self.is_zone = bool(modifier) and modifier.type == "NODES"
        # Why it cannot be simulated while the frames of the scene are rendered; None if it can.
        self.obstacle = None
        if modifier and modifier.type == "DYNAMIC_PAINT":
            # Blender writes it there, and nowhere else. The sandbox does not let it.
            self.obstacle = "its cache is a folder beside the scene"

    def affects(self, frame):
        return frame > self.first

    def is_held(self, frame):
        """Whether the file holds the results up to this frame, because the animation was played
        before it was saved."""
        if self.cache is None or self.cache.is_outdated or self.cache.use_disk_cache:
            return False
        found = re.match(r"\d+", self.cache.info)
        return bool(found) and int(found.group()) > min(frame, self.last) - self.first


def unbaked(scene):
    """The simulations that the pictures depend on and that are not baked."""
    found = of_scene(scene)
    if is_remapped(scene):
        for each in found:
            each.obstacle = each.obstacle or "the scene has Time Remapping"
    names = {each.name for each in found}
    for other in others(scene, set()):
        for each in of_scene(other):
            if each.name not in names:
                each.obstacle = "scene %s is shown by another one" % other.name
                found.append(each)
    return found


def is_remapped(scene):
    """Whether the frames of its simulations are not those of the scene."""
    return scene.render.frame_map_old != scene.render.frame_map_new


def others(scene, seen):
    """The other scenes that a scene shows, through its compositor or its sequencer."""
    seen.add(scene)
    if not strips.are_rendered(scene):
        yield from compositor.scenes(scene) - {scene}
        return
    for strip in strips.inside(scene.sequence_editor):
        if strip.type != "SCENE" or not strip.scene or strip.scene in seen:
            continue
        if not animation.can_run(strip):
            continue
        if getattr(strip, "scene_input", "CAMERA") == "SEQUENCER":
            yield from others(strip.scene, seen)
        else:
            seen.add(strip.scene)
            yield from {strip.scene} | compositor.scenes(strip.scene)


def of_scene(scene):
    found = list(of_rigid_bodies(scene))
    for thing in influences(scene):
        for modifier in objects.modifiers(thing):
            found += of_modifier(modifier, thing, scene)
    return found


def of_rigid_bodies(scene):
    world = scene.rigidbody_world
    if not world or not world.enabled or not world.collection:
        return
    cache, bodies = world.point_cache, list(world.collection.objects)
    # Hidden bodies often move what is rendered.
    if not is_baked(cache) and any(moves_by_itself(body) for body in bodies):
        name = "the rigid bodies of scene %s" % scene.name
        yield Simulation(name, (cache.frame_start, cache.frame_end), bodies, cache=cache)


def moves_by_itself(thing):
    body = thing.rigid_body
    if not body or body.type != "ACTIVE" or not body.enabled:
        return False
    # An animated body can be released later.
    return not body.kinematic or bool(animation.of_property(body, "kinematic"))


def of_modifier(modifier, thing, scene):
    place = "%s of object %s" % (modifier.name, thing.name)
    if modifier.type in {"CLOTH", "SOFT_BODY"}:
        kind = "cloth" if modifier.type == "CLOTH" else "soft body"
        yield from of_cache(modifier.point_cache, "%s %s" % (kind, place), thing, modifier)
    elif modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings:
        for surface in modifier.canvas_settings.canvas_surfaces:
            if surface.is_active and surface.is_cache_user:
                name = "dynamic paint %s of object %s" % (surface.name, thing.name)
                yield from of_cache(surface.point_cache, name, thing, modifier)
    elif modifier.type == "PARTICLE_SYSTEM":
        yield from of_particles(modifier.particle_system, thing, modifier)
    elif modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
        fluid = modifier.domain_settings
        if fluid and not is_fluid_baked(fluid, thing, scene):
            frames = fluid.cache_frame_start, fluid.cache_frame_end
            yield Simulation("fluid %s" % place, frames, [thing], modifier, fluid=fluid)
    elif modifier.type == "NODES" and modifier.node_group:
        for bake, name in node_bakes.unbaked(modifier, thing):
            first = scene.frame_start
            if bake and bake.use_custom_simulation_frame_range:
                first = bake.frame_start
            yield Simulation(name, (first, LAST_FRAME), [thing], modifier, bake=bake)


def of_cache(cache, name, thing, modifier, first=None):
    if not is_baked(cache):
        first = cache.frame_start if first is None else first
        yield Simulation(name, (first, cache.frame_end), [thing], modifier, cache=cache)


def of_particles(system, thing, modifier):
    settings = system.settings
    name = "particle system %s of object %s" % (system.name, thing.name)
    if settings.type == "HAIR" and system.use_hair_dynamics:
        yield from of_cache(system.point_cache, "hair dynamics of " + name, thing, modifier)
    elif settings.type == "EMITTER" and settings.physics_type in {"NEWTON", "BOIDS", "FLUID"}:
        # As in psys_get_pointcache_start_end in Blender.
        first = max(1, int(settings.frame_start))
        yield from of_cache(system.point_cache, name, thing, modifier, first)


def is_baked(cache):
    # An external cache is a file of another program or scene.
    return cache.is_baked or cache.use_external


def is_fluid_baked(fluid, thing, scene):
    if fluid.cache_type == "REPLAY":
        return is_replay_complete(fluid, thing, scene)
    return all(
        getattr(fluid, "has_cache_baked_" + part)
        for part, switch in FLUID_PARTS.items()
        if switch is None or (getattr(fluid, switch) and is_for(fluid, part))
    )


def is_for(fluid, part):
    """Whether a domain of this type has the part: smoke has noise, and a liquid has a mesh."""
    return (part == "noise") == (fluid.domain_type == "GAS")


def is_replay_complete(fluid, thing, scene):
    """Whether the animation was played, so that the cache has every frame."""
    folder = os.path.join(bpy.path.abspath(fluid.cache_directory, library=thing.library), "data")
    numbers = (re.search(r"_data_(\d+)\.", name) for name in files.listed(folder))
    found = {int(number.group(1)) for number in numbers if number}
    last = min(fluid.cache_frame_end, scene.frame_end)
    return found.issuperset(range(fluid.cache_frame_start, last + 1))


def influences(scene):
    """The objects that are rendered, and those that they refer to: a hidden cloth can shape what
    is rendered."""
    uses = {}
    for block, users in bpy.data.user_map().items():
        for user in users:
            uses.setdefault(user, set()).add(block)
    todo, seen = list(objects.rendered(scene)), set()
    while todo:
        block = todo.pop()
        if block in seen or isinstance(block, bpy.types.Scene):
            continue
        seen.add(block)
        todo += uses.get(block, ())
        if isinstance(block, bpy.types.Object):
            yield block
