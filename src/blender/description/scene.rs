//! The scene as Blender sees it: what the setup script reports once the file is open.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::needed_file::{NeededFile, UnusableFile};
use super::{SceneContents, SceneOutputs};
use crate::request::{
    AllowMissing, Feature, FrameNumber, FrameRange, FrameRate, ImageFormat, MissingFiles, RenderJob,
};

/// The scene that Blender renders, with the settings in force. The report contains it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SceneInfo {
    /// The scene's name; absent in reports of earlier versions of the worker.
    #[serde(default)]
    #[cfg_attr(test, schemars(skip_serializing_if = "String::is_empty"))]
    pub name: String,
    /// Blender's version: `4.3.2`.
    pub blender: String,
    /// The render engine in force.
    pub engine: String,
    /// The GPUs that the worker has set Cycles to, and the CPU if it renders as well. Empty if
    /// they were chosen otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
    /// The number of frames in `fps_base` seconds.
    pub fps: u32,
    /// The seconds that `fps` frames take: 1.0, or 1.001 for NTSC rates.
    pub fps_base: f64,
    /// Width of a frame in pixels.
    pub width: u32,
    /// Height of a frame in pixels.
    pub height: u32,
    /// The scene's own first frame.
    pub frame_start: i32,
    /// The scene's own last frame.
    pub frame_end: i32,
    /// The scene's own step from frame to frame, which the worker does not take; absent in reports of
    /// earlier versions of the worker.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub frame_step: i32,
    /// The name that the scene gives its frames, which the worker does not; absent if it gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_name: Option<String>,
    /// The file name extension of the frames, with its dot.
    pub extension: String,
    /// Warnings for the user, such as files that were not found; absent in reports of earlier
    /// versions of the worker.
    #[serde(default)]
    #[cfg_attr(test, schemars(skip_serializing_if = "Vec::is_empty"))]
    pub warnings: Vec<String>,
    /// Those of the warnings that say why the pictures differ from those of Blender on a desktop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
    /// The features that the scene needs and this Blender lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<MissingFeature>,
    /// The files that the pictures need and Blender cannot use: missing, out of reach or damaged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unusable_files: Vec<UnusableFile>,
    /// The simulations that the pictures depend on and that are not baked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub simulations: Vec<Simulation>,
    /// How Blender shows the frames, and what the scene makes besides them, on a screen; absent if
    /// all of them are stored as Blender shows them, and in reports of earlier versions of the
    /// worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<SceneView>,
    /// The scene's sound; absent if nothing plays, and in reports of earlier versions of the
    /// worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<SceneAudio>,
}

/// The step of a scene that renders every frame.
fn one() -> i32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_one(step: &i32) -> bool {
    *step == 1
}

impl SceneInfo {
    /// The scene's frame rate, if it is usable.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        FrameRate::from_scene(self.fps, self.fps_base)
    }

    /// The scene's own frame range, if it is valid.
    pub fn range(&self) -> Option<FrameRange> {
        let first = FrameNumber::new(self.frame_start.into())?;
        let last = FrameNumber::new(self.frame_end.into())?;
        Some(FrameRange { first, last })
    }

    /// The format of the frames, if the worker supports it.
    pub fn format(&self) -> Option<ImageFormat> {
        ImageFormat::from_extension(self.extension.trim_start_matches('.'))
    }

    /// Adds the render engine that the scene is set to, and that this Blender does not have, to what
    /// it lacks.
    pub fn lacks_engine(&mut self, engine: &str) {
        let needed_by = vec![format!("scene {}, which is set to {engine}", self.name)];
        self.lacking.push(MissingFeature { feature: Feature::Engine, needed_by });
    }

    /// Adds what another Blender found in the same scene. It renders other frames, which need other
    /// files, and may render them on other devices.
    pub fn add_from(&mut self, other: Self) {
        add_new(&mut self.devices, other.devices, PartialEq::eq);
        add_new(&mut self.warnings, other.warnings, PartialEq::eq);
        add_new(&mut self.differences, other.differences, PartialEq::eq);
        self.add_unusable(other.unusable_files);
    }

    /// Adds files that cannot be used. Returns those that are new.
    pub fn add_unusable(&mut self, files: Vec<UnusableFile>) -> Vec<UnusableFile> {
        let known = self.unusable_files.len();
        add_new(&mut self.unusable_files, files, UnusableFile::is_same_as);
        self.unusable_files.iter().skip(known).cloned().collect()
    }

    /// Whether `job` accepts the pictures of this scene, whatever is missing or differs.
    pub fn is_acceptable(&self, job: &RenderJob) -> bool {
        let RenderJob { allow_missing, missing_files, strict, .. } = job;
        self.not_allowed(allow_missing).is_empty()
            && (*missing_files == MissingFiles::Warn || self.unusable_files.is_empty())
            && (!strict || self.differences.is_empty())
    }

    /// The missing features that `allowed` does not allow to be missing.
    pub fn not_allowed(&self, allowed: &AllowMissing) -> Vec<MissingFeature> {
        let lacking = self.lacking.iter();
        lacking.filter(|missing| !allowed.0.contains(&missing.feature)).cloned().collect()
    }
}

