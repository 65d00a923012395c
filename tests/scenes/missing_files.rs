//! Files that a scene needs: those that are missing, damaged or out of reach end the job before the
//! first frame, or are warnings; what no picture shows does not count.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::blender::{blender_has, blender_runs, save_startup_scene};
use crate::support::frames::{frame, noise};
use crate::support::place::{Place, frame_names};
use crate::support::s3_server::S3Server;
use crate::support::{Run, fixture, pixel_hashes, report, scene, worker};

/// Python that every scene here begins with: an image, a cube with a material of its own, and how
/// the cube shows an image.
const TOOLS: &str = "
scene.cycles.samples = 1
scene.cycles.use_denoising = False
scene.frame_start, scene.frame_end = 1, 9
bpy.data.objects.remove(bpy.data.objects['Cube'])

def image(path, name='Wood', source='FILE'):
    made = bpy.data.images.new(name, 4, 4)
    made.source, made.filepath = source, path
    return made

def add_cube(name):
    global cube, tree, shader
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    cube.name = name
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    cube.data.materials.append(material)
    tree, shader = material.node_tree, material.node_tree.nodes['Principled BSDF']

def add_node(kind, socket='Base Color'):
    node = tree.nodes.new(kind)
    if socket and node.outputs: tree.links.new(node.outputs[0], shader.inputs[socket])
    return node

def shown(picture):
    node = add_node('ShaderNodeTexImage')
    node.image = picture
    return node

def add_geometry_nodes():
    tree = bpy.data.node_groups.new('Nodes', 'GeometryNodeTree')
    for way in ('INPUT', 'OUTPUT'):
        tree.interface.new_socket('Geometry', in_out=way, socket_type='NodeSocketGeometry')
    cube.modifiers.new('Nodes', 'NODES').node_group = tree
    return tree, tree.nodes.new('NodeGroupInput'), tree.nodes.new('NodeGroupOutput')

add_cube('Cube')
";

/// A folder with a scene that this Python makes.
fn place(python: &str) -> Place {
    let place = Place::with_scene("");
    save_startup_scene(&place.path("scene.blend"), &[TOOLS, python].concat());
    place
}

/// The messages that name a file, one for each.
fn named(run: &Run) -> Vec<String> {
    let is_one = |text: &String| text.contains(", used by ") && !text.contains("exit code");
    run.messages().into_iter().filter(is_one).collect()
}

/// Asserts that a job ends before its first frame, and that one line has all of these texts.
#[track_caller]
fn assert_refused(place: &Place, arguments: &str, texts: &[&str]) {
    let run = place.render(arguments).run().exits(65);
    let lines = named(&run);
    let [line] = &lines[..] else { panic!("one line of {lines:#?}\n{}", run.text()) };
    for text in texts {
        assert!(line.contains(text), "{text:?} is not in {line:?}");
    }
    assert!(place.frames().is_empty());
}

/// A part of a scene with a missing file: what in Blender it needs, Python that makes it, and what the
/// line about the file says. Each has a cube of its own.
type Case = (&'static str, &'static str, &'static [&'static str]);

const MISSING: [Case; 15] = [
    ("", "shown(image('//wood.png'))", &["image Wood, used by material Case 0: //wood.png"]),
    ("", "shown(image('C:\\\\tex\\\\oak.png', 'Oak'))", &["image Oak", "Windows"]),
    ("", "shown(image('//w.<UDIM>.png', 'Tiles', 'TILED'))", &["image in tiles", "w.1001.png"]),
    (
        "",
        "shown(image('//fire_0001.png', 'Fire', 'SEQUENCE')).image_user.frame_duration = 3",
        &["image sequence Fire", "fire_0001.png"],
    ),
    ("", "shown(image('//fire.mp4', 'Fire', 'MOVIE'))", &["movie Fire", "//fire.mp4"]),
    (
        "",
        "tree, shader = scene.world.node_tree, scene.world.node_tree.nodes['Background']
add_node('ShaderNodeTexEnvironment', 'Color').image = image('//sky.hdr', 'Sky')",
        &["image Sky", "world World", "//sky.hdr"],
    ),
    (
        "",
        "node = add_node('ShaderNodeTexIES', 'Roughness')
node.mode, node.filepath = 'EXTERNAL', '//lamp.ies'",
        &["IES file lamp.ies", "material Case", "//lamp.ies"],
    ),
    (
        "_cycles.with_osl",
        "import os, tempfile
scene.cycles.shading_system = True
path = os.path.join(tempfile.mkdtemp(), 'stripes.osl')
with open(path, 'w') as file:
    file.write('shader stripes(output color Out = color(1, 0, 0)) { Out = color(1, 0, 0); }')
node = add_node('ShaderNodeScript', None)
node.mode, node.filepath = 'EXTERNAL', path
tree.links.new(node.outputs[0], shader.inputs['Base Color'])
node.filepath = '//stripes.osl'",
        &["OSL script stripes.osl", "//stripes.osl"],
    ),
    (
        "",
        "bpy.ops.object.text_add()
folder = bpy.utils.system_resource('DATAFILES', path='fonts')
import os
font = bpy.data.fonts.load(os.path.join(folder, sorted(os.listdir(folder))[0]))
bpy.context.object.data.font = font
font.filepath = '//letters.ttf'",
        &["font ", "object Text", "//letters.ttf"],
    ),
    (
        "",
        "made = cube.modifiers.new('Made', 'MESH_CACHE')
made.cache_format, made.filepath = 'PC2', '//cube.pc2'",
        &["mesh cache cube.pc2, used by modifier Made of object Case 9: //cube.pc2"],
    ),
    (
        "",
        "made = cube.modifiers.new('Made', 'DISPLACE')
made.texture = bpy.data.textures.new('Bumps', 'IMAGE')
made.texture.image = image('//bumps.png', 'Bumps')",
        &["image Bumps", "texture Bumps", "//bumps.png"],
    ),
    (
        "bpy.app.build_options.alembic",
        "made = cube.modifiers.new('Made', 'MESH_SEQUENCE_CACHE')
bpy.ops.cachefile.open(filepath='//walk.abc')
made.cache_file = bpy.data.cache_files[-1]",
        &["Alembic cache walk.abc", "modifier Made of object Case", "//walk.abc"],
    ),
    (
        "bpy.app.build_options.usd",
        "made = cube.modifiers.new('Made', 'MESH_SEQUENCE_CACHE')
bpy.ops.cachefile.open(filepath='//run.usdc')
made.cache_file = bpy.data.cache_files['run.usdc']",
        &["USD cache run.usdc", "//run.usdc"],
    ),
    (
        "bpy.app.build_options.openvdb",
        "data = bpy.data.volumes.new('Smoke')
data.filepath = '//smoke_0001.vdb'
data.is_sequence, data.frame_duration = True, 9
scene.collection.objects.link(bpy.data.objects.new('Smoke', data))",
        &["volume Smoke", "object Smoke", "//smoke_0001.vdb"],
    ),
    (
        "",
        "tree, shader = add_compositor()
picture = add_node('CompositorNodeImage', None)
picture.image = image('//grain.png', 'Grain')
mix = add_node('CompositorNodeAlphaOver', 'Image')
tree.links.new(picture.outputs[0], mix.inputs['Image'] if 'Image' in mix.inputs else mix.inputs[1])
tree.links.new(tree.nodes.new('CompositorNodeRLayers').outputs[0], mix.inputs[2])",
        &["image Grain", "the compositor", "//grain.png"],
    ),
];

