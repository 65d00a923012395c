# The nodes of a scene that affect its pictures.
import bpy
import render_worker_animation as animation


def compositor_nodes(scene, kind):
    """Pairs of a place and a node: the compositor's nodes of this kind that are not muted;
    of any kind for None."""
    tree = compositor_tree(scene)
    if tree is not None:
        yield from of_tree(tree, kind, "the compositor", set())


def compositor_tree(scene):
    """The nodes of the scene's compositor; None if it is off."""
    if not scene.render.use_compositing:
        return None
    # Blender 5 keeps the compositor in a node group.
    tree = getattr(scene, "compositing_node_group", None)
    if tree is None and animation.can_be(scene, "use_nodes", True):
        tree = getattr(scene, "node_tree", None)
    return tree


def shader_nodes(kind):
    """The same for the materials, worlds and lights that are in use."""
    for kinds, name in (
        (bpy.data.materials, "material"),
        (bpy.data.worlds, "world"),
        (bpy.data.lights, "light"),
    ):
        for block in kinds:
            if block.users and block.use_nodes and block.node_tree:
                place = "%s %s" % (name, block.name)
                yield from of_tree(block.node_tree, kind, place, set())


def of_tree(tree, kind, place, seen):
    if tree in seen:
        return
    seen.add(tree)
    for node in tree.nodes:
        if node.mute:
            continue
        if kind in (None, node.type):
            yield place, node
        elif node.type == "GROUP" and node.node_tree:
            yield from of_tree(node.node_tree, kind, place, seen)