/// Adds those of the `others` that are not in `list`.
fn add_new<T>(list: &mut Vec<T>, others: Vec<T>, is_same: impl Fn(&T, &T) -> bool) {
    for other in others {
        if !list.iter().any(|one| is_same(one, &other)) {
            list.push(other);
        }
    }
}

/// How Blender shows pictures that are stored as linear light.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SceneView {
    /// The view transform: `AgX`, `Filmic`, `Standard`.
    pub transform: String,
    /// The look: `None`, `AgX - Punchy`.
    pub look: String,
    /// The exposure in stops.
    pub exposure: f64,
    /// The gamma that is applied last.
    pub gamma: f64,
    /// The display device: `sRGB`.
    pub display: String,
    /// The name of the file beside the report that holds all of this, with curves and white
    /// balance, as a 3D LUT; absent if it could not be made or stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lut: Option<String>,
}

/// The sound of a scene: of its own frame range, from [`SceneInfo::frame_start`] to
/// [`SceneInfo::frame_end`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SceneAudio {
    /// The name of the file in the output. It is there once the first child of the array, or a job
    /// that is no array, has rendered its frames.
    #[serde(default = "SceneAudio::file")]
    pub file: String,
    /// The frame that begins when the sound begins.
    pub first_frame: i32,
}

impl SceneAudio {
    /// Where the sound is stored below the output.
    pub const FILE: &str = "audio/scene.flac";

    fn file() -> String {
        Self::FILE.to_owned()
    }
}

/// A feature that the scene needs and this Blender lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MissingFeature {
    /// The feature.
    pub feature: Feature,
    /// The parts of the scene that need it, as the setup script describes them: `volume Smoke`.
    pub needed_by: Vec<String>,
}

/// A simulation that is not baked: each of its frames is made from the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Simulation {
    /// The simulation, as the setup script describes it: `cloth Cloth of object Flag`.
    pub name: String,
    /// Its first frame, which shows what the scene contains.
    pub first_frame: i32,
}

/// Files outside of the scene file that affect the pictures: textures, linked libraries,
/// caches. A path is absolute, or begins with `//` for the folder of the scene file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExternalFile {
    /// One file.
    File(String),
    /// The files directly in this folder: an image sequence, or an image in tiles.
    Folder(String),
    /// Everything in and below this folder: a cache.
    Tree(String),
}

impl ExternalFile {
    /// The path.
    pub fn name(&self) -> &str {
        let (Self::File(name) | Self::Folder(name) | Self::Tree(name)) = self;
        name
    }
}

/// The setup script's description of a scene.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SceneDescription {
    /// The scene and its settings.
    pub scene: SceneInfo,
    /// The external files that the scene needs; `None` if a path is not valid Unicode.
    pub external: Option<BTreeSet<ExternalFile>>,
    /// All scenes of the file; absent if the scene is going to be rendered.
    #[serde(default)]
    pub contents: Option<Vec<SceneContents>>,
    /// What the scene makes besides its frames.
    #[serde(default)]
    pub outputs: SceneOutputs,
    /// The files that the pictures need and Blender can read. The worker looks into them.
    #[serde(default)]
    pub needed: Vec<NeededFile>,
    /// The simulations for which the script refuses the scene, because the frames of the job depend
    /// on frames before them.
    #[serde(default)]
    pub cut_off: Vec<String>,
    /// The paths in the scene that lead nowhere on this machine, and where they lead now.
    #[serde(default)]
    pub mapped: Vec<MappedPath>,
}