/// Parts with a missing file that comes into the picture in a roundabout way.
const ROUNDABOUT: [Case; 10] = [
    // The digit of its extension is no number.
    (
        "",
        "shown(image('//frost_0001.jp2', 'Frost', 'SEQUENCE')).image_user.frame_duration = 3",
        &["image sequence Frost", "frost_0001.jp2"],
    ),
    (
        "",
        "node = shown(image('//page_0001.png', 'Book', 'SEQUENCE'))
node.image_user.frame_duration = 1
for frame, number in [(9, 1), (1, 5)]:
    node.image_user.frame_offset = number - 1
    tree.keyframe_insert('nodes[\"%s\"].image_user.frame_offset' % node.name, frame=frame)
node.image_user.frame_offset = 0",
        &["image sequence Book", "page_0005.png"],
    ),
    (
        "hasattr(bpy.types, 'GeometryNodeImportOBJ')",
        "tree, first, last = add_geometry_nodes()
node = tree.nodes.new('GeometryNodeImportOBJ')
tree.links.new(node.outputs[0], last.inputs[0])
text = tree.nodes.new('FunctionNodeInputString')
text.string = '//rock.obj'
tree.links.new(text.outputs[0], node.inputs['Path'])",
        &["OBJ file rock.obj, used by modifier Nodes of object Case", "//rock.obj"],
    ),
    (
        "bpy.app.version >= (4, 0, 0)",
        "tree, first, last = add_geometry_nodes()
store = tree.nodes.new('GeometryNodeStoreNamedAttribute')
store.data_type = 'FLOAT_COLOR'
node = tree.nodes.new('GeometryNodeImageTexture')
node.inputs['Image'].default_value = image('//tide_0001.png', 'Tide', 'SEQUENCE')
node.inputs['Frame'].default_value = 7
value = [socket for socket in store.inputs if socket.name == 'Value' and socket.enabled][0]
tree.links.new(node.outputs[0], value)
tree.links.new(first.outputs[0], store.inputs[0])
tree.links.new(store.outputs[0], last.inputs[0])",
        &["image sequence Tide", "modifier Nodes of object Case", "tide_0007.png"],
    ),
    (
        "",
        "wire = cube.modifiers.new('Wire', 'WIREFRAME')
wire.material_offset = 1
plain = bpy.data.materials.new('Plain')
shown(image('//wire.png', 'Wire'))
cube.data.materials.append(cube.data.materials[0])
cube.data.materials[0] = plain",
        &["image Wire, used by material Case", "//wire.png"],
    ),
    (
        "'material_mode' in bpy.types.BooleanModifier.bl_rna.properties",
        "shown(image('//cut.png', 'Cut'))
cube.hide_render = True
hole = cube
add_cube('Solid')
cut = cube.modifiers.new('Cut', 'BOOLEAN')
cut.solver, cut.material_mode, cut.object = 'EXACT', 'TRANSFER', hole",
        &["image Cut, used by material Case", "//cut.png"],
    ),
    (
        "",
        "made = cube.modifiers.new('Made', 'MESH_CACHE')
made.cache_format, made.filepath = 'PC2', '//ground.pc2'
cube.hide_render = True
ground = cube
add_cube('On the ground')
cube.constraints.new('SHRINKWRAP').target = ground",
        &["mesh cache ground.pc2", "//ground.pc2"],
    ),
    (
        "",
        "made = cube.modifiers.new('Made', 'MESH_CACHE')
made.cache_format, made.filepath = 'PC2', '//later.pc2'
for frame, is_shown in [(1, False), (2, True), (3, False)]:
    made.show_render = is_shown
    made.keyframe_insert('show_render', frame=frame)",
        &["mesh cache later.pc2", "//later.pc2"],
    ),
    // The set of a set.
    (
        "",
        "shown(image('//city.png', 'City'))
near, far = bpy.data.scenes.new('Near'), bpy.data.scenes.new('Far')
scene.background_set, near.background_set, far.background_set = near, far, near
for collection in cube.users_collection: collection.objects.unlink(cube)
far.collection.objects.link(cube)",
        &["image City", "material Case", "//city.png"],
    ),
    // A node group saves it.
    (
        "",
        "inner = new_compositor_tree('Saving')
source, saving = inner.nodes.new('CompositorNodeImage'), inner.nodes.new('CompositorNodeOutputFile')
source.image = image('//matte.png', 'Matte')
if hasattr(saving, 'file_output_items'): saving.file_output_items.new('RGBA', 'Image')
inner.links.new(source.outputs[0], saving.inputs[0])
add_compositor()[0].nodes.new('CompositorNodeGroup').node_tree = inner",
        &["image Matte", "the compositor", "//matte.png"],
    ),
];

