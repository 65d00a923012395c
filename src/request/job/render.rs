//! A request to `render` frames.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::request::{
    AllowMissing, ByteSize, CyclesDevice, DataName, FrameOrder, FrameSelection, Location,
    MissingFiles, Processes, ProjectPath, RenderOverrides, StartJitter, Unbaked, UserCode,
};

/// A validated `render` request.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct RenderJob {
    /// The scene file.
    pub scene: Location,
    /// The scene file in it, if it is an archive or a folder.
    pub main: Option<ProjectPath>,
    /// The location for the frames, in `frames/`, and for the report, in `reports/`.
    pub output: Location,
    /// The frames to render.
    pub frames: FrameSelection,
    /// The order in which they are rendered.
    pub order: FrameOrder,
    /// The settings of the scene that the job replaces.
    pub overrides: RenderOverrides,
    /// What was asked about the scene, as the variables of a job that renders more of its frames.
    pub settings: BTreeMap<String, String>,
    /// The cameras to render through.
    pub cameras: Cameras,
    /// The devices that Cycles renders on; `None` for the scene's own choice.
    pub cycles_device: Option<CyclesDevice>,
    /// How many Blenders render at the same time.
    pub processes: Processes,
    /// The folder in which fetched files, compiled kernels and shaders outlive the job.
    pub cache_dir: Option<PathBuf>,
    /// The most fetched files in it, in bytes.
    pub cache_size: ByteSize,
    /// The features that this Blender may lack although the scene needs them.
    pub allow_missing: AllowMissing,
    /// The Python that is added to Blender.
    pub user_code: UserCode,
    /// Whether frames are rendered without files that the scene needs.
    pub missing_files: MissingFiles,
    /// Whether everything that makes the pictures differ from those of Blender on a desktop is an
    /// error.
    pub strict: bool,
    /// What to do about simulations that are not baked.
    pub unbaked: Unbaked,
    /// Whether Python scripts in the scene file run automatically.
    pub enable_autoexec: bool,
    /// The size of saved but not yet stored frames in scratch above which Blender is paused.
    pub max_backlog: ByteSize,
    /// Whether stored frames that were made from the same inputs are kept.
    pub resume: bool,
    /// Whether a preview of each frame is stored, in `previews/`, and a contact sheet of all.
    pub previews: bool,
    /// The longest random delay before the first request to storage.
    pub start_jitter: StartJitter,
}

impl RenderJob {
    /// The folder in the output that has a folder for each camera.
    const CAMERAS_DIR: &str = "cameras";

    /// The variable that names the camera.
    pub const CAMERA: &str = "CAMERA";

    /// The variable that names the scene of the file that is rendered.
    pub const SCENE: &str = "SCENE";

    /// The job that renders through one camera, to an output of its own below that of this job.
    #[must_use]
    pub fn through(&self, camera: &DataName) -> Self {
        let mut job = self.clone();
        job.output = self.output.join(Self::CAMERAS_DIR).join(&camera.as_folder());
        job.overrides.camera = Some(camera.clone());
        job.settings.insert(Self::CAMERA.to_owned(), camera.to_string());
        job.cameras = Cameras::One;
        job
    }
}

#[cfg(test)]
#[expect(clippy::missing_panics_doc, reason = "for tests")]
impl RenderJob {
    /// Frames 1 to 3 of `/in/a.blend` to `/out`, with the default settings.
    pub fn example() -> Self {
        use crate::request::Engine;

        Self {
            scene: Location::Local("/in/a.blend".into()),
            main: None,
            output: Location::Local("/out".into()),
            frames: FrameSelection::Exactly("1-3".parse().expect("a frame set")),
            order: FrameOrder::Sequential,
            overrides: RenderOverrides {
                engine: Engine::Named("CYCLES".into()),
                ..RenderOverrides::default()
            },
            settings: BTreeMap::new(),
            cameras: Cameras::One,
            cycles_device: None,
            processes: Processes::default(),
            cache_dir: None,
            cache_size: ByteSize::gib(1),
            allow_missing: AllowMissing::default(),
            user_code: UserCode::default(),
            missing_files: MissingFiles::default(),
            strict: false,
            unbaked: Unbaked::default(),
            enable_autoexec: false,
            max_backlog: ByteSize::gib(1),
            resume: true,
            previews: true,
            start_jitter: StartJitter::default(),
        }
    }
}

/// The cameras that a job renders through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cameras {
    /// One: that of the overrides, or else that of the scene.
    One,
    /// Every camera of the scene, one after the other, each as a job of its own.
    Each,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_camera_has_an_output_of_its_own() {
        let all = RenderJob { cameras: Cameras::Each, ..RenderJob::example() };
        let job = all.through(&"a/b".parse().unwrap());
        assert_eq!(job.output.to_string(), "/out/cameras/a%2Fb");
        assert_eq!((job.overrides.camera, job.cameras), ("a/b".parse().ok(), Cameras::One));
        assert_eq!(job.settings["CAMERA"], "a/b");
    }
}