/// A path in a scene that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MappedPath {
    /// The path as the scene has it.
    pub from: String,
    /// The file or folder in the project.
    pub to: String,
}

impl SceneDescription {
    /// Parses the file that the setup script writes.
    ///
    /// # Errors
    /// A message, if the JSON is not a description, or a path in it leads to an unexpected folder.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let description: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        description.outputs.validate()?;
        match description.external.iter().flatten().find(|file| !file.name().starts_with('/')) {
            None => Ok(description),
            Some(file) => Err(format!("it contains a relative path: {:?}", file.name())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENE: &str = r#"{"name":"Scene","blender":"3.4.1","engine":"CYCLES","fps":24,
        "fps_base":1.0010000467300415,"width":64,"height":48,"frame_start":-5,"frame_end":5,
        "extension":".png","warnings":["w"],
        "lacking":[{"feature":"denoiser","needed_by":["Cycles"]},{"feature":"osl","needed_by":[]}],
        "later":1}"#;

    fn parse(external: &str) -> Result<SceneDescription, String> {
        SceneDescription::parse(format!(r#"{{"scene":{SCENE},"external":{external}}}"#).as_bytes())
    }

    #[test]
    fn the_scene_is_parsed() {
        let scene = parse("[]").unwrap().scene;
        assert_eq!(scene.frame_rate().unwrap().to_string(), "24000/1001");
        assert_eq!(scene.range().unwrap().to_string(), "-5-5");
        assert_eq!(scene.format(), Some(ImageFormat::Png));
        assert_eq!(scene.warnings, ["w"]);
        let allowed = AllowMissing([Feature::Osl].into());
        let missing = scene.not_allowed(&allowed);
        let features: Vec<_> = missing.iter().map(|missing| missing.feature).collect();
        assert_eq!(features, [Feature::Denoiser]);
    }

    #[test]
    fn what_several_blenders_find_is_named_once() {
        let with = |device: &str, file: &str, of: u8| {
            let added = format!(
                r#""devices":["{device}"],"unusable_files":[{{"kind":"image sequence",
                "name":"Fire","used_by":"material Fire","path":"//1.png","files":["{file}"],
                "of":{of},"problem":"missing"}}],"later""#
            );
            serde_json::from_str::<SceneInfo>(&SCENE.replace(r#""later""#, &added)).unwrap()
        };
        let mut scene = with("A", "/1.png", 3);
        scene.add_from(with("B", "/2.png", 3));
        scene.add_from(with("A", "/1.png", 2));
        assert_eq!(scene.devices, ["A", "B"]);
        assert_eq!(scene.warnings, ["w"]);
        let files: Vec<_> = scene.unusable_files.iter().map(|it| &it.file.files[0]).collect();
        assert_eq!(files, ["/1.png", "/2.png"]);
    }

    #[test]
    fn the_view_and_the_sound_are_parsed() {
        let added = r#""view":{"transform":"AgX","look":"None","exposure":-1.5,"gamma":1.0,
            "display":"sRGB"},"audio":{"first_frame":-3},"later""#;
        let json = SCENE.replace(r#""later""#, added);
        let scene: SceneInfo = serde_json::from_str(&json).unwrap();
        let (view, audio) = (scene.view.unwrap(), scene.audio.unwrap());
        assert_eq!((view.transform.as_str(), view.lut), ("AgX", None));
        assert_eq!((audio.file.as_str(), audio.first_frame), (SceneAudio::FILE, -3));
        let earlier = parse("[]").unwrap().scene;
        assert_eq!((earlier.view, earlier.audio), (None, None));
    }

    #[test]
    fn paths_of_external_files_are_not_relative() {
        let files = r#"[{"file":"//tex/\u00fc.png"},{"folder":"/mnt/seq"},{"tree":"//"}]"#;
        let external = parse(files).unwrap().external.unwrap();
        assert!(external.contains(&ExternalFile::File("//tex/ü.png".to_owned())));
        assert_eq!(external.len(), 3);
        assert_eq!(parse("null").unwrap().external, None);
        // They would be relative to the worker's folder, which is not the scene's.
        for bad in [r#"[{"file":"."}]"#, r#"[{"file":""}]"#, r#"[{"tree":"tex"}]"#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