/// Asserts that one scene of these parts names the file of each in a line of its own.
#[track_caller]
fn assert_each_is_named(cases: &[Case]) {
    let can = |needs: &str| needs.is_empty() || blender_has(needs);
    let cases: Vec<_> = cases.iter().filter(|(needs, ..)| can(needs)).collect();
    let python = cases
        .iter()
        .enumerate()
        .map(|(at, (_, python, _))| format!("add_cube('Case {at}')\n{python}\n"));
    let place = place(&python.collect::<String>());
    let run = place.render("-f 1").run();
    let run = run.fails(65, &["--missing-files warn (MISSING_FILES)"]);
    let lines = named(&run);
    for (_, _, texts) in &cases {
        let has_all = |line: &String| texts.iter().all(|text| line.contains(text));
        assert!(lines.iter().any(has_all), "{texts:?} is not in {lines:#?}");
    }
    assert_eq!(lines.len(), cases.len(), "{lines:#?}");
    assert!(place.frames().is_empty());
}

#[test]
fn each_missing_file_is_named_with_its_kind_what_uses_it_and_its_path() {
    assert_each_is_named(&MISSING);
}

#[test]
fn each_file_that_comes_into_the_picture_in_a_roundabout_way_is_needed() {
    assert_each_is_named(&ROUNDABOUT);
}

#[test]
fn libraries_and_what_is_no_longer_in_them_are_named() {
    let place = Place::with_scene("");
    let save = |name: &str, python: &str| save_startup_scene(&place.path(name), python);
    save("inner.blend", "bpy.data.objects['Cube'].name = 'Inner'");
    let link = |file: &str, object: &str| {
        format!(
            "{TOOLS}
with bpy.data.libraries.load({:?}, link=True) as (there, linked):
    linked.objects = ['{object}']
scene.collection.objects.link(linked.objects[0])
bpy.data.libraries[0].filepath = '//{file}'",
            place.path(file).to_str().unwrap()
        )
    };
    save("scene.blend", &link("inner.blend", "Inner"));
    place.render("-f 1").run().exits(0).logs_no_warnings();
    fs::remove_dir_all(place.path("out")).unwrap();
    fs::rename(place.path("inner.blend"), place.path("elsewhere.blend")).unwrap();
    assert_refused(
        &place,
        "-f 1",
        &["linked library inner.blend", "object Inner", "//inner.blend"],
    );
    save("inner.blend", "");
    assert_refused(&place, "-f 1", &["linked object Inner", "//inner.blend does not contain it"]);
    fs::write(place.path("inner.blend"), "version https://git-lfs.github.com/spec/v1\n").unwrap();
    assert_refused(&place, "-f 1", &["linked object Inner", "Git LFS pointer"]);
    fs::write(place.path("inner.blend"), "").unwrap();
    assert_refused(&place, "-f 1", &["linked library inner.blend", "is empty"]);
}

