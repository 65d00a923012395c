# What the compositor of a scene shows.
import render_worker_graph as graph
import render_worker_nodes as nodes

# The nodes that take the picture from the compositor. Blender 5 has no other than that of a group.
PICTURE_OUTPUTS = {"COMPOSITE", "GROUP_OUTPUT"}


def outputs(tree):
    """The nodes for which the compositor runs."""
    kinds = PICTURE_OUTPUTS | {"OUTPUT_FILE"}
    return [node for node in tree.nodes if node.type in kinds and not node.mute]


def scenes(scene):
    """The scenes that Render Layers nodes show; none if the compositor is off."""
    tree = nodes.compositor_tree(scene)
    used = graph.used(tree, outputs(tree)) if tree else []
    return {node.scene or scene for node, _ in used if node.type == "R_LAYERS"}
