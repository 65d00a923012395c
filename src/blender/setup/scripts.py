# The Python in the scene file that Blender does not run unless it may (--enable-autoexec).
import sys

import bpy

# How many names a warning has. The others are counted.
MOST_NAMES = 8


def warnings():
    """A line that names the scripts and drivers that did not run, or will not."""
    if "--enable-autoexec" in sys.argv:
        return []
    names = sorted(set(drivers()))
    if bpy.app.autoexec_fail:
        names = ["script %s" % text.name for text in bpy.data.texts if text.use_module] + names
    elif not names:
        return []
    if not names:
        names = [bpy.app.autoexec_fail_message]
    return [
        "Python in the scene file did not run, so the pictures may differ from those on a desktop: "
        "%s; if you trust the scene, --enable-autoexec (ENABLE_AUTOEXEC) runs it" % listed(names)
    ]


def listed(names):
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (" and %d more" % more if more > 0 else "")


def drivers():
    """The names of drivers with an expression that takes Python, unless Blender has evaluated it: it
    may, if the expression is harmless. While an object is hidden, or in a view layer that is not
    open, Blender has tried none of its drivers."""
    evaluated = {it.original for it in bpy.context.evaluated_depsgraph_get().ids}
    for owner, curve in all_drivers():
        driver = curve.driver
        is_scripted = driver.type == "SCRIPTED" and driver.expression
        is_python = is_scripted and not driver.is_simple_expression
        has_run = driver.is_valid and owner in evaluated
        if is_python and not has_run:
            yield named(curve, owner)


def all_drivers():
    """Pairs of what has a driver, and the driver, unless that is muted."""
    for owner in owners():
        animation = getattr(owner, "animation_data", None)
        for curve in animation.drivers if animation else []:
            if not curve.mute:
                yield owner, curve


def named(curve, owner):
    return "driver of %s of %s" % (curve.data_path, owner.name)


def owners():
    """Everything that is in use and can have drivers."""
    for collection in bpy.data.bl_rna.properties:
        if collection.type == "COLLECTION":
            for block in getattr(bpy.data, collection.identifier):
                if block.users <= block.use_fake_user:
                    continue
                yield block
                if getattr(block, "node_tree", None):
                    yield block.node_tree