#[test]
fn whatever_is_linked_is_looked_for_in_its_library() {
    let place = Place::with_scene("");
    let made = "
for name in ('Basis', 'Grown'): cube.shape_key_add(name=name)
def animate(owner, path, name):
    owner.keyframe_insert(path, frame=1)
    action = owner.id_data.animation_data.action
    action.name, action.use_fake_user = name, True
animate(cube.data.shape_keys.key_blocks[1], 'value', 'Growing')
animate(scene.view_settings, 'exposure', 'Fading')
animate(scene.camera.data, 'lens', 'Zooming')
scene.name = 'Set'
scene.collection.children.link(bpy.data.collections.new('Lit'))
bpy.data.node_groups.new('Grow', 'GeometryNodeTree').use_fake_user = True
";
    save_startup_scene(&place.path("set.blend"), &[TOOLS, made].concat());
    let link = format!(
        "{TOOLS}
with bpy.data.libraries.load({:?}, link=True) as (there, linked):
    linked.actions = ['Growing', 'Fading', 'Zooming']
    linked.collections, linked.node_groups, linked.scenes = ['Lit'], ['Grow'], ['Set']
bpy.data.libraries[0].filepath = '//set.blend'
",
        place.path("set.blend").to_str().unwrap()
    );
    let cases: [(&str, &[&str]); 4] = [
        (
            "for name in ('Basis', 'Grown'): cube.shape_key_add(name=name)
owners = (cube.data.shape_keys, scene, scene.camera.data)
for owner, action in zip(owners, linked.actions):
    data = owner.animation_data_create()
    data.action = action
    if hasattr(data, 'action_slot'): data.action_slot = data.action_suitable_slots[0]
cube.modifiers.new('Nodes', 'NODES').node_group = linked.node_groups[0]",
            &["action Growing", "action Fading", "action Zooming", "node tree Grow"],
        ),
        ("scene.background_set = linked.scenes[0]", &["scene Set"]),
        (
            "tree, shader = add_compositor()
add_node('CompositorNodeRLayers', 'Image').scene = linked.scenes[0]",
            &["scene Set"],
        ),
        (
            "editor = scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
strips.new_scene('Set', linked.scenes[0], 1, 1)",
            &["scene Set"],
        ),
    ];
    let set = place.path("set.blend");
    for (python, missing) in cases {
        save_startup_scene(&place.path("scene.blend"), &[&link, python].concat());
        fs::rename(&set, place.path("elsewhere.blend")).unwrap();
        assert_refused(&place, "-f 1", &["linked library set.blend", "//set.blend"]);
        save_startup_scene(&set, "");
        let run = place.render("-f 1").run().exits(65);
        let lines = named(&run);
        for name in missing {
            let name = format!("linked {name}, used by ");
            assert!(lines.iter().any(|line| line.contains(&name)), "{name:?} is not in {lines:#?}");
        }
        assert_eq!(lines.len(), missing.len(), "{lines:#?}");
        fs::rename(place.path("elsewhere.blend"), &set).unwrap();
    }
}

#[test]
fn of_a_scene_strip_the_frames_and_the_compositor_of_its_scene_count() {
    let python = "
user = shown(image('//a_0001.png', 'Wood', 'SEQUENCE')).image_user
user.frame_duration = 3
tree, shader = add_compositor()
picture = add_node('CompositorNodeImage', None)
picture.image = image('//grain.png', 'Grain')
mix = add_node('CompositorNodeAlphaOver', 'Image')
tree.links.new(picture.outputs[0], mix.inputs['Image'] if 'Image' in mix.inputs else mix.inputs[1])
tree.links.new(tree.nodes.new('CompositorNodeRLayers').outputs[0], mix.inputs[2])
edit = bpy.data.scenes.new('Edit')
edit.frame_start, edit.frame_end = 101, 109
edit.render.engine, edit.render.resolution_x, edit.render.resolution_y = 'CYCLES', 64, 48
editor = edit.sequence_editor_create()
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
strips.new_scene('Shot', scene, 1, 101)
bpy.context.window.scene = edit
";
    let place = place(python);
    fs::write(place.path("a_0001.png"), frame(1)).unwrap();
    fs::write(place.path("a_0003.png"), frame(3)).unwrap();
    assert_refused(&place, "--frames 101", &["image Grain, used by the compositor"]);
    fs::write(place.path("grain.png"), frame(1)).unwrap();
    place.render("--frames 101,103").run().exits(0).logs_no_warnings();
    fs::remove_dir_all(place.path("out")).unwrap();
    assert_refused(&place, "--frames 102", &["image sequence Wood", "a_0002.png"]);
}

#[test]
fn of_a_strip_that_is_reversed_or_masks_another_one_the_shown_files_are_needed() {
    let python = "
editor = scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
mask = strips.new_image('Mask', bpy.path.abspath('//mask.png'), 1, 1)
title = strips.new_image('Title', bpy.path.abspath('//a_0001.png'), 2, 1)
for number in (2, 3): title.elements.append('a_000%d.png' % number)
for strip in (mask, title): strip.directory, strip.frame_final_duration = '//', 3
title.blend_type, title.use_reverse_frames = 'REPLACE', True
shade = title.modifiers.new('Shade', 'BRIGHT_CONTRAST')
shade.input_mask_type, shade.input_mask_strip = 'STRIP', mask
title.modifiers.new('Without a mask', 'BRIGHT_CONTRAST')
";
    let place = place(python);
    fs::write(place.path("a_0003.png"), frame(3)).unwrap();
    assert_refused(&place, "--frames 1", &["image strip Mask", "mask.png"]);
    fs::write(place.path("mask.png"), frame(1)).unwrap();
    place.render("--frames 1").run().exits(0).logs_no_warnings();
    assert_eq!(place.frames(), frame_names(1..=1));
    fs::remove_dir_all(place.path("out")).unwrap();
    assert_refused(&place, "--frames 3", &["image strip Title", "a_0001.png"]);
}

