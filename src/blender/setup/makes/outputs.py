# The files that the scene makes besides its frames: those of File Output nodes, and the further
# views of a scene that saves each view on its own.
import re
import unicodedata

import bpy

import render_worker_animation as animation
import render_worker_nodes as nodes
import render_worker_output as output
import render_worker_strips as strips

# The extensions of output.STILLS.
EXTENSIONS = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "OPEN_EXR": ".exr",
    "OPEN_EXR_MULTILAYER": ".exr",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "TARGA": ".tga",
    "TARGA_RAW": ".tga",
    "HDR": ".hdr",
}

# What every engine renders. Whether it renders another pass depends on engine and version.
CERTAIN_PASSES = {"Image", "Alpha", "Depth"}

# The longest name of a folder, or part of the name of a file, in bytes.
LONGEST_NAME = 100

# The most folders below that of a node.
DEEPEST = 8


def redirect(scene, folder):
    """Makes all File Output nodes that Blender may run write to folders of their own below
    `folder`. The result is what the scene makes besides its frames, as SceneOutputs in the worker's
    blender/description/outputs.rs, and warnings."""
    names, files, warnings = Names(), [], leave_out_renumbered(scene)
    views = active_views(scene.render)
    give_suffixes(views)
    frame_suffix = ""
    if views and scene.render.image_settings.views_format == "INDIVIDUAL":
        # The first view is what the worker takes for the frame.
        frame_suffix = views[0].file_suffix
        files += [view_file(view, names, scene) for view in views[1:]]
    for node, certain in file_nodes(scene):
        replaced = output.replace_format(node.format)
        name = node.label or node.name
        own = names.add(safe(name) or "File Output")
        if is_multilayer(node):
            made = [multilayer(node, folder, own, views, any(map(certain, node.inputs)))]
        else:
            made, problems = single_layer(node, folder, own, views, certain)
            replaced = replaced or problems
        if replaced:
            warnings.append(
                "the format of the File Output node %s is %s, which cannot be verified: saving %s "
                "instead" % (name, *replaced)
            )
        files += [{"node": name, "folder": own, **file} for group in made for file in group]
    return {"frame_suffix": frame_suffix, "files": files}, warnings


# Views


def active_views(render):
    """The views that Blender renders, in order (BKE_scene_multiview_is_render_view_active)."""
    if not render.use_multiview:
        return []
    views = [view for view in render.views if view.use]
    if render.views_format == "STEREO_3D":
        views = [view for view in views if view.name in {"left", "right"}]
    return views


def give_suffixes(views):
    """Replaces the suffixes that could not be told apart, or told from a number, in file names."""
    if len(views) == 1:
        # Blender 4.5 adds the suffix of an only view, and Blender 4.2 does not.
        views[0].file_suffix = ""
    taken = set()
    for view in views:
        suffix = view.file_suffix
        if suffix != safe(suffix) or suffix[:1].isdigit() or suffix.casefold() in taken:
            suffix = "_" + (safe(view.name) or "view")
            while suffix.casefold() in taken:
                suffix += "_"
            view.file_suffix = suffix
        taken.add(suffix.casefold())


def view_file(view, names, scene):
    return {
        "view": view.name,
        "folder": names.add(safe(view.name) or "view"),
        "before": "",
        "digits": 4,
        "after": scene.render.file_extension,
        "suffix": view.file_suffix,
        "certain": True,
    }


def with_views(file, settings, views, certain):
    """A file for each view that has one of its own."""
    extension = EXTENSIONS[settings.file_format]
    if not views:
        suffixes = [""]
    elif settings.views_format == "INDIVIDUAL":
        suffixes = [view.file_suffix for view in views]
    else:
        # Formats that cannot hold several views get a file for each all the same.
        suffixes, certain = sorted({"", *(view.file_suffix for view in views)}), False
    return [
        {**file, "after": file["after"] + suffix + extension, "certain": certain}
        for suffix in suffixes
    ]


# Nodes


def rendered_scenes(scene, seen):
    """The scenes whose compositor may run, and whether it certainly does."""
    if scene in seen:
        return
    seen.add(scene)
    yield scene, all(strip.type == "SOUND" for strip in of_sequencer(scene))
    for strip in scene_strips(scene):
        for other, _ in rendered_scenes(strip.scene, seen):
            yield other, False


