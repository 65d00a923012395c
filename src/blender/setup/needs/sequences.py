# Images that consist of several files: numbered sequences, and tiles (UDIM).
import os
import re

import bpy
import render_worker_nodes as nodes

# Reading the directory entry of each file takes time, and a sequence can have any length.
MAX_FILES = 10_000


def warnings(scene):
    """A line for each image of which files are not there. Blender renders without them."""
    lines = []
    for image in bpy.data.images:
        if not image.users or not image.filepath or image.packed_file:
            continue
        if image.source == "SEQUENCE":
            paths = sequence(image, scene)
        elif image.source == "TILED":
            paths = tiles(image)
        else:
            continue
        missing = [path for path in paths if not os.path.exists(absolute(image, path))]
        if missing:
            lines.append(
                "image %s: %d of its %d files not found, surfaces that use them will be pink or "
                "black: %s" % (image.name, len(missing), len(paths), named(missing))
            )
    return lines


def absolute(image, path):
    return bpy.path.abspath(path, library=image.library)


def named(paths):
    return paths[0] if len(paths) == 1 else "%s to %s" % (paths[0], paths[-1])


def tiles(image):
    """The paths of the tiles. The tokens are those of BKE_image_get_tile_info in Blender."""
    paths = []
    for tile in image.tiles:
        u, v = (tile.number - 1001) % 10 + 1, (tile.number - 1001) // 10 + 1
        path = image.filepath.replace("<UDIM>", str(tile.number))
        paths.append(path.replace("<UVTILE>", "u%d_v%d" % (u, v)))
    return paths


def sequence(image, scene):
    """The paths that the scene's own frames need, in order. The last number in the name of the file
    is replaced by that of the frame."""
    name = os.path.basename(image.filepath)
    found = list(re.finditer(r"\d+", name))
    if not found:
        return []
    start, end = found[-1].span()
    numbers = set()
    for user in users(image, scene):
        numbers |= user_numbers(user, scene)
    digits = "%0" + str(end - start) + "d"
    names = (name[:start] + digits % number + name[end:] for number in sorted(numbers))
    folder = image.filepath[: len(image.filepath) - len(name)]
    return [folder + each for each in names]


def users(image, scene):
    """What says which files of a sequence are used: settings of a node or a texture."""
    for kind in ("TEX_IMAGE", "TEX_ENVIRONMENT"):
        for _, node in nodes.shader_nodes(kind):
            if node.image == image:
                yield node.image_user
    for _, node in nodes.compositor_nodes(scene, "IMAGE"):
        if node.image == image:
            yield node
    for texture in bpy.data.textures:
        if texture.users and texture.type == "IMAGE" and texture.image == image:
            yield texture.image_user


def user_numbers(user, scene):
    """The numbers of the files for the scene's own frames, as in BKE_image_user_frame_get in
    Blender. Before its first frame and after its last one, a sequence is not checked."""
    numbers = set()
    for frame in range(scene.frame_start, min(scene.frame_end, scene.frame_start + MAX_FILES) + 1):
        position = frame - user.frame_start + 1
        if user.use_cyclic and user.frame_duration:
            position = position % user.frame_duration or user.frame_duration
        if 1 <= position <= user.frame_duration:
            numbers.add(position + user.frame_offset)
    return numbers