#[test]
fn a_strip_that_an_animation_shows_needs_its_file_though_it_is_muted_in_the_file() {
    let python = "
editor = scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
below = strips.new_image('Below', '//below.png', 1, 1)
later = strips.new_image('Later', '//later.png', 2, 1)
later.blend_type = 'REPLACE'
for strip in (below, later): strip.frame_final_duration = 3
for frame, is_muted in [(3, False), (1, True)]:
    later.mute = is_muted
    later.keyframe_insert('mute', frame=frame)
";
    let place = place(python);
    let run = place.render("--frames 3").run().exits(65);
    let lines = named(&run);
    for file in ["//below.png", "//later.png"] {
        assert!(lines.iter().any(|line| line.contains(file)), "{file} is not in {lines:#?}");
    }
}

#[test]
fn of_a_strip_that_plays_faster_the_shown_files_are_needed() {
    let python = "
editor = scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
title = strips.new_image('Title', bpy.path.abspath('//a_0001.png'), 1, 1)
for number in range(2, 7): title.elements.append('a_000%d.png' % number)
title.directory, title.frame_final_duration = '//', 6
names = strips.bl_rna.functions['new_effect'].parameters.keys()
source = {'input1' if 'input1' in names else 'seq1': title}
fast = strips.new_effect(name='Fast', type='SPEED', channel=2, frame_start=1, **source)
fast.speed_control, fast.speed_factor, fast.use_frame_interpolate = 'MULTIPLY', 2, False
";
    let place = place(python);
    fs::write(place.path("a_0003.png"), frame(3)).unwrap();
    place.render("--frames 2").run().exits(0).logs_no_warnings();
    fs::remove_dir_all(place.path("out")).unwrap();
    assert_refused(&place, "--frames 3", &["image strip Title", "a_0005.png"]);
}

#[test]
fn the_strips_of_a_sequencer_that_is_rendered_are_needed() {
    let python = "
editor = scene.sequence_editor_create()
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
strip = strips.new_image('Title', bpy.path.abspath('//title.png'), 2, 1)
strip.directory, strip.blend_type = '//', 'REPLACE'
strips.new_image('Hidden', '//hidden.png', 1, 1)
shown(image('//wood.png'))
";
    let place = place(python);
    let run = place.render("-f 1").run().exits(65);
    let lines = named(&run);
    assert!(matches!(&lines[..], [one] if one.contains("strip Title")), "{lines:#?}");
    // After the end of the strip, the sequencer shows black.
    place.render("--frames 90").run().exits(0);
    fs::write(place.path("title.png"), frame(1)).unwrap();
    place.render("-f 1").run().exits(0).logs_no_warnings();
}

/// Parts of a scene that name a file and that no picture shows. Each has a cube of its own.
const UNUSED: [&str; 14] = [
    "image('//wood.png').use_fake_user = True",
    "add_node('ShaderNodeTexImage', None).image = image('//wood.png')",
    "shown(image('//wood.png')).mute = True",
    // An output that is not the active one.
    "node = add_node('ShaderNodeTexImage', None)
node.image = image('//wood.png')
out = tree.nodes.new('ShaderNodeOutputMaterial')
out.is_active_output = False
tree.links.new(node.outputs[0], out.inputs[0])",
    // A material that no face has.
    "first = cube.data.materials[0]
shown(image('//wood.png'))
cube.data.materials.clear()
cube.data.materials.append(bpy.data.materials.new('Plain'))
cube.data.materials.append(first)",
    "shown(image('//wood.png'))\ncube.hide_render = True",
    "shown(image('//wood.png'))
hidden = bpy.data.collections.new('Hidden')
scene.collection.children.link(hidden)
for collection in cube.users_collection: collection.objects.unlink(cube)
hidden.objects.link(cube)
bpy.context.view_layer.layer_collection.children['Hidden'].exclude = True",
    "made = cube.modifiers.new('Made', 'MESH_CACHE')
made.filepath, made.show_render = '//cube.pc2', False",
    "mix = tree.nodes.new('ShaderNodeMixShader')
mix.inputs[0].default_value = 0
glow = tree.nodes.new('ShaderNodeEmission')
node = add_node('ShaderNodeTexImage', None)
node.image = image('//wood.png')
tree.links.new(node.outputs[0], glow.inputs[0])
tree.links.new(shader.outputs[0], mix.inputs[1])
tree.links.new(glow.outputs[0], mix.inputs[2])
tree.links.new(mix.outputs[0], tree.nodes['Material Output'].inputs[0])",
    "camera = scene.camera.data
camera.show_background_images = True
camera.background_images.new().image = image('//wood.png')",
    // The materials of what a boolean cuts away with.
    "shown(image('//wood.png'))
cube.hide_render = True
hole = cube
add_cube('Solid')
cube.modifiers.new('Cut', 'BOOLEAN').object = hole",
    "made = cube.modifiers.new('Made', 'MESH_CACHE')
made.cache_format, made.filepath = 'PC2', '//cube.pc2'
cube.hide_render = True
ground = cube
add_cube('Above the ground')
cube.constraints.new('COPY_LOCATION').target = ground
wrap = cube.constraints.new('SHRINKWRAP')
wrap.target, wrap.influence = ground, 0",
    "other = bpy.data.scenes.new('Other')
other.background_set = scene
shown(image('//wood.png'))
for collection in cube.users_collection: collection.objects.unlink(cube)
other.collection.objects.link(cube)",
    "scene.sequence_editor_create()
scene.render.use_sequencer = False
editor = scene.sequence_editor
strips = editor.strips if hasattr(editor, 'strips') else editor.sequences
strips.new_image('Title', '//title.png', 1, 1)",
];

