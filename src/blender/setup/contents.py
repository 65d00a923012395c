# What is in the file, for a person who asks before it is rendered (inspect --deep).
import bpy

import render_worker_nodes as nodes
import render_worker_picture as picture
import render_worker_strips as strips


def description(active):
    return [of_scene(scene, scene == active) for scene in bpy.data.scenes]


def of_scene(scene, is_active):
    render, image = scene.render, scene.render.image_settings
    width, height = picture.size(render)
    return {
        "name": scene.name,
        "is_active": is_active,
        # For an engine that this Blender does not have, it names another one, and the log both.
        "engine": render.engine,
        "samples": samples(scene),
        "width": width,
        "height": height,
        "fps": render.fps,
        "fps_base": render.fps_base,
        "frame_start": scene.frame_start,
        "frame_end": scene.frame_end,
        "frame_step": scene.frame_step,
        # Empty for a format that this Blender does not have.
        "format": image.file_format,
        "color_mode": image.color_mode,
        "color_depth": image.color_depth,
        "output_path": render.filepath,
        "camera": scene.camera.name if scene.camera else None,
        "cameras": sorted(each.name for each in scene.objects if each.type == "CAMERA"),
        "view_layers": [
            {"name": layer.name, "is_rendered": layer.use} for layer in scene.view_layers
        ],
        "uses_compositor": any(True for _ in nodes.compositor_nodes(scene, None)),
        "uses_sequencer": bool(render.use_sequencer and has_strips(scene)),
    }


def samples(scene):
    engine = scene.render.engine
    if engine == "CYCLES":
        return scene.cycles.samples
    if engine.startswith("BLENDER_EEVEE"):
        return scene.eevee.taa_render_samples
    return None


def has_strips(scene):
    return scene.sequence_editor and len(strips.of_owner(scene.sequence_editor))
