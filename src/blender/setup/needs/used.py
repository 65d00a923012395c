# What the pictures of a scene depend on: everything that is rendered, and what that refers to.
# What is switched off, hidden or not linked is left out.
import functools

import bpy

import render_worker_animation as animation
import render_worker_caches as caches
import render_worker_compositor as compositor
import render_worker_constraints as constraints
import render_worker_graph as graph
import render_worker_images as images
import render_worker_libraries as libraries
import render_worker_nodes as nodes
import render_worker_objects as objects
import render_worker_sequences as sequences
import render_worker_strips as strips


def needs(scene, frames, warnings):
    """Everything outside of the scene file that the pictures of these frames depend on, each as a
    `Need`; some of them more than once. Adds a line to `warnings` for each node that does
    nothing."""
    yield from images.of_environment()
    yield from Walk(frames, warnings).of_scene(scene)


class Walk:
    """A walk through the data of the .blend file, along what is rendered."""

    def __init__(self, frames, warnings, parents=()):
        self.frames, self.warnings = frames, warnings
        # The scenes whose sequencers lead here.
        self.parents = parents
        self.seen = set()

    def is_new(self, *things):
        key = tuple(it if isinstance(it, str) else it.as_pointer() for it in things)
        if key in self.seen:
            return False
        self.seen.add(key)
        return True

    def of_scene(self, scene):
        if strips.are_rendered(scene):
            yield from self.of_strips(scene)
        else:
            yield from self.of_picture(scene)

    def of_picture(self, scene):
        """What a scene shows without its sequencer."""
        yield from self.of_block(scene, "scene %s" % scene.name)
        tree = nodes.compositor_tree(scene)
        outputs = compositor.outputs(tree) if tree else []
        if tree:
            # Its Render Layers nodes lead to the view layers.
            yield from self.of_tree(tree, outputs, "the compositor", scene)
        pictures = [node for node in outputs if node.type in compositor.PICTURE_OUTPUTS]
        if not any(node.inputs[0].is_linked for node in pictures):
            yield from self.of_layers(scene)

    def of_layers(self, scene):
        """What the view layers of a scene show."""
        if not self.is_new("layers", scene):
            return
        place = "scene %s" % scene.name
        for each in objects.with_sets(scene):
            yield from self.of_block(each, place)
        layers = objects.layers(scene)
        overrides = [layer.material_override for layer in layers]
        for material in overrides:
            if material:
                yield from self.of_material(material, scene)
        for each in objects.with_sets(scene):
            for collection in objects.collections(each):
                yield from self.of_block(collection, place)
        if scene.camera:
            yield from self.of_camera(scene.camera, "the camera of %s" % place, scene)
        worlds = {scene.world} | {getattr(layer, "world_override", None) for layer in layers}
        for world in worlds - {None}:
            yield from self.of_shader(world, "world", scene)
        rigid = scene.rigidbody_world
        if rigid and rigid.enabled and rigid.collection:
            used_by = "the rigid bodies of %s" % place
            yield from caches.of_point_cache(rigid.point_cache, scene, used_by, self.frames)
        for thing in objects.rendered(scene):
            yield from self.of_object(thing, scene, has_materials=not all(overrides))
        if scene.render.use_freestyle:
            for layer in layers:
                yield from self.of_lines(layer, scene)

    def of_block(self, block, used_by):
        """What a data-block depends on that comes from another file: the file, and the block in it.
        And the actions that animate it, which can come from one as well."""
        if block is None or not self.is_new("block", block):
            return
        yield from libraries.of_block(block, used_by)
        yield from self.of_animation(block)

    def of_animation(self, block):
        data = getattr(block, "animation_data", None)
        for action, _ in animation.actions(data) if data else ():
            yield from self.of_block(action, "the animation of %s" % block.name)

    def of_object(self, thing, scene, has_materials=True):
        """What an object shows. Without materials, only its shape counts."""
        if thing is None or not self.is_new("object", thing, str(has_materials)):
            return
        yield from self.of_transform(thing, "scene %s" % scene.name, scene)
        used_by = "object %s" % thing.name
        if thing.instance_type == "COLLECTION" and thing.instance_collection:
            for collection in objects.with_children(thing.instance_collection):
                yield from self.of_block(collection, used_by)
        data = thing.data
        yield from self.of_block(data, used_by)
        # They are a part of the mesh, but have an animation of their own.
        yield from self.of_animation(getattr(data, "shape_keys", None))
        linking = getattr(thing, "light_linking", None)
        for name in ("receiver_collection", "blocker_collection"):
            yield from self.of_block(getattr(linking, name, None), used_by)
        if thing.type == "LIGHT":
            yield from self.of_shader(data, "light", scene)
        elif thing.type == "FONT":
            yield from of_fonts(data, used_by)
        elif thing.type == "VOLUME":
            yield from images.of_volume(data, used_by, self.frames)
        for name in ("bevel_object", "taper_object"):
            shape = getattr(data, name, None)
            yield from self.of_object(shape, scene, has_materials=False)
        for modifier in objects.modifiers(thing):
            yield from self.of_modifier(modifier, thing, scene)
        for system in thing.particle_systems:
            yield from self.of_particles(system, thing, scene)
        if has_materials:
            for material in used_materials(thing):
                yield from self.of_material(material, scene)

    def of_transform(self, thing, used_by, scene):
        """What the place of an object depends on."""
        while thing is not None:
            yield from self.of_block(thing, used_by)
            if not self.is_new("transform", thing):
                return
            used_by = "object %s" % thing.name
            for constraint in constraints.of_object(thing):
                yield from self.of_constraint(constraint, thing, used_by, scene)
            thing = thing.parent

    def of_constraint(self, constraint, thing, used_by, scene):
        for target in constraints.targets(constraint):
            if target != thing:
                yield from self.of_transform(target, used_by, scene)
                if constraints.depends_on_shape(constraint, target):
                    yield from self.of_object(target, scene, has_materials=False)
        if constraint.type == "TRANSFORM_CACHE" and constraint.cache_file:
            yield from self.of_cache_file(constraint.cache_file, used_by)
        yield from self.of_block(getattr(constraint, "action", None), used_by)

    def of_camera(self, thing, used_by, scene):
        yield from self.of_transform(thing, used_by, scene)
        used_by = "camera %s" % thing.name
        yield from self.of_block(thing.data, used_by)
        yield from images.of_camera(thing.data, used_by)

    def of_cache_file(self, block, used_by):
        yield from self.of_block(block, used_by)
        if self.is_new("cache", block):
            yield from caches.of_cache_file(block, used_by, self.frames)

    def of_modifier(self, modifier, thing, scene):
        used_by = "modifier %s of object %s" % (modifier.name, thing.name)
        yield from caches.of_modifier(modifier, thing, used_by, self.frames)
        if modifier.type == "NODES":
            yield from self.of_geometry_nodes(modifier, scene)
            return
        for block in referred(modifier):
            if isinstance(block, bpy.types.CacheFile):
                yield from self.of_cache_file(block, used_by)
            else:
                # Such an object lends its shape.
                yield from self.of_referred(block, used_by, scene, takes_materials(modifier))

    def of_geometry_nodes(self, modifier, scene):
        tree = modifier.node_group
        if tree is None:
            return
        used_by = "modifier %s of object %s" % (modifier.name, modifier.id_data.name)
        outputs = [node for node in tree.nodes if node.type == "GROUP_OUTPUT"]
        active = [node for node in outputs if node.is_active_output]
        yield from self.of_block(tree, used_by)
        yield from self.of_tree(tree, active, used_by, scene)
        for value in node_inputs(modifier):
            if isinstance(value, bpy.types.ID):
                yield from self.of_referred(value, used_by, scene)

    def of_particles(self, system, thing, scene):
        settings = system.settings
        # The modifier of a particle system switches it off.
        rendered = objects.modifiers(thing)
        shown = [
            modifier in rendered
            for modifier in thing.modifiers
            if modifier.type == "PARTICLE_SYSTEM" and modifier.particle_system == system
        ]
        if settings is None or not all(shown):
            return
        used_by = "particle system %s of object %s" % (system.name, thing.name)
        yield from self.of_block(settings, used_by)
        if settings.type == "EMITTER" or system.use_hair_dynamics:
            cloth = getattr(system, "cloth", None) if settings.type == "HAIR" else None
            cache = cloth.point_cache if cloth else system.point_cache
            yield from caches.of_point_cache(cache, thing, used_by, self.frames)
        if settings.render_type == "OBJECT":
            yield from self.of_object(settings.instance_object, scene)
        elif settings.render_type == "COLLECTION" and settings.instance_collection:
            yield from self.of_referred(settings.instance_collection, used_by, scene)
        for slot in settings.texture_slots:
            if slot and slot.texture:
                yield from self.of_texture(slot.texture, used_by, scene)

    def of_lines(self, layer, scene):
        """The lines of Freestyle."""
        if not layer.use_freestyle:
            return
        for lines in layer.freestyle_settings.linesets:
            style = lines.linestyle
            if not lines.show_render or style is None:
                continue
            used_by = "line style %s" % style.name
            yield from self.of_block(style, used_by)
            if style.use_nodes and style.node_tree:
                outputs = shader_outputs(style.node_tree, scene)
                yield from self.of_tree(style.node_tree, outputs, used_by, scene)
            for slot in style.texture_slots:
                if slot and slot.texture:
                    yield from self.of_texture(slot.texture, used_by, scene)

    def of_material(self, material, scene):
        yield from self.of_shader(material, "material", scene)
        style = material.grease_pencil
        if style and self.is_new("style", material):
            used_by = "material %s" % material.name
            for is_shown, kind, image in (
                (style.show_stroke, style.stroke_style, style.stroke_image),
                (style.show_fill, style.fill_style, style.fill_image),
            ):
                if is_shown and kind == "TEXTURE" and image:
                    yield from self.of_image(image, None, used_by)

    def of_shader(self, block, kind, scene):
        """What a material, world or light depends on."""
        used_by = "%s %s" % (kind, block.name)
        yield from self.of_block(block, used_by)
        if not block.use_nodes or block.node_tree is None:
            return
        if scene.render.engine != "BLENDER_WORKBENCH":
            outputs = shader_outputs(block.node_tree, scene)
            yield from self.of_tree(block.node_tree, outputs, used_by, scene)
        elif kind == "material" and scene.display.shading.color_type == "TEXTURE":
            # Workbench shows the texture that is selected for painting.
            active = block.node_tree.nodes.active
            if active:
                yield from self.of_node(active, used_by, scene)

    def of_tree(self, tree, outputs, used_by, scene):
        if not self.is_new("tree", tree):
            return
        for node, socket in graph.used(tree, outputs):
            value = getattr(socket, "default_value", None)
            if node.bl_idname == "GeometryNodeImageTexture" and isinstance(value, bpy.types.Image):
                yield from self.of_block(value, used_by)
                numbers = images.numbers_in_geometry(node, self.frames)
                yield from images.of_image(value, used_by, numbers)
            elif isinstance(value, bpy.types.ID):
                yield from self.of_referred(value, used_by, scene)
            if socket is None:
                yield from self.of_node(node, used_by, scene)

    def of_node(self, node, used_by, scene):
        yield from self.of_block(node.id_data, used_by)
        if node.bl_idname == "NodeUndefined" and self.is_new("undefined", node):
            self.warnings.append(
                "this Blender does not know the node %s of %s, so the pictures differ from those "
                "on a desktop that does: the add-on that it comes from is missing (--addon, "
                "--addons-dir)" % (node.name, used_by)
            )
        if node.type == "GROUP":
            yield from self.of_block(node.node_tree, used_by)
        elif node.type == "R_LAYERS":
            yield from self.of_layers(node.scene or scene)
        yield from images.of_node(node, used_by, scene)
        yield from images.of_import(node, used_by)
        for block in referred(node):
            if isinstance(block, bpy.types.Image):
                # A node of the compositor says itself which files it shows.
                itself = node if hasattr(node, "frame_start") else None
                user = getattr(node, "image_user", itself)
                yield from self.of_image(block, user, used_by, is_held=node.type != "IMAGE")
            elif isinstance(block, bpy.types.Scene):
                yield from self.of_layers(block)
            elif isinstance(block, bpy.types.Object) and isinstance(node, bpy.types.ShaderNode):
                yield from self.of_transform(block, used_by, scene)
            else:
                yield from self.of_referred(block, used_by, scene)

    def of_referred(self, block, used_by, scene, has_materials=True):
        """What a data-block depends on that a modifier, node or particle system refers to."""
        yield from self.of_block(block, used_by)
        if isinstance(block, bpy.types.Object):
            yield from self.of_object(block, scene, has_materials)
        elif isinstance(block, bpy.types.Collection):
            for thing in objects.in_collection(block):
                yield from self.of_object(thing, scene, has_materials)
        elif isinstance(block, bpy.types.Material):
            yield from self.of_material(block, scene)
        elif isinstance(block, bpy.types.Texture):
            yield from self.of_texture(block, used_by, scene)
        elif isinstance(block, bpy.types.Image):
            yield from self.of_image(block, None, used_by)
        elif isinstance(block, bpy.types.MovieClip):
            yield from images.of_clip(block, used_by, self.frames)
        elif isinstance(block, bpy.types.VectorFont):
            yield from images.of_font(block, used_by)
        elif isinstance(block, bpy.types.NodeTree):
            outputs = [node for node in block.nodes if node.type == "GROUP_OUTPUT"]
            yield from self.of_tree(block, outputs, used_by, scene)

    def of_texture(self, texture, used_by, scene):
        yield from self.of_block(texture, used_by)
        if not self.is_new("texture", texture):
            return
        used_by = "texture %s" % texture.name
        if texture.use_nodes and texture.node_tree:
            outputs = [node for node in texture.node_tree.nodes if node.type == "OUTPUT"]
            yield from self.of_tree(texture.node_tree, outputs, used_by, scene)
        elif texture.type == "IMAGE" and texture.image:
            yield from self.of_image(texture.image, texture.image_user, used_by)

    def of_image(self, image, user, used_by, is_held=True):
        """What an image shows. `user` says which files of a sequence, and `is_held` whether the
        first and the last of them are shown outside of the sequence."""
        yield from self.of_block(image, used_by)
        numbers = None
        if user and image.source == "SEQUENCE":
            numbers = sequences.of_image(user, self.frames, is_held)
        yield from images.of_image(image, used_by, numbers)

    def of_strips(self, scene):
        if not self.is_new("strips", scene):
            return
        yield from self.of_block(scene, "scene %s" % scene.name)
        # Many strips can show parts of one scene.
        others = {}
        for strip, frames in strips.playing(scene, self.frames):
            used_by = "strip %s" % strip.name
            if strip.type == "SCENE" and strip.scene:
                source = getattr(strip, "scene_input", "CAMERA")
                shown = others.setdefault((strip.scene, source), set())
                shown.update(strips.frames_of(strip, strip.scene, frames))
                if strip.scene_camera and source == "CAMERA":
                    yield from self.of_camera(strip.scene_camera, used_by, strip.scene)
            elif strip.type == "MOVIECLIP" and strip.clip:
                shown = strips.frames_of(strip, strip.clip, frames)
                yield from images.of_clip(strip.clip, used_by, shown)
            elif strip.type == "TEXT" and getattr(strip, "font", None):
                yield from images.of_font(strip.font, used_by)
            yield from strips.of_files(strip, scene, used_by, frames)
        parents = (*self.parents, scene)
        for (other, source), frames in others.items():
            walk = Walk(sorted(frames), self.warnings, parents)
            if source == "CAMERA":
                yield from walk.of_picture(other)
            elif other not in parents:
                yield from walk.of_strips(other)


