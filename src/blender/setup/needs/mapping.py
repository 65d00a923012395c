# Leads the paths of the scene to the files of its project, where they lead nowhere on this machine:
# absolute paths, those of Windows, those of files that were outside of the project.
import os
import re

import bpy

import render_worker_files as files
import render_worker_project as project
import render_worker_strips as strips


def map_paths(settings):
    """Changes the paths, those of libraries first: what they hold has paths, too. The result has a pair
    of the former and the new path for each."""
    if settings is None:
        return []
    mapping = Mapping(project.Project(**settings))
    mapping.map_libraries()
    for owner, name, is_folder, library in owners():
        mapping.map(owner, name, is_folder, library)
    return mapping.changes


class Mapping:
    def __init__(self, to):
        self.project = to
        self.changes = []

    def map_libraries(self):
        tried = set()
        while True:
            found = [it for it in bpy.data.libraries if it.as_pointer() not in tried]
            found = [it for it in found if not it.packed_file]
            if not found:
                return
            library = found[0]
            tried.add(library.as_pointer())
            if self.map(library, "filepath", False, None):
                try:
                    library.reload()
                except RuntimeError as error:
                    # Its data-blocks are missing, which is reported as such.
                    print("render-worker: cannot load %s: %s" % (library.filepath, error))

    def map(self, owner, name, is_folder, library):
        path = getattr(owner, name)
        if not path or path == "<builtin>":
            return False
        found = self.target(path, is_folder, library)
        if found is None:
            return False
        setattr(owner, name, found)
        below = os.path.relpath(found, self.project.folder)
        self.changes.append({"from": path, "to": below.replace(os.sep, "/")})
        return True

    def target(self, path, is_folder, library):
        """The path in the project that a path is to be replaced with; None if it stays."""
        there = files.absolute(path, library)
        inside = os.path.join(there, "").startswith(os.path.join(self.project.folder, ""))
        is_there = exists(there)
        if is_there and (inside or project.folded(path) not in self.project.origins):
            return None
        return self.project.find(path, is_folder)


def exists(path):
    """Whether there is such a file or folder, or a tile of such an image."""
    folder, name = os.path.split(path)
    for token, form in project.TOKENS.items():
        if token in name:
            before, _, after = name.partition(token)
            form = re.escape(before) + form + re.escape(after)
            return any(re.fullmatch(form, each) for each in files.listed(folder))
    return os.path.exists(path)


def owners():
    """Everything that has the path of a file or folder, with the name of the attribute, whether it is
    that of a folder, and the library that it is relative to."""
    data = bpy.data
    blocks = [*data.images, *data.fonts, *data.sounds]
    for block in blocks + [*getattr(data, "volumes", [])]:
        if not getattr(block, "packed_file", None):
            yield block, "filepath", False, block.library
    for block in [*data.movieclips, *data.cache_files]:
        yield block, "filepath", False, block.library
        for layer in getattr(block, "layers", []):
            yield layer, "filepath", False, block.library
    for camera in data.cameras:
        if getattr(camera, "custom_filepath", ""):
            yield camera, "custom_filepath", False, camera.library
    for thing in data.objects:
        yield from of_object(thing)
    for scene in data.scenes:
        rigid = scene.rigidbody_world
        if rigid and rigid.point_cache:
            yield from of_cache(rigid.point_cache, scene.library)
        for strip in strips.inside(scene.sequence_editor) if scene.sequence_editor else ():
            if strip.type == "MOVIE":
                yield strip, "filepath", False, scene.library
            elif strip.type == "IMAGE":
                yield strip, "directory", True, scene.library
    for tree in shader_trees():
        for node in tree.nodes:
            if node.type in {"TEX_IES", "SCRIPT"} and node.mode == "EXTERNAL":
                yield node, "filepath", False, tree.library
            elif node.bl_idname.startswith("GeometryNodeImport") and "Path" in node.inputs:
                yield node.inputs["Path"], "default_value", False, tree.library


def shader_trees():
    data = bpy.data
    for block in [*data.materials, *data.worlds, *data.lights, *data.linestyles]:
        if block.node_tree:
            yield block.node_tree
    yield from data.node_groups


def of_object(thing):
    """The paths of modifiers and simulations. A fluid that is simulated while it is rendered needs no
    folder."""
    for modifier in thing.modifiers:
        if modifier.type in {"MESH_CACHE", "MULTIRES", "OCEAN"}:
            yield modifier, "filepath", modifier.type == "OCEAN", thing.library
        elif modifier.type == "FLUID" and modifier.fluid_type == "DOMAIN":
            if modifier.domain_settings.cache_type != "REPLAY":
                yield modifier.domain_settings, "cache_directory", True, thing.library
        elif modifier.type == "NODES":
            yield from of_node_bakes(modifier, thing)
        elif modifier.type in {"CLOTH", "SOFT_BODY"}:
            yield from of_cache(modifier.point_cache, thing.library)
        elif modifier.type == "DYNAMIC_PAINT" and modifier.canvas_settings:
            for surface in modifier.canvas_settings.canvas_surfaces:
                yield from of_cache(surface.point_cache, thing.library)
    for system in thing.particle_systems:
        yield from of_cache(system.point_cache, thing.library)


def of_node_bakes(modifier, thing):
    if getattr(modifier, "bake_directory", ""):
        yield modifier, "bake_directory", True, thing.library
    for bake in getattr(modifier, "bakes", []):
        if bake.use_custom_path:
            yield bake, "directory", True, thing.library


def of_cache(cache, library):
    if cache.use_external:
        yield cache, "filepath", True, library if cache.use_library_path else None
