# The Python in the scene file that Blender does not run unless it may (--enable-autoexec).
import bpy

# How many names a warning has. The others are counted.
MOST_NAMES = 8


def warnings():
    """A line that names the scripts and drivers that did not run."""
    if not bpy.app.autoexec_fail:
        return []
    names = ["script %s" % text.name for text in bpy.data.texts if text.use_module]
    names += sorted(set(drivers()))
    if not names:
        names = [bpy.app.autoexec_fail_message]
    more = len(names) - MOST_NAMES
    listed = ", ".join(names[:MOST_NAMES]) + (" and %d more" % more if more > 0 else "")
    return [
        "Python in the scene file did not run, so the pictures may differ from those on a desktop: "
        "%s; if you trust the scene, --enable-autoexec (ENABLE_AUTOEXEC) runs it" % listed
    ]


def drivers():
    """The names of drivers with an expression that Blender did not evaluate."""
    for owner in owners():
        animation = getattr(owner, "animation_data", None)
        for curve in animation.drivers if animation else []:
            driver = curve.driver
            if driver.type == "SCRIPTED" and not driver.is_valid:
                yield "driver of %s of %s" % (curve.data_path, owner.name)


def owners():
    """Everything that can have drivers."""
    for collection in bpy.data.bl_rna.properties:
        if collection.type == "COLLECTION":
            for block in getattr(bpy.data, collection.identifier):
                yield block
                if getattr(block, "node_tree", None):
                    yield block.node_tree