def of_sequencer(scene):
    """The strips that the scene may render."""
    is_used = scene.sequence_editor and scene.render.use_sequencer
    return list(strips.inside(scene.sequence_editor)) if is_used else []


def scene_strips(scene):
    return [it for it in of_sequencer(scene) if it.type == "SCENE" and it.scene]


def leave_out_renumbered(scene):
    """Mutes the File Output nodes of scenes that a strip shows at other frames than their own.
    Blender gives their files the numbers of the scene's frames, so it is not known which belong to
    a frame of the edit. The result is warnings."""
    warnings = []
    for each, _ in list(rendered_scenes(scene, set())):
        for strip in scene_strips(each):
            start, shown = int(strip.frame_start), strip.scene
            if not animation.can_run(strip) or strips.frames_of(strip, shown, {start}) == {start}:
                continue
            for _, node in list(nodes.compositor_nodes(shown, "OUTPUT_FILE")):
                node.mute = True
                warnings.append(
                    "the files of the File Output node %s are not made: strip %s shows scene %s "
                    "at other frames than its own, by which Blender numbers them; render that "
                    "scene by itself (--scene)" % (node.label or node.name, strip.name, shown.name)
                )
    return warnings


def file_nodes(scene):
    """The File Output nodes, each with a function that tells whether one of its inputs certainly
    gets a picture. Blender saves nothing for an input that gets none, and only the compositor itself
    knows that about most of them."""
    seen = set()
    for each, runs in rendered_scenes(scene, set()):
        tree = nodes.compositor_tree(each)
        if tree is not None:
            yield from of_tree(tree, [], each if runs else None, seen)


def of_tree(tree, groups, scene, seen):
    # Blender runs a node group that is used twice twice, and its files replace each other.
    if tree in seen:
        return
    seen.add(tree)
    # Animation can mute nodes.
    if tree.animation_data:
        scene = None
    for node in tree.nodes:
        if node.mute:
            continue
        if node.type == "OUTPUT_FILE":
            yield node, lambda socket: gets_picture(socket, groups, scene)
        elif node.type == "GROUP" and node.node_tree:
            yield from of_tree(node.node_tree, [*groups, node], scene, seen)


def gets_picture(socket, groups, scene):
    """Whether a socket certainly gets a picture, directly from a view layer of `scene`."""
    groups = list(groups)
    while True:
        found = links(socket)
        if scene is None or len(found) != 1:
            return False
        node, source = found[0].from_node, found[0].from_socket
        if node.type == "REROUTE":
            socket = node.inputs[0]
        elif node.type == "GROUP_INPUT" and groups:
            outer = groups.pop().inputs
            matching = [each for each in outer if each.identifier == source.identifier]
            if not matching:
                return False
            socket = matching[0]
        else:
            layer = scene.view_layers.get(node.layer) if node.type == "R_LAYERS" else None
            return (
                layer is not None
                and layer.use
                and node.scene == scene
                and not node.mute
                and source.enabled
                and source.name in CERTAIN_PASSES
            )


def links(socket):
    return [link for link in socket.links if link.is_valid and not link.is_muted]


def is_multilayer(node):
    return node.format.file_format == "OPEN_EXR_MULTILAYER"


def multilayer(node, folder, own, views, certain):
    """Redirects a node that saves one file with a layer for each input."""
    path = node.file_name if hasattr(node, "file_name") else node.base_path
    # In Blender 4 and earlier, the last part of the path is the beginning of the file's name.
    file = split(re.split(r"[/\\]", path)[-1], node)
    if hasattr(node, "file_name"):
        node.directory, node.file_name = "%s/%s" % (folder, own), joined(file)
        node.use_file_extension = True
    else:
        node.base_path = "%s/%s/%s" % (folder, own, joined(file))
    return with_views({**file, "slot": ""}, node.format, views, certain)