#[test]
fn what_no_picture_shows_is_no_alarm() {
    let python = UNUSED.iter().enumerate();
    let python = python.map(|(at, python)| format!("add_cube('Case {at}')\n{python}\n"));
    let place = place(&python.collect::<String>());
    let run = place.render("-f 1").run().exits(0);
    assert_eq!(named(&run), [""; 0]);
    assert_eq!(place.frames(), frame_names(1..=1));
}

const SEQUENCE: &str = "
user = shown(image('//a_0001.png', 'Wood', 'SEQUENCE')).image_user
user.frame_duration = 3
user.use_auto_refresh = True
";

#[test]
fn of_a_sequence_the_files_of_the_rendered_frames_are_needed() {
    let place = place(SEQUENCE);
    for number in [1, 3] {
        fs::write(place.path(&format!("a_000{number}.png")), frame(number)).unwrap();
    }
    assert_refused(&place, "-f 3", &["1 of its 3 files", "a_0002.png"]);
    assert_refused(&place, "--frames 2", &["a_0002.png"]);
    // After its end, the last file is shown.
    place.render("--frames 1,3,9").run().exits(0).logs_no_warnings();
    fs::remove_file(place.path("a_0003.png")).unwrap();
    place.render("--frames 9").run().exits(65).logs(&["a_0003.png"]);
}

#[test]
fn of_a_sequence_with_an_offset_other_files_are_needed() {
    let place = self::place(&[SEQUENCE, "user.frame_offset = 100"].concat());
    for number in 101..=103 {
        fs::write(place.path(&format!("a_0{number}.png")), frame(number)).unwrap();
    }
    place.render("-f 3").run().exits(0).logs_no_warnings();
}

#[test]
fn the_report_names_the_missing_files_of_all_processes() {
    let place = place(&[SEQUENCE, "add_cube('Other')\nshown(image('//oak.png', 'Oak'))"].concat());
    fs::write(place.path("a_0001.png"), frame(1)).unwrap();
    place.render("-f 3 --processes 2 --missing-files warn").run().exits(0);
    let found = report(&place.path("out"), "render");
    let files = found["scene"]["unusable_files"].as_array().unwrap();
    let paths = files.iter().flat_map(|file| file["files"].as_array().unwrap());
    let mut paths: Vec<_> = paths.map(|path| Path::new(path.as_str().unwrap())).collect();
    paths.sort();
    // Each process has a file of its own, and one that all of its pictures need.
    let missing = ["a_0002.png", "a_0003.png", "oak.png"].map(|name| place.path(name));
    assert_eq!(paths, missing, "{found}");
}

#[test]
fn each_tile_of_an_image_is_needed() {
    let tiles = "
picture = image('//w.<UDIM>.png', 'Wood', 'TILED')
picture.tiles.new(tile_number=1002)
shown(picture)
";
    let place = place(tiles);
    fs::write(place.path("w.1001.png"), frame(1)).unwrap();
    assert_refused(&place, "-f 1", &["1 of its 2 files", "w.1002.png"]);
    fs::write(place.path("w.1002.png"), frame(1)).unwrap();
    place.render("-f 1").run().exits(0).logs_no_warnings();
}

#[test]
fn a_job_can_accept_missing_files_and_another_one_does_not_keep_its_frames() {
    let place = place("shown(image('//wood.png'))");
    let accepted = || place.render("-f 2").env("MISSING_FILES", "warn");
    let run = accepted().run().exits(0);
    assert!(run.warnings().iter().any(|text| text.contains("//wood.png")), "{}", run.text());
    assert_eq!(place.frames(), frame_names(1..=2));
    let found = report(&place.path("out"), "render");
    let [file] = &found["scene"]["unusable_files"].as_array().unwrap()[..] else { panic!() };
    for (field, value) in [
        ("kind", "image"),
        ("name", "Wood"),
        ("used_by", "material Cube"),
        ("path", "//wood.png"),
        ("problem", "missing"),
    ] {
        assert_eq!(file[field], value, "{file}");
    }
    assert_eq!(file["files"][0], place.path("wood.png").to_str().unwrap());
    accepted().run().exits(0).logs(&["already there"]);
    place.render("-f 2").run().exits(65);
    fs::write(place.path("wood.png"), frame(1)).unwrap();
    let pink = pixel_hashes(&place.path("out/frames/0001.png"));
    place.render("-f 2").run().exits(0).never_logs(&["//wood.png"]);
    assert_ne!(pixel_hashes(&place.path("out/frames/0001.png")), pink);
}

#[test]
fn what_an_animation_shows_is_needed() {
    let hide = "
shown(image('//wood.png'))
for frame, is_hidden in [(1, True), (3, False)]:
    cube.hide_render = is_hidden
    cube.keyframe_insert('hide_render', frame=frame)
cube.hide_render = True
";
    // An action that plays as a strip of the NLA editor is no action of the object itself.
    let as_strip = "
data = cube.animation_data
action, slot = data.action, getattr(data, 'action_slot', None)
data.action = None
strip = data.nla_tracks.new().strips.new('Show', 1, action)
if slot: strip.action_slot = slot
";
    for python in [hide.to_owned(), [hide, as_strip].concat()] {
        let place = place(&format!("{python}\nadd_cube('Other')"));
        assert_refused(&place, "--frames 4", &["image Wood", "//wood.png"]);
    }
}

