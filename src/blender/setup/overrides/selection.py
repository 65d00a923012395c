# What is rendered: the scene, its view layers and its camera.
import bpy

import render_worker_animation as animation
import render_worker_answer as answer
import render_worker_nodes as nodes


def scene(name, findings):
    """The scene that is rendered; None if the file has no scene of this name."""
    if name is None:
        return bpy.context.scene
    # A file may have no window, and then no context in which another scene is active.
    found = bpy.data.scenes.get(name)
    if found is None:
        names = [each.name for each in bpy.data.scenes]
        findings.mistake(answer.unknown("--scene (SCENE)", "the file", "scene", name, names))
    return found


def set_view_layers(scene, names, findings):
    if names is None:
        return
    existing = [layer.name for layer in scene.view_layers]
    for name in names:
        if name not in existing:
            owner = "scene %s" % scene.name
            findings.mistake(
                answer.unknown(
                    "--view-layer (VIEW_LAYER)", owner, "view layer", name, existing
                )
            )
    scene.render.use_single_layer = False
    for layer in scene.view_layers:
        animation.replace(layer, "use", layer.name in names)
    for _, node in nodes.compositor_nodes(scene, "R_LAYERS"):
        if node.scene in (None, scene) and node.layer in existing and node.layer not in names:
            findings.warnings.append(
                "the compositor uses view layer %s, which is not rendered (--view-layer, "
                "VIEW_LAYER): node %s is empty" % (node.layer, node.name)
            )


def set_camera(scene, name, findings):
    if name is None:
        return
    cameras = {each.name: each for each in scene.objects if each.type == "CAMERA"}
    if name not in cameras:
        owner = "scene %s" % scene.name
        findings.mistake(
            answer.unknown("--camera (CAMERA)", owner, "camera", name, list(cameras))
        )
        return
    scene.camera = cameras[name]
    # A marker that is bound to a camera would switch to it.
    for marker in scene.timeline_markers:
        marker.camera = None