def single_layer(node, folder, own, views, certain):
    """Redirects a node that saves a file for each input. The result is the files, and the formats
    as in replace_format, if one was replaced."""
    made, replaced, taken, renamed = [], None, [], []
    for slot, socket in zip(slots(node), node.inputs):
        settings = node.format
        if has_own_format(slot):
            settings = slot.format
            replaced = output.replace_format(settings) or replaced
        title = slot.name if hasattr(slot, "name") else slot.path
        path = node.file_name + slot.name if hasattr(node, "file_name") else slot.path
        file = split(path, node)
        while any(clash(file, other) for other in taken):
            file["before"] += "_"
        taken.append(file)
        renamed.append((slot, joined(file)))
        if links(socket):
            made.append(with_views({**file, "slot": title}, settings, views, certain(socket)))
    if hasattr(node, "file_name"):
        node.directory, node.file_name = "%s/%s" % (folder, own), ""
        node.use_file_extension = True
        # Blender changes a name that another item has.
        for number, (slot, _) in enumerate(renamed):
            slot.name = "render-worker %d" % number
        for slot, path in renamed:
            slot.name = path
    else:
        node.base_path = "%s/%s/" % (folder, own)
        for slot, path in renamed:
            slot.path = path
    return made, replaced


def slots(node):
    return node.file_output_items if hasattr(node, "file_output_items") else node.file_slots


def has_own_format(slot):
    if hasattr(slot, "override_node_format"):
        return slot.override_node_format
    return not slot.use_node_format


# Names


class Names:
    """Names of folders, none of which differ in case alone."""

    def __init__(self):
        self.taken = set()

    def add(self, name):
        unique, number = name, 1
        while unique.casefold() in self.taken:
            number += 1
            unique = "%s-%d" % (name, number)
        self.taken.add(unique.casefold())
        return unique


def safe(text):
    """A text that can be the name of a folder anywhere, or a part of a file name."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(c if c.isalnum() or c in " -_.()" else "_" for c in text)
    text = text.encode()[:LONGEST_NAME].decode(errors="ignore").strip(" ")
    # A file whose name begins with a dot is hidden. Some file systems drop a dot at the end.
    text = re.sub(r"^\.+", lambda dots: "_" * len(dots.group()), text)
    return re.sub(r"\.+$", lambda dots: "_" * len(dots.group()), text)


def split(path, node):
    """What comes before and after the number in the names of files, as Blender puts it there
    (BLI_path_frame), and how many digits it has at least."""
    if hasattr(node, "file_name"):
        path = filled_in(path, node)
    *folders, name = re.split(r"[/\\]", path)
    hashes = list(re.finditer("#+", name))
    if hashes:
        start, end = hashes[-1].span()
        before, digits, after = name[:start], end - start, without_extension(name[end:])
    else:
        before, digits, after = name, 4, ""
    folders = [safe(each) for each in folders if each not in {"", ".", ".."}]
    # A folder must not have the name of a file.
    folders = [each + "_" if is_image(each) else each for each in folders if each]
    before = "/".join([*folders[:DEEPEST], before_number(before)])
    return {"before": before, "digits": min(digits, 10), "after": after_number(after)}


def before_number(text):
    # Only the beginning can be a hidden name. Spaces at the end are inside of the name.
    return safe(text + "x")[:-1] if text else ""


def after_number(text):
    return safe("x" + text)[1:] if text else ""


def joined(file):
    return file["before"] + "#" * file["digits"] + file["after"]


def is_image(name):
    return without_extension(name) != name


def without_extension(name):
    """Without the extension of an image, which Blender would replace."""
    stem, dot, extension = name.rpartition(".")
    return stem if dot and dot + extension.lower() in bpy.path.extensions_image else name


def clash(file, other):
    """Whether two files can have the same name, such as `a` with frame 10001 and `a1` with frame
    1."""
    one, two = sorted((file["before"].casefold(), other["before"].casefold()), key=len)
    same_after = file["after"].casefold() == other["after"].casefold()
    return same_after and two.startswith(one) and re.fullmatch(r"\d*", two[len(one) :]) is not None


def filled_in(path, node):
    """A path with the values of Blender's own variables in it (Blender 5)."""
    scene = bpy.context.scene
    values = {
        "blend_name": bpy.path.display_name_from_filepath(bpy.data.filepath),
        "scene_name": scene.name,
        "camera_name": scene.camera.name if scene.camera else "",
        "node_name": node.name,
        "fps": "%g" % (scene.render.fps / scene.render.fps_base),
        "resolution_x": scene.render.resolution_x,
        "resolution_y": scene.render.resolution_y,
    }
    return re.sub(r"\{(\w+)\}", lambda name: str(values.get(name[1], name[0])), path)