#[test]
fn a_long_list_is_cut_in_the_log_and_whole_in_the_report() {
    let place = place(
        "
last = None
for number in range(30):
    node = add_node('ShaderNodeTexImage', None)
    node.image = image('//missing_%02d.png' % number, 'Image %02d' % number)
    mix = tree.nodes.new('ShaderNodeMixRGB')
    tree.links.new(node.outputs[0], mix.inputs[1])
    if last: tree.links.new(last.outputs[0], mix.inputs[2])
    last = mix
tree.links.new(last.outputs[0], shader.inputs['Base Color'])
",
    );
    let run = place.render("-f 1").run().exits(65);
    assert_eq!(named(&run).len(), 20, "{}", run.text());
    run.logs(&["10 more files"]);
    let found = report(&place.path("out"), "render");
    assert_eq!(found["scene"]["unusable_files"].as_array().map(Vec::len), Some(30));
}

#[test]
fn damaged_files_end_the_job_before_a_frame_is_stored() {
    let whole = noise((200, 200), 1);
    for (content, problem) in [
        (&b""[..], "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"<!DOCTYPE html>\n<html>404</html>", "web page"),
        (&whole[..whole.len() / 2], "ends after"),
    ] {
        let place = place("shown(image('//wood.png'))");
        fs::write(place.path("wood.png"), content).unwrap();
        assert_refused(&place, "-f 3", &["image Wood", "//wood.png", problem]);
        let found = report(&place.path("out"), "render");
        assert_eq!(found["exit_code"], 65);
        let files = found["scene"]["unusable_files"].as_array().unwrap();
        assert_eq!(files.len(), 1, "{found}");
        place.render("-f 1 --missing-files warn").run().exits(0).logs(&[problem]);
        // Also what is only found while Blender renders counts later.
        place.render("-f 1").run().exits(65);
    }
}

/// Asserts that the frames of a scene are kept as long as a folder of its caches is there.
#[track_caller]
fn assert_is_needed(place: &Place, folder: &str, texts: &[&str]) {
    let moved = place.path("moved");
    let render = |arguments: &str| place.render(&format!("-f 2 {arguments}")).run();
    render("").exits(0).logs_no_warnings();
    render("").exits(0).logs(&["already there: nothing to render"]);
    fs::rename(place.path(folder), &moved).unwrap();
    let lines = named(&render("").exits(65));
    for text in texts {
        assert!(lines.iter().any(|line| line.contains(text)), "{text:?} is not in {lines:#?}");
    }
    let run = render("--missing-files warn").exits(0);
    assert!(!run.text().contains("nothing to render"), "{}", run.text());
    fs::rename(&moved, place.path(folder)).unwrap();
    let run = render("").exits(0).never_logs(&[", used by "]);
    assert!(!run.text().contains("nothing to render"), "{}", run.text());
}

#[test]
fn simulations_that_are_baked_on_the_disk_are_needed() {
    let place = place("");
    // The folder of a cache is named after the saved file.
    let bake = "
import bpy
cube = bpy.data.objects['Cube']
cloth = cube.modifiers.new('Cloth', 'CLOTH')
cache = cloth.point_cache
cache.frame_start, cache.frame_end, cache.use_disk_cache = 1, 3, True
with bpy.context.temp_override(object=cube, active_object=cube, point_cache=cache):
    bpy.ops.ptcache.bake(bake=True)
bpy.ops.wm.save_mainfile()";
    blender_runs(Some(&place.path("scene.blend")), bake);
    let texts = ["simulation cache Cube, used by modifier Cloth of object Cube"];
    assert_is_needed(&place, "blendcache_scene", &texts);
}

#[test]
fn a_cache_in_a_folder_that_may_not_be_read_is_unreadable() {
    let elsewhere = tempfile::tempdir().unwrap();
    let python = format!(
        "
cache = cube.modifiers.new('Cloth', 'CLOTH').point_cache
cache.use_external, cache.filepath, cache.name = True, {:?}, 'flag'
",
        elsewhere.path()
    );
    let texts = ["simulation cache flag", "--allow-read"];
    assert_refused(&place(&python), "-f 1 --sandbox require", &texts);
}

#[test]
fn bakes_of_geometry_nodes_are_needed() {
    if !blender_has("'bake_target' in bpy.types.NodesModifier.bl_rna.properties") {
        return;
    }
    let place = place("");
    let bake = "
import bpy
scene = bpy.context.scene
scene.frame_end = 3
cube = bpy.data.objects['Cube']
tree = bpy.data.node_groups.new('Grow', 'GeometryNodeTree')
for way in ('INPUT', 'OUTPUT'):
    tree.interface.new_socket('Geometry', in_out=way, socket_type='NodeSocketGeometry')
new = tree.nodes.new
first, last = new('NodeGroupInput'), new('NodeGroupOutput')
begin, end = new('GeometryNodeSimulationInput'), new('GeometryNodeSimulationOutput')
begin.pair_with_output(end)
tree.links.new(first.outputs[0], begin.inputs['Geometry'])
tree.links.new(begin.outputs['Geometry'], end.inputs['Geometry'])
tree.links.new(end.outputs['Geometry'], last.inputs[0])
made = cube.modifiers.new('Nodes', 'NODES')
made.node_group, made.bake_target = tree, 'DISK'
bpy.ops.wm.save_mainfile()
bpy.ops.object.geometry_node_bake_single(
    session_uid=cube.session_uid, modifier_name='Nodes', bake_id=made.bakes[0].bake_id)
bpy.ops.wm.save_mainfile()";
    blender_runs(Some(&place.path("scene.blend")), bake);
    let texts = ["bake of geometry nodes", "modifier Nodes of object Cube"];
    assert_is_needed(&place, "blendcache_scene", &texts);
}

#[test]
fn the_cache_of_a_liquid_is_needed() {
    let place = Place::with_scene(fs::read(scene("liquid")).unwrap());
    for folder in ["config", "data", "mesh"] {
        let (from, to) =
            (fixture("scenes/liquid_cache").join(folder), format!("liquid_cache/{folder}"));
        fs::create_dir_all(place.path(&to)).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), place.path(&to).join(file.file_name())).unwrap();
        }
    }
    let run = place.render("-f 1").run();
    if run.text().contains("PyImport_AppendInittab") {
        // Debian's 4.3 cannot load a fluid at all.
        return;
    }
    assert_is_needed(&place, "liquid_cache", &["fluid cache", "modifier Fluid of object Cube"]);
}

