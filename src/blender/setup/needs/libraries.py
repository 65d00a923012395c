# Linked libraries, and the data-blocks that come from them.
import os

import bpy

import render_worker_files as files

# The names in each library that was looked into, by kind.
contents = {}


def of_block(block, used_by):
    """The library of a data-block, and the block itself if the library does not have it."""
    library = block.library
    # The node tree of a material is a part of the material. Blender 5 can pack linked data-blocks.
    if block.is_embedded_data or getattr(block, "is_linked_packed", False):
        return
    if library is None or library.packed_file:
        return
    name = os.path.basename(library.filepath.replace("\\", "/"))
    kind = block.bl_rna.name.lower()
    user = "%s %s" % (kind, block.name)
    found = files.need("linked library", name, user, library.filepath, library.library)
    yield found
    if not files.problem(found.files[0]) and is_missing(block, found.files[0]):
        yield found._replace(
            kind="linked " + kind, name=block.name, used_by=used_by, problem=files.NOT_IN_LIBRARY
        )


def is_missing(block, path):
    """Whether a data-block is a placeholder for one that its library does not have."""
    if "is_missing" in bpy.types.ID.bl_rna.properties:
        return block.is_missing
    if path not in contents:
        try:
            with bpy.data.libraries.load(path, link=True) as (there, _):
                contents[path] = {kind: set(getattr(there, kind)) for kind in dir(there)}
        except OSError:
            # It is no .blend file.
            contents[path] = {}
    kind = collection_of(block)
    return kind is not None and block.name not in contents[path].get(kind, ())


def collection_of(block):
    """The name of the collection in bpy.data that holds a data-block: `objects`."""
    for collection in bpy.types.BlendData.bl_rna.properties:
        if collection.type == "COLLECTION" and isinstance(block, type_of(collection)):
            return collection.identifier
    return None


def type_of(collection):
    return getattr(bpy.types, collection.fixed_type.identifier)
