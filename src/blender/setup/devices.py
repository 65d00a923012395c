# The devices that Cycles renders on, unless the job names their type.
import bpy

# The types of GPU devices, the fastest first: a GPU that OptiX can use is one of CUDA as well.
TYPES = ["OPTIX", "CUDA", "HIP", "ONEAPI"]

# What the job wants; with "+CPU", the CPU renders as well, or alone if there is no GPU.
ANY_GPU = "auto"
ANY_DEVICE = "auto+CPU"


def choose(scene, wanted, findings):
    """Sets Cycles to render on the best GPUs, if the job wants any, or if it wants nothing and the
    scene asks for a GPU. Returns the names of these devices, and warnings. Finds a lack if the job
    wants a GPU and there is none."""
    by_scene = wanted is None and scene.render.engine == "CYCLES" and scene.cycles.device == "GPU"
    if not by_scene and (wanted not in (ANY_GPU, ANY_DEVICE) or scene.render.engine != "CYCLES"):
        return [], []
    found = set_up(scene, wanted == ANY_DEVICE)
    if found:
        return found, []
    if wanted == ANY_GPU:
        findings.lack("--cycles-device (CYCLES_DEVICE) auto: there is no GPU that Cycles can use")
        return [], []
    scene.cycles.device = "CPU"
    why = "the scene asks for a GPU and there is none" if by_scene else "there is no GPU"
    return [], ["%s: rendering on the CPU" % why]


def set_up(scene, with_cpu):
    """Returns the names of the devices that Cycles is set to; none if there is no GPU."""
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for kind in TYPES:
        devices = of_type(preferences, kind)
        if any(device.type == kind for device in devices):
            for device in devices:
                device.use = device.type == kind or with_cpu
            scene.cycles.device = "GPU"
            return ["%s (%s)" % (device.name, device.type) for device in devices if device.use]
    return []


def of_type(preferences, kind):
    """The devices of a type and the CPU; none if this Blender was built without the type."""
    try:
        preferences.compute_device_type = kind
    except TypeError:
        return []
    return preferences.get_devices_for_type(kind) or []


