# The settings that the job replaces in the scene.
import render_worker_engine as engine
import render_worker_picture as picture
import render_worker_properties as properties
import render_worker_quality as quality
import render_worker_selection as selection


def apply(scene, overrides, findings):
    """Replaces the settings that the job gives. Any property that --set names comes last, so that
    it can refine what the other flags have set."""
    engine.set_engine(scene.render, overrides["engine"], findings)
    selection.set_view_layers(scene, overrides.get("view_layers"), findings)
    selection.set_camera(scene, overrides.get("camera"), findings)
    picture.set_resolution(scene.render, overrides)
    picture.set_border(scene.render, overrides.get("border"))
    picture.set_format(scene.render.image_settings, overrides, findings)
    quality.apply(scene, overrides, findings)
    for setting in overrides.get("set", []):
        properties.set_property(scene, setting, findings)
