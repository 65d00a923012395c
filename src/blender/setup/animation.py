# The animation of properties: the curves and drivers that change their values from frame to frame.


def replace(owner, name, value):
    """Gives a property a value that no animation replaces at the next frame."""
    setattr(owner, name, value)
    for curve in of_property(owner, name):
        curve.mute = True


def of_property(owner, name):
    """The animation curves and drivers of a property."""
    try:
        path = owner.path_from_id(name)
    except ValueError:
        # Some structures do not know their path. They cannot be animated, either.
        return []
    return [curve for curve in of_block(owner.id_data) if curve.data_path == path]


def can_be(owner, name, value):
    """Whether a switch is on or off, or an animation can set it so. A modifier or constraint of a
    type that this Blender does not know lacks its switches: it does nothing."""
    if not hasattr(owner, name):
        return False
    return bool(getattr(owner, name)) == value or bool(of_property(owner, name))


def of_block(block):
    """All animation curves and drivers of a data-block."""
    data = getattr(block, "animation_data", None)
    if data is None:
        return
    yield from data.drivers
    for action, slot in actions(data):
        yield from curves(action, slot)


def actions(data):
    """Pairs of an action that animates the owner of this data, and its slot for the owner. Blender
    4.3 and earlier have no slots."""
    found = [data, *(strip for track in data.nla_tracks if not track.mute for strip in track.strips)]
    while found:
        user = found.pop()
        # A meta strip has strips instead of an action.
        found += getattr(user, "strips", [])
        if user.action:
            yield user.action, getattr(user, "action_slot", None)


def curves(action, slot):
    """The animation curves of a slot. Blender 4.4 sorts them by layer, strip and slot, and Blender 5
    has no other access."""
    if not hasattr(action, "layers"):
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                if bag.slot == slot:
                    yield from bag.fcurves
