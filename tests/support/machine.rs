//! A machine with projects: scenes, and the files beside them.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::blender::save_startup_scene;
use super::frames::noise;
use super::s3_server::S3Server;
use super::{Worker, pixel_hashes, worker};

/// Python that every scene begins with: images, and cubes in a row that show them.
const TOOLS: &str = "
scene.cycles.samples = 1
scene.cycles.use_denoising = False
scene.frame_start, scene.frame_end = 1, 3
scene.view_settings.view_transform = 'Standard'
cube = bpy.data.objects['Cube']

def image(path, source='FILE', name='Wood'):
    made = bpy.data.images.new(name, 4, 4)
    made.source, made.filepath = source, path
    return made

def tiled(there, path):
    made = bpy.data.images.load(bpy.path.abspath(there), check_existing=False)
    made.name, made.source, made.filepath = 'Tiles', 'TILED', path
    return made

def show(thing, picture):
    material = bpy.data.materials.new(picture.name)
    material.use_nodes = True
    thing.data.materials.clear()
    thing.data.materials.append(material)
    tree = material.node_tree
    emission, node = tree.nodes.new('ShaderNodeEmission'), tree.nodes.new('ShaderNodeTexImage')
    node.image = picture
    tree.links.new(node.outputs[0], emission.inputs[0])
    output = next(it for it in tree.nodes if it.type == 'OUTPUT_MATERIAL')
    tree.links.new(emission.outputs[0], output.inputs[0])
    return node

def add_cube(x, picture):
    bpy.ops.mesh.primitive_cube_add(location=(x, 0, 0))
    return show(bpy.context.object, picture)

def link(path):
    with bpy.data.libraries.load(path, link=True) as (there, wanted):
        wanted.objects = ['Cube']
    thing = wanted.objects[0]
    scene.collection.objects.link(thing)
    return thing
";

/// A folder with projects.
pub struct Machine(TempDir);

impl Machine {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a picture of its own for each seed.
    pub fn picture(&self, name: &str, seed: u32) {
        self.write(name, &noise((16, 16), seed));
    }

    pub fn write(&self, name: &str, content: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    pub fn scene(&self, name: &str, python: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        // Blender rewrites the paths of a file that it saves for the first time.
        let save = format!("bpy.ops.wm.save_as_mainfile(filepath={:?})", self.text(name));
        save_startup_scene(&self.path(name), &[&save, TOOLS, python].concat());
    }

    /// A command line that packs a scene to a server.
    pub fn pack(&self, scene: &str, server: &S3Server) -> Worker {
        worker("pack").input(self.path(scene)).output(server.uri("p")).s3(server).arg("--json")
    }

    /// The pictures of frame 1 and of frame 3, as they are rendered here.
    pub fn pictures(&self, scene: &str, arguments: &str) -> [Vec<String>; 2] {
        let out = self.path("here");
        _ = fs::remove_dir_all(&out);
        let run = worker("render").input(self.path(scene)).output(&out).args("--frames 1,3");
        run.args(arguments).run().exits(0);
        pictures(&out)
    }
}

/// The pictures of frame 1 and of frame 3 in an output.
pub fn pictures(out: &Path) -> [Vec<String>; 2] {
    [1, 3].map(|frame| pixel_hashes(&out.join(format!("frames/{frame:04}.png"))))
}
