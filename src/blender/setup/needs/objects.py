# The objects of a scene that are rendered.
import render_worker_animation as animation


def rendered(scene):
    """The objects that the scene renders, including those of instanced collections."""
    seen = set()
    todo = [thing for each in with_sets(scene) for thing in visible(each)]
    while todo:
        thing = todo.pop()
        if thing in seen or is_hidden(thing):
            continue
        seen.add(thing)
        yield thing
        if thing.instance_type == "COLLECTION" and thing.instance_collection:
            todo += in_collection(thing.instance_collection)


def with_sets(scene):
    """The scene, and those behind it: the set of a scene can have a set itself."""
    found = []
    # A damaged file can have sets that go round in circles.
    while scene and scene not in found:
        found.append(scene)
        scene = scene.background_set
    return found


def is_hidden(thing):
    """Whether an object is never rendered. What an animation hides and shows counts as shown."""
    return not animation.can_be(thing, "hide_render", False)


def modifiers(thing):
    """The modifiers of an object that are rendered."""
    return [it for it in thing.modifiers if animation.can_be(it, "show_render", True)]


def layers(scene):
    """The view layers that are rendered."""
    return [layer for layer in scene.view_layers if layer.use]


def visible(scene):
    """The objects in collections that some view layer renders."""
    for collection in collections(scene):
        yield from collection.objects


def collections(scene):
    """The collections that some view layer renders."""
    for layer in layers(scene):
        yield from included(layer.layer_collection)


def included(layer_collection):
    if layer_collection.collection.hide_render:
        return
    if not layer_collection.exclude:
        yield layer_collection.collection
    # A collection in an excluded one can be included.
    for child in layer_collection.children:
        yield from included(child)


def in_collection(collection):
    """The objects of a collection and of those in it that are rendered."""
    for each in with_children(collection):
        yield from each.objects


def with_children(collection):
    yield collection
    for child in collection.children:
        if not child.hide_render:
            yield from with_children(child)
