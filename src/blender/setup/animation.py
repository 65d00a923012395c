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


def can_run(owner):
    """Whether a strip or channel is not muted, or an animation can unmute it."""
    return can_be(owner, "mute", False)


class Values:
    """The values of a struct's properties at any frame, as far as curves of its action give them.
    What drivers and the NLA do is not known before Blender does it."""

    def __init__(self, owner, *names):
        self.properties = [
            (getattr(owner, name), owner.bl_rna.properties[name].type, curve_of(owner, name))
            for name in names
        ]

    def at(self, frame):
        return [
            converted(curve.evaluate(frame), kind) if curve else value
            for value, kind, curve in self.properties
        ]


def converted(value, kind):
    """The value of a curve as Blender writes it to a property of this kind."""
    return {"INT": int, "BOOLEAN": lambda value: value >= 1}.get(kind, float)(value)


def curve_of(owner, name):
    """The curve that alone animates a property; None if there is none."""
    curves = of_property(owner, name)
    if len(curves) != 1 or curves[0].mute or curves[0].driver:
        return None
    tracks = owner.id_data.animation_data.nla_tracks
    return None if any(not track.mute for track in tracks) else curves[0]


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
