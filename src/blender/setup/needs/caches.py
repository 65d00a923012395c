# Caches: files that hold animated geometry and baked simulations.
import os

import bpy

import render_worker_files as files
import render_worker_node_bakes as node_bakes
import render_worker_sequences as sequences


def of_cache_file(block, used_by, frames):
    """An Alembic or USD file, or a sequence of them."""
    kind = "Alembic cache" if block.filepath.lower().endswith(".abc") else "USD cache"
    paths = None
    if block.is_sequence:
        paths = sequences.numbered(block.filepath, sequences.of_cache(block, frames))
    yield files.need(kind, block.name, used_by, block.filepath, block.library, paths)
    for layer in getattr(block, "layers", []):
        if not layer.hide_layer:
            yield files.need(kind, block.name, used_by, layer.filepath, block.library)


def of_modifier(modifier, owner, used_by, frames):
    """What a modifier itself reads from files."""
    path, library = getattr(modifier, "filepath", ""), owner.library
    if modifier.type == "MESH_CACHE" and path:
        yield files.need("mesh cache", os.path.basename(path), used_by, path, library)
    elif modifier.type == "MULTIRES" and modifier.is_external:
        yield files.need("multires file", os.path.basename(path), used_by, path, library)
    elif modifier.type == "OCEAN" and modifier.is_cached:
        first, last = modifier.frame_start, modifier.frame_end
        names = {"disp_%04d.exr" % min(max(frame, first), last) for frame in frames}
        names = sorted(names)
        yield files.need_in_tree("ocean cache", modifier.name, used_by, path, library, names)
    elif modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
        yield from of_fluid(modifier.domain_settings, owner, used_by, frames)
    elif modifier.type == "NODES":
        yield from of_node_bakes(modifier, owner, used_by)
    for cache in point_caches(modifier):
        yield from of_point_cache(cache, owner, used_by, frames)


def of_fluid(domain, owner, used_by, frames):
    # A replayed fluid is simulated when its cache is missing.
    if domain.cache_type == "REPLAY":
        return
    first, last = domain.cache_frame_start, domain.cache_frame_end
    wanted = sorted({min(max(frame, first), last) for frame in frames})
    folder = files.absolute(domain.cache_directory, owner.library)
    names = []
    for part in fluid_parts(domain):
        there = files.listed(os.path.join(folder, part))
        numbers = {sequences.number_in(name) for name in there}
        # The name and the extension depend on the type of the fluid.
        names += ["%s/*_%04d.*" % (part, it) for it in wanted if it not in numbers]
        names += ["%s/%s" % (part, there[0])] if there else []
    if names:
        path = domain.cache_directory
        library = owner.library
        yield files.need_in_tree("fluid cache", owner.name, used_by, path, library, names)


def fluid_parts(domain):
    """The parts of a baked fluid that are shown, named after their folders."""
    is_liquid = domain.domain_type == "LIQUID"
    particles = ("use_spray_particles", "use_foam_particles", "use_bubble_particles")
    for part, is_used in (
        ("data", True),
        ("noise", not is_liquid and domain.use_noise),
        ("mesh", is_liquid and domain.use_mesh),
        ("particles", is_liquid and any(getattr(domain, name, False) for name in particles)),
    ):
        if is_used and getattr(domain, "has_cache_baked_" + part, False):
            yield part


def point_caches(modifier):
    """The point caches of a modifier: one of cloth and soft bodies, one of each surface that is
    painted. A particle system has its own."""
    if modifier.type in {"CLOTH", "SOFT_BODY"}:
        yield modifier.point_cache
    elif modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings:
        for surface in modifier.canvas_settings.canvas_surfaces:
            yield surface.point_cache


def of_point_cache(cache, owner, used_by, frames):
    """The files of a baked simulation, one a frame. They are named after the cache, or else after
    its owner, as in ptcache_filename in Blender."""
    if cache.use_external:
        path = cache.filepath
    elif cache.use_disk_cache and cache.is_baked:
        path = "//" + folder_beside(blend_of(owner, cache))
    else:
        return
    library = owner.library if cache.use_library_path else None
    name = cache.name or "".join("%02X" % byte for byte in owner.name.encode())
    there = [it for it in files.listed(files.absolute(path, library)) if it.startswith(name + "_")]
    numbers = {int(it[len(name) + 1 :][:6]) for it in there if it[len(name) + 1 :][:6].isdigit()}
    wanted = {it for it in frames if cache.frame_start <= it <= cache.frame_end}
    # Between two frames of a cache that has not all of them, Blender interpolates.
    missing = sorted(wanted - numbers) if cache.frame_step == 1 or not numbers else []
    names = ["%s_%06d_%02d.bphys" % (name, it, max(cache.index, 0)) for it in missing]
    yield files.need_in_tree(
        "simulation cache", cache.name or owner.name, used_by, path, library, names + there[:1]
    )


def blend_of(owner, cache):
    """The .blend file beside which the cache of an object lies."""
    if owner.library and cache.use_library_path:
        return files.absolute(owner.library.filepath)
    return bpy.data.filepath


def folder_beside(blend):
    """The name of the folder of the caches that belong to a .blend file."""
    return "blendcache_" + os.path.splitext(os.path.basename(blend))[0]


def of_node_bakes(modifier, owner, used_by):
    """Bakes of geometry nodes on the disk."""
    for bake in getattr(modifier, "bakes", []):
        path = node_bakes.folder(bake, modifier)
        if path and is_on_disk(bake, modifier):
            name = bake.node.name if bake.node else modifier.name
            kind = "bake of geometry nodes"
            yield files.need_in_tree(kind, name, used_by, path, owner.library, ["meta"])


def is_on_disk(bake, modifier):
    # Blender 4.2 and earlier keep bakes on the disk only.
    target = getattr(bake, "bake_target", "DISK")
    return (modifier.bake_target if target == "INHERIT" else target) == "DISK"
