//! Frames to render: started again until they are there.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::container::Container;
use crate::marks::{Marks, Noted};
use crate::output::Output;
use crate::support::{Worker, ordered_scene, scene, worker};

/// Who renders.
#[derive(Clone, Copy)]
pub enum Renderer {
    /// The stand-in, which takes so long for a frame.
    StandIn(Duration),
    /// The same, with frames of tens of megabytes.
    LargeStandIn(Duration),
    /// The real Blender: a scene of ours.
    Blender(&'static str),
}

/// One job: the frames 1 to `frames`.
pub struct Job<'a> {
    pub name: String,
    pub frames: i32,
    output: &'a Output,
    renderer: Renderer,
    /// With the file of the marks, and the scene where it is not on S3.
    folder: TempDir,
    /// What logs have told, where there are no marks.
    told: RefCell<Noted>,
}

impl<'a> Job<'a> {
    pub fn new(output: &'a Output, name: String, frames: i32, renderer: Renderer) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let job = Self { name, frames, output, renderer, folder, told: RefCell::default() };
        let bytes = match renderer {
            Renderer::StandIn(pace) => ordered_scene(1, frames, &job.marks().orders(pace)),
            Renderer::LargeStandIn(pace) => {
                let mut orders = large();
                orders["steps"] = job.marks().orders(pace);
                ordered_scene(1, frames, &orders)
            }
            Renderer::Blender(name) => fs::read(scene(name)).expect("a scene"),
        };
        match output {
            Output::S3(server) => server.put(&job.scene_key(), &bytes),
            Output::Folder(_) => fs::write(job.scene_file(), bytes).expect("a scene"),
        }
        job
    }

    fn scene_key(&self) -> String {
        format!("{}.blend", self.name)
    }

    fn scene_file(&self) -> PathBuf {
        self.folder.path().join("scene.blend")
    }

    fn marks(&self) -> Marks {
        Marks::new(self.folder.path().join("marks"))
    }

    /// Starts an attempt.
    pub fn start(&self) -> Container {
        let worker = worker("render")
            .output(self.output.uri(&self.name))
            .arg("-f")
            .arg(self.frames.to_string());
        let worker = match self.renderer {
            Renderer::StandIn(_) | Renderer::LargeStandIn(_) => worker.stand_in_blender(),
            Renderer::Blender(_) => worker,
        };
        Container::start(match self.output {
            Output::S3(server) => patient(worker.s3(server)).input(server.uri(&self.scene_key())),
            Output::Folder(_) => worker.input(self.scene_file()),
        })
    }

    /// Which frames were rendered in all attempts, the last one of which left this log.
    pub fn noted(&self, log: &str) -> Noted {
        match self.renderer {
            Renderer::StandIn(_) | Renderer::LargeStandIn(_) => self.marks().read(),
            Renderer::Blender(_) => {
                self.told.borrow_mut().add_log(log);
                self.told.borrow().clone()
            }
        }
    }
}

/// Orders for frames of 33 MB, as nothing in them is compressed.
pub fn large() -> Value {
    json!({"size": [4000, 2750], "level": 0})
}

/// As patient with storage as it is by itself.
fn patient(worker: Worker) -> Worker {
    worker.with(|command| {
        command.env_remove("AWS_MAX_ATTEMPTS");
    })
}