#[test]
fn a_strict_job_fails_where_another_one_warns_that_pictures_differ() {
    let place = place(
        "
text = bpy.data.texts.new('rig_ui.py')
text.write('import bpy')
text.use_module = True
",
    );
    place.render("-f 1").run().exits(0);
    let run = place.render("-f 1 --strict").run();
    run.fails(65, &["--strict", "script rig_ui.py"]);
    place.render("-f 1 --enable-autoexec").env("STRICT", "true").run().exits(0);
}

#[test]
fn python_drivers_of_hidden_objects_and_nodes_of_missing_addons_make_pictures_differ() {
    let python = "
cube.hide_viewport = True
driver = cube.driver_add('location', 0).driver
driver.type, driver.expression = 'SCRIPTED', 'len(bpy.data.objects)'
simple = cube.driver_add('location', 1).driver
simple.type, simple.expression = 'SCRIPTED', 'frame * 0'
class Node(bpy.types.ShaderNode):
    bl_idname, bl_label = 'ShaderNodeOfAnAddon', 'Mine'
    def init(self, context): self.outputs.new('NodeSocketColor', 'Color')
bpy.utils.register_class(Node)
add_node('ShaderNodeOfAnAddon').name = 'Mine'
tree.nodes.new('ShaderNodeOfAnAddon').name = 'Unlinked'
";
    let place = place(python);
    let run = place.render("-f 1 --strict").run().exits(65);
    let run = run.logs(&[
        "the node Mine of material Cube",
        "did not run",
        ": driver of location of Cube;",
    ]);
    assert!(!run.text().contains("Unlinked"), "{}", run.text());
    place.render("-f 1").run().exits(0);
}

#[test]
fn pictures_that_depend_on_the_range_of_the_scene_differ_with_the_frames_of_a_job() {
    let python = "
scene.frame_start, scene.frame_end = 1, 2
driver = cube.driver_add('location', 0).driver
driver.expression, variable = 'frame / var', driver.variables.new()
variable.type, target = 'SINGLE_PROP', variable.targets[0]
target.id_type, target.id, target.data_path = 'SCENE', scene, 'frame_end'
";
    let place = place(python);
    place.render("--frames 1-2").run().exits(0).logs_no_warnings();
    fs::remove_dir_all(place.path("out")).unwrap();
    place.render("--frames 1").run().exits(0).logs_only_warnings(&["driver of location of Cube"]);
}

#[test]
fn beside_a_scene_on_s3_there_are_no_files() {
    let (place, server) = (place("shown(image('//wood.png'))"), S3Server::start());
    server.put("scene.blend", &fs::read(place.path("scene.blend")).unwrap());
    // A file beside the scene is not fetched.
    server.put("wood.png", &frame(1));
    let render = worker("render").args("-f 1").s3(&server);
    let run = render.input(server.uri("scene.blend")).output(server.uri("out")).run();
    let run = run.fails(65, &["//wood.png", "pack the files into the scene", "MISSING_FILES"]);
    // The path in the scratch folder would mislead.
    assert!(named(&run).iter().all(|line| !line.contains("render-worker-")), "{}", run.text());
}

#[test]
fn frames_that_are_saved_before_the_files_are_checked_are_not_stored() {
    let place = Place::ordered_with(|place| {
        json!({"needed": [{
            "kind": "image",
            "name": "Wood",
            "used_by": "material Floor",
            "path": "//wood.png",
            "files": [place.path("wood.png")],
        }]})
    });
    // Decoding it takes longer than the stand-in takes for its frames.
    let whole = noise((2000, 2000), 1);
    fs::write(place.path("wood.png"), &whole[..whole.len() - 1000]).unwrap();
    let run = place.stand_in().run().exits(65);
    assert!(matches!(&named(&run)[..], [line] if line.contains("ends after")), "{}", run.text());
    assert!(place.frames().is_empty());
    fs::write(place.path("wood.png"), whole).unwrap();
    place.stand_in().run().exits(0);
    assert_eq!(place.frames(), frame_names(1..=12));
}

#[test]
fn unknown_values_are_refused() {
    let place = Place::with_scene("");
    for value in ["Fail", "ignore"] {
        let run = place.render("-f 1").env("MISSING_FILES", value).run().exits(2);
        run.logs(&["--missing-files (MISSING_FILES)", "fail or warn"]);
    }
}
