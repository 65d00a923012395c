# Simulates while frames are rendered: before each frame, the frames that lead to it.
#
# In the background, Blender renders from data of its own, in which nothing but particles is
# simulated. The results of a simulation come from its cache, which only the scene's own data fills,
# a frame at a time and without a gap.
import math
import os
import shutil
import sys
import time
import traceback

import bpy

import render_worker_answer as answer

# The folder in HOME for the caches of fluids, which are files.
FOLDER = "fluids"


def cut_off(scene, found, may_begin_late, first, last):
    """Which of these simulations the frames from `first` to `last` depend on, but cannot be
    simulated for them. `may_begin_late` is whether the frames before `first` are simulated as well."""
    found = [each for each in found if each.affects(last) and not each.is_held(last)]
    # A whole animation may begin after the first frame of a simulation.
    return [
        each
        for each in found
        if each.obstacle
        or (not may_begin_late and first > max(each.first, scene.frame_start))
    ]


def described(simulation):
    """The name of a simulation that is cut off, and why nothing but Blender itself can bake it."""
    if simulation.obstacle:
        return "%s (%s: bake it in Blender)" % (simulation.name, simulation.obstacle)
    return simulation.name


def begin(scene, found, last):
    """Simulates from now on whatever leads to a frame that is rendered, up to the frame `last`. If
    that fails, Blender exits."""
    found = [each for each in found if each.affects(last) and not each.obstacle]
    if not found:
        return
    folder = os.path.join(os.path.expanduser("~"), FOLDER)
    # An earlier start of Blender may have left it.
    shutil.rmtree(folder, ignore_errors=True)
    for index, each in enumerate(found):
        prepare(each, scene, os.path.join(folder, str(index)))
    Stepper(scene, found).listen()


def play(scene, found, last):
    """Simulates these simulations up to the frame `last`."""
    if not found:
        return
    for each in found:
        prepare(each, scene, None)
    Stepper(scene, found).step(scene, last)


def prepare(simulation, scene, folder):
    """Makes a simulation work, although the folder of the scene may be read-only."""
    show(simulation, scene)
    if simulation.cache and simulation.cache.use_disk_cache:
        simulation.cache.use_disk_cache = False
    if simulation.fluid:
        simulation.fluid.cache_type = "REPLAY"
        simulation.fluid.cache_directory = folder
        keep_precision(simulation.fluid)


def keep_precision(fluid):
    """Caches of OpenVDB round values, and a fluid goes on from those in its cache. Without that, a
    fluid that is simulated and one that is baked look the same."""
    for name in ("cache_data_format", "cache_noise_format"):
        if hasattr(fluid, name):
            setattr(fluid, name, "UNI")


def show(simulation, scene):
    """Shows a simulation in the viewport: it is evaluated only there."""
    for layer in scene.view_layers:
        reveal(layer.layer_collection, simulation.things)
        for thing in simulation.things:
            if thing.name in layer.objects:
                thing.hide_set(False, view_layer=layer)
    for thing in simulation.things:
        thing.hide_viewport = False
    if simulation.modifier:
        simulation.modifier.show_viewport = True


def reveal(layer_collection, things):
    """Shows the collections that contain one of these objects. The result is whether this one
    does."""
    if layer_collection.exclude:
        return False
    inside = [reveal(child, things) for child in layer_collection.children]
    collection = layer_collection.collection
    if not any(inside) and not any(thing.name in collection.objects for thing in things):
        return False
    layer_collection.hide_viewport = collection.hide_viewport = False
    return True


def frames_ahead(scene):
    """How many frames after the one that is rendered are evaluated, for what moves in it."""
    render = scene.render
    has_blur = render.use_motion_blur or getattr(scene.eevee, "use_motion_blur", False)
    if has_blur:
        return max(1, math.ceil(render.motion_blur_shutter))
    return int(any(layer.use_pass_vector for layer in scene.view_layers))


class Stepper:
    """Evaluates each frame of the scene once, in order."""

    def __init__(self, scene, simulations):
        self.first = min(each.first for each in simulations)
        self.last = max(each.last for each in simulations)
        self.ahead = frames_ahead(scene)
        # Zones of geometry nodes begin where the scene begins, not where the job does.
        self.zones_begin = scene.frame_start if any(each.is_zone for each in simulations) else None
        # The frame to evaluate next, and the one that was evaluated last.
        self.next, self.at = self.first, None

    def listen(self):
        bpy.app.handlers.render_init.append(self.render_begins)
        bpy.app.handlers.render_pre.append(self.frame_begins)

    def render_begins(self, *_):
        # Between two renderings, something else may have been evaluated.
        self.at = None

    def frame_begins(self, scene, *_):
        try:
            self.step(scene, scene.frame_current)
        except BaseException:
            # Blender would go on with wrong pictures.
            traceback.print_exc()
            sys.stdout.flush()
            os._exit(answer.REFUSED)

    def step(self, scene, frame):
        until = min(frame + self.ahead, self.last)
        if until < self.next:
            return
        if self.next < frame:
            print("render-worker: simulates %d to %d before %d" % (self.next, frame - 1, frame), flush=True)
        rendered = scene.frame_start, scene.frame_end
        if self.zones_begin is not None and self.next <= self.zones_begin:
            set_range(scene, self.zones_begin, max(self.zones_begin, scene.frame_end))
            scene.update_tag()
        if self.next > self.first and self.at != self.next - 1:
            # A simulation goes on only from the frame before.
            scene.frame_set(self.next - 1)
        for self.at in range(self.next, until + 1):
            begun = time.monotonic()
            scene.frame_set(self.at)
            seconds = time.monotonic() - begun
            print("render-worker: simulated %d in %.3f s" % (self.at, seconds), flush=True)
        self.next = until + 1
        if self.at != frame:
            scene.frame_set(frame)
            self.at = frame
        set_range(scene, *rendered)


def set_range(scene, first, last):
    # Either end moves the other one if necessary, and Python cannot set negative frames.
    if (scene.frame_start, scene.frame_end) != (first, last) and first >= 0:
        scene.frame_end, scene.frame_start = last, first
        scene.frame_end = last
