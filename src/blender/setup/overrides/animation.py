# The animation of properties, switched off where the job replaces them.


def switch_off(owner, name):
    """Mutes the animation curves and drivers of a property: at the next frame they would replace the
    value that was set."""
    block = owner.id_data
    data = getattr(block, "animation_data", None)
    if data is None:
        return
    try:
        path = owner.path_from_id(name)
    except ValueError:
        # Some structures do not know their path. They cannot be animated, either.
        return
    for curve in [*data.drivers, *action_curves(data)]:
        if curve.data_path == path:
            curve.mute = True


def action_curves(data):
    """The animation curves that act on the owner of this data. Blender 4.4 sorts them by layer, strip
    and slot; Blender 5 has no other access."""
    action = data.action
    if action is None:
        return
    if not hasattr(action, "layers"):
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                if bag.slot == data.action_slot:
                    yield from bag.fcurves
