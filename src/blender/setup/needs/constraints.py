# The constraints of objects that have an effect, and what they depend on.
import render_worker_animation as animation

# Constraints that lead an object along the shape of their target.
ALONG_SHAPES = {"SHRINKWRAP", "FOLLOW_PATH", "CLAMP_TO", "SPLINE_IK"}


def of_object(thing):
    """The constraints of an object and of the bones in it."""
    bones = thing.pose.bones if thing.pose else ()
    for owner in [thing, *bones]:
        for constraint in owner.constraints:
            is_on = animation.can_be(constraint, "mute", False)
            if is_on and animation.can_be(constraint, "influence", True):
                yield constraint


def targets(constraint):
    """The objects that a constraint refers to. Only the one named Armature has several."""
    found = [constraint, *getattr(constraint, "targets", ())]
    return [it.target for it in found if getattr(it, "target", None)]


def depends_on_shape(constraint, target):
    if constraint.type in ALONG_SHAPES:
        return True
    # The subtarget of a mesh or lattice is a group of its vertices.
    has_vertices = target.type in {"MESH", "LATTICE"}
    return has_vertices and bool(getattr(constraint, "subtarget", ""))
