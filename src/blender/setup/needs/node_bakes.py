# The simulation zones of geometry nodes, and the bakes of geometry nodes.
import os
import shutil

import bpy

import render_worker_files as files


def unbaked(modifier, thing):
    """Pairs of a bake that has no data, and what it belongs to. Blender 4.0 and earlier bake all
    zones of a modifier together: the bake is None."""
    place = "modifier %s of object %s" % (modifier.name, thing.name)
    if not hasattr(modifier, "bakes"):
        folder = getattr(modifier, "simulation_bake_directory", "")
        if has_zone(modifier.node_group, set()) and not has_data(folder, thing):
            yield None, "the simulation zones of %s" % place
        return
    for bake in modifier.bakes:
        is_zone = bake.node and bake.node.bl_idname == "GeometryNodeSimulationOutput"
        if is_zone and not is_baked(bake, modifier, thing):
            yield bake, "simulation zone %s of %s" % (bake.node.name, place)


def has_zone(tree, seen):
    if tree is None or tree in seen:
        return False
    seen.add(tree)
    return any(
        node.type == "SIMULATION_OUTPUT" or (node.type == "GROUP" and has_zone(node.node_tree, seen))
        for node in tree.nodes
        if not node.mute
    )


def is_baked(bake, modifier, thing):
    return has_data(folder(bake, modifier), thing) or is_packed(bake, modifier, thing)


def folder(bake, modifier):
    """The folder of a bake on the disk; empty if it was never baked there."""
    if bake.use_custom_path:
        return bake.directory
    base = modifier.bake_directory
    return os.path.join(base, str(bake.bake_id)) if base else ""


def has_data(folder, thing):
    path = os.path.join(bpy.path.abspath(folder, library=thing.library), "meta")
    return bool(folder) and bool(files.listed(path))


def is_packed(bake, modifier, thing):
    """Whether the file holds the data of a bake. Only an attempt to unpack it tells."""
    # Blender 4.2 and earlier keep bakes on the disk only.
    if "geometry_node_bake_unpack_single" not in dir(bpy.ops.object):
        return False
    path = os.path.join(os.path.expanduser("~"), "bakes", str(thing.session_uid), str(bake.bake_id))
    before = bake.use_custom_path, bake.directory
    bake.use_custom_path, bake.directory = True, path
    which = {
        "session_uid": thing.session_uid,
        "modifier_name": modifier.name,
        "bake_id": bake.bake_id,
    }
    # Blender 5 asks for an active object.
    with bpy.context.temp_override(object=thing, active_object=thing):
        unpack = bpy.ops.object.geometry_node_bake_unpack_single
        found = "FINISHED" in unpack(method="WRITE_ORIGINAL", **which)
        # Blender packs no bake without this folder, and leaves it out if there is nothing for it.
        os.makedirs(os.path.join(path, "blobs"), exist_ok=True)
        if found and not pack(bake, modifier, thing):
            raise RuntimeError("Blender did not pack bake %d of %s" % (bake.bake_id, thing.name))
    bake.use_custom_path, bake.directory = before
    shutil.rmtree(path, ignore_errors=True)
    return found


def pack_unwritable(things):
    """Loads the bakes in read-only folders into memory. Blender opens the files of a bake for
    writing, and where it may not, the object is missing from the picture without a word. The result
    has a warning for each that cannot be loaded."""
    warnings = []
    for thing in things:
        for modifier in thing.modifiers:
            for bake in getattr(modifier, "bakes", []):
                path = bpy.path.abspath(folder(bake, modifier), library=thing.library)
                if has_data(path, thing) and not is_writable(path):
                    if not pack(bake, modifier, thing):
                        warnings.append(
                            "object %s will be missing, because this Blender reads the bake of "
                            "modifier %s only from a folder where it may write: use Blender 4.3 or "
                            "later" % (thing.name, modifier.name)
                        )
    return warnings


def pack(bake, modifier, thing):
    # Blender 4.2 and earlier keep bakes on the disk only.
    if "geometry_node_bake_pack_single" not in dir(bpy.ops.object):
        return False
    with bpy.context.temp_override(object=thing, active_object=thing):
        result = bpy.ops.object.geometry_node_bake_pack_single(
            session_uid=thing.session_uid, modifier_name=modifier.name, bake_id=bake.bake_id
        )
    return "FINISHED" in result


def is_writable(folder):
    files = (os.path.join(path, name) for path, _, names in os.walk(folder) for name in names)
    try:
        # Only an attempt tells: the sandbox is not part of the permissions.
        os.close(os.open(next(files, folder), os.O_RDWR))
    except OSError:
        return False
    return True
