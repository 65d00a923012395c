//! A job, which is started again until it is done.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::container::Container;
use crate::marks::{Marks, Record};
use crate::output::Output;
use crate::support::{Worker, ordered_scene, scene, worker};

/// The renderer.
#[derive(Clone, Copy)]
pub enum Renderer {
    /// The stand-in, with this time per frame.
    StandIn(Duration),
    /// The stand-in with frames of tens of megabytes.
    LargeStandIn(Duration),
    /// The real Blender with a test scene.
    Blender(&'static str),
}

/// A job with the frames 1 to `frames`.
pub struct Job<'a> {
    pub name: String,
    pub frames: i32,
    output: &'a Output,
    renderer: Renderer,
    /// A folder for the stand-in's record, and for the scene if it is not on S3.
    folder: TempDir,
    /// The record from the logs, for the real Blender.
    logged: RefCell<Record>,
}

impl<'a> Job<'a> {
    pub fn new(output: &'a Output, name: String, frames: i32, renderer: Renderer) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let job = Self { name, frames, output, renderer, folder, logged: RefCell::default() };
        let bytes = match renderer {
            Renderer::StandIn(time) => ordered_scene(1, frames, &job.marks().orders(time)),
            Renderer::LargeStandIn(time) => {
                let mut orders = large();
                orders["steps"] = job.marks().orders(time);
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
            Output::S3(server) => {
                with_default_retries(worker.s3(server)).input(server.uri(&self.scene_key()))
            }
            Output::Folder(_) => worker.input(self.scene_file()),
        })
    }

    /// Returns the record of all attempts. `log` is the log of the last one.
    pub fn record(&self, log: &str) -> Record {
        match self.renderer {
            Renderer::StandIn(_) | Renderer::LargeStandIn(_) => self.marks().read(),
            Renderer::Blender(_) => {
                self.logged.borrow_mut().add_log(log);
                self.logged.borrow().clone()
            }
        }
    }
}

/// Returns orders for uncompressed frames of 33 MB.
pub fn large() -> Value {
    json!({"size": [4000, 2750], "level": 0})
}

/// Removes the limit of attempts per request that tests have.
fn with_default_retries(worker: Worker) -> Worker {
    worker.with(|command| {
        command.env_remove("AWS_MAX_ATTEMPTS");
    })
}
