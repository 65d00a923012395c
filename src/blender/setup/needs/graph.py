# The nodes of a node tree that its outputs depend on.

# What an input has no influence on the result, as long as another input of the node is 0 and not
# linked: by the type of the node, the two names.
NOTHING_IF_ZERO = {
    "BSDF_PRINCIPLED": {"Emission Color": "Emission Strength", "Emission": "Emission Strength"},
    "NORMAL_MAP": {"Color": "Strength"},
    "BUMP": {"Height": "Strength"},
    "EMISSION": {"Color": "Strength"},
    "BACKGROUND": {"Color": "Strength"},
    "DISPLACEMENT": {"Height": "Scale"},
}


def used(tree, outputs):
    """The nodes that these output nodes of a tree depend on, through groups, as pairs of a node and
    None. And pairs of such a node and each of its inputs that is not linked. Some come more than
    once."""
    walk = Walk()
    walk.back_from(socket for node in outputs for socket in node.inputs)
    if tree.type == "COMPOSITING":
        for node in groups(tree):
            walk.back_from(walk.saved(node))
    return walk.found


class Walk:
    """A walk from inputs to what is linked to them. However often a group is used, the walk enters
    it once for each of its outputs."""

    def __init__(self):
        self.found = []
        # The identifiers of the inputs that an output of a group depends on, by its tree and its
        # identifier.
        self.groups = {}

    def back_from(self, sockets):
        """The identifiers of the inputs of the group that these inputs of nodes in it depend on."""
        todo, seen, reached = list(sockets), set(), set()
        while todo:
            socket = todo.pop()
            links = [link for link in socket.links if link.is_valid and not is_muted(link)]
            for source in (link.from_socket for link in links):
                if source.as_pointer() in seen:
                    continue
                seen.add(source.as_pointer())
                node = source.node
                if node.type == "GROUP_INPUT":
                    reached.add(source.identifier)
                elif node.mute:
                    inner = [link for link in node.internal_links if link.to_socket == source]
                    todo += [link.from_socket for link in inner]
                else:
                    self.found.append((node, None))
                    inputs = list(self.inputs_of(node, source))
                    self.found += [(node, it) for it in inputs if not it.is_linked]
                    todo += inputs
                    # A zone consists of two nodes, and links enter it at the first one.
                    begin = paired_input(node)
                    todo += begin.inputs if begin else []
        return reached

    def inputs_of(self, node, source):
        """The inputs that an output of a node depends on."""
        if node.type != "GROUP":
            return used_inputs(node)
        if node.node_tree is None:
            return []
        key = node.node_tree.as_pointer(), source.identifier
        if key not in self.groups:
            # A damaged file can have a group in itself.
            self.groups[key] = set()
            self.groups[key] = self.back_from(group_inputs(node, source))
        return [it for it in node.inputs if it.identifier in self.groups[key]]

    def saved(self, group, parents=()):
        """The inputs of a group of the compositor that the File Output nodes in it depend on."""
        tree = group.node_tree
        # A damaged file can have a group in itself.
        if tree in parents:
            return []
        files = [node for node in tree.nodes if node.type == "OUTPUT_FILE" and not node.mute]
        sockets = [socket for node in files for socket in node.inputs]
        for node in groups(tree):
            sockets += self.saved(node, (*parents, tree))
        reached = self.back_from(sockets)
        return [it for it in group.inputs if it.identifier in reached]


def groups(tree):
    return [it for it in tree.nodes if it.type == "GROUP" and it.node_tree and not it.mute]


def source(socket):
    """The output that is linked to an input, behind reroutes; None if there is none."""
    while True:
        links = [link for link in socket.links if link.is_valid and not is_muted(link)]
        if not links:
            return None
        output = links[0].from_socket
        if output.node.type != "REROUTE":
            return output
        socket = output.node.inputs[0]


def is_muted(link):
    return getattr(link, "is_muted", False)


def group_inputs(group, source):
    """What an output of a group node shows: the inputs of the output node inside."""
    for node in group.node_tree.nodes:
        if node.type == "GROUP_OUTPUT" and node.is_active_output:
            yield from (it for it in node.inputs if it.identifier == source.identifier)


def paired_input(node):
    """The node at which a zone of geometry nodes begins, given the one at which it ends."""
    if not node.type.endswith("_OUTPUT") or not hasattr(node, "bl_idname"):
        return None
    for other in node.id_data.nodes:
        if getattr(other, "paired_output_node", None) == node:
            return other
    return None


def used_inputs(node):
    """The inputs of a node that can have an influence on its result."""
    unused = without_influence(node)
    for socket in node.inputs:
        if getattr(socket, "enabled", True) and socket.as_pointer() not in unused:
            yield socket


def without_influence(node):
    """The inputs that a constant of the node switches off, as pointers."""
    unused = set()
    for name, switch in NOTHING_IF_ZERO.get(node.type, {}).items():
        if name in node.inputs and constant(node.inputs.get(switch)) == 0:
            unused.add(node.inputs[name].as_pointer())
    unused |= {socket.as_pointer() for socket in mixed_away(node)}
    return unused


def mixed_away(node):
    """The input of a node that mixes two of which the factor leaves nothing."""
    inputs = [socket for socket in node.inputs if getattr(socket, "enabled", True)]
    is_mix = node.type in {"MIX_SHADER", "MIX_RGB", "MIX"}
    if not is_mix or len(inputs) != 3:
        return
    factor = constant(inputs[0])
    if factor == 0:
        yield inputs[2]
    elif factor == 1 and getattr(node, "blend_type", "MIX") == "MIX":
        yield inputs[1]


def constant(socket):
    """The value of an input that nothing changes; None if there is none."""
    if socket is None or socket.is_linked or is_animated(socket):
        return None
    value = getattr(socket, "default_value", None)
    return value if isinstance(value, (int, float)) else None


def is_animated(socket):
    animation = socket.id_data.animation_data
    # The path of a socket begins with that of its node, and its tree may be animated from anywhere.
    return bool(animation and (animation.action or animation.drivers or animation.nla_tracks))