def node_inputs(modifier):
    """The values that a modifier gives to its geometry nodes."""
    if not hasattr(modifier, "properties"):
        return [modifier[key] for key in modifier.keys()]
    # Blender 5.2 has a struct for each.
    inputs = modifier.properties.inputs
    return [getattr(getattr(inputs, key), "value", None) for key in inputs.keys()]


def shader_outputs(tree, scene):
    """The output nodes that the render engine takes."""
    found = tree.get_output_node("CYCLES" if scene.render.engine == "CYCLES" else "EEVEE")
    kinds = {"OUTPUT_AOV", "OUTPUT_LINESTYLE"}
    others = [node for node in tree.nodes if node.type in kinds and not node.mute]
    return others + ([found] if found else [])


def referred(struct):
    """The data-blocks that a node or modifier refers to."""
    for property in struct.bl_rna.properties:
        if property.type == "POINTER" and property.identifier != "node_tree":
            value = getattr(struct, property.identifier, None)
            if isinstance(value, bpy.types.ID):
                yield value


def of_fonts(text, used_by):
    """The fonts of a text object: bold and italic ones only if a character has them."""
    styles = {(letter.use_bold, letter.use_italic) for letter in text.body_format}
    for style, font in (
        ((False, False), text.font),
        ((True, False), text.font_bold),
        ((False, True), text.font_italic),
        ((True, True), text.font_bold_italic),
    ):
        if font and (style in styles or (style == (False, False) and not styles)):
            yield from libraries.of_block(font, used_by)
            yield from images.of_font(font, used_by)


def takes_materials(modifier):
    """Whether a modifier takes the materials of objects besides their shapes."""
    is_exact = modifier.type == "BOOLEAN" and modifier.solver not in {"FAST", "FLOAT"}
    return is_exact and getattr(modifier, "material_mode", "INDEX") == "TRANSFER"


# Modifiers that can give faces to other slots than those of the mesh.
REASSIGNING = {
    "NODES",
    "BOOLEAN",
    "BEVEL",
    "SOLIDIFY",
    "MESH_SEQUENCE_CACHE",
    "SKIN",
    "ARRAY",
    "WIREFRAME",
    "PARTICLE_INSTANCE",
}

# Modifiers that make new faces, which belong to the first slot.
REMAKING = {"REMESH", "OCEAN"}


def used_materials(thing):
    """The materials of an object that its faces, strokes or hairs can have."""
    slots = [slot.material for slot in thing.material_slots]
    hairs = {
        system.settings.material - 1
        for system in thing.particle_systems
        if system.settings and system.settings.type == "HAIR"
    }
    is_instancer = len(thing.particle_systems) > 0 or thing.instance_type != "NONE"
    is_shown = thing.show_instancer_for_render or not is_instancer
    used = hairs | (used_slots(thing) if is_shown else set())
    # An index past the last slot means the last one.
    return {slots[min(index, len(slots) - 1)] for index in used if slots} - {None}


def used_slots(thing):
    every = set(range(len(thing.material_slots)))
    if thing.type != "MESH" or any(it.type in REASSIGNING for it in thing.modifiers):
        return every
    if not thing.data.polygons and thing.modifiers:
        return every
    is_remade = any(it.type in REMAKING for it in thing.modifiers)
    return slots_of_faces(thing.data) | ({0} if is_remade else set())


# Many objects can share one large mesh.
@functools.lru_cache(maxsize=None)
def slots_of_faces(mesh):
    indices = [0] * len(mesh.polygons)
    mesh.polygons.foreach_get("material_index", indices)
    return set(indices)
