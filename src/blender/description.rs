//! The scene as Blender sees it, once the file is open.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::request::{AllowMissing, Feature, FrameNumber, FrameRange, FrameRate, ImageFormat};

/// The scene, as the setup script found it in Blender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneInfo {
    /// The scene's name; empty in what was stored by versions that did not ask for it.
    #[serde(default)]
    pub name: String,
    /// Blender's version: `4.3.2`.
    pub blender: String,
    /// The render engine in force.
    pub engine: String,
    /// Frames in `fps_base` seconds.
    pub fps: u32,
    /// See `fps`; 1.001 for NTSC rates.
    pub fps_base: f64,
    /// Width of a frame in pixels.
    pub width: u32,
    /// Height of a frame in pixels.
    pub height: u32,
    /// The scene's own first frame.
    pub frame_start: i32,
    /// The scene's own last frame.
    pub frame_end: i32,
    /// The extension of the frames, with its dot.
    pub extension: String,
    /// What a person should know before looking at the pictures.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What this Blender lacks for the scene.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<Lack>,
}

impl SceneInfo {
    /// The scene's frame rate, if it is a usable one.
    pub fn frame_rate(&self) -> Option<FrameRate> {
        FrameRate::from_scene(self.fps, self.fps_base)
    }

    /// The scene's own frame range.
    pub fn range(&self) -> Option<FrameRange> {
        let first = FrameNumber::new(self.frame_start.into())?;
        let last = FrameNumber::new(self.frame_end.into())?;
        Some(FrameRange { first, last })
    }

    /// The format of the frames.
    pub fn format(&self) -> Option<ImageFormat> {
        ImageFormat::from_extension(self.extension.trim_start_matches('.'))
    }

    /// What this Blender lacks and must have.
    pub fn not_allowed(&self, allowed: &AllowMissing) -> Vec<Lack> {
        let lacking = self.lacking.iter();
        lacking.filter(|lack| !allowed.0.contains(&lack.feature)).cloned().collect()
    }
}

/// Something that the scene needs and this Blender does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lack {
    /// What.
    pub feature: Feature,
    /// What in the scene needs it: `volume Smoke`, in words of the setup script.
    pub needed_by: Vec<String>,
}

/// What lies outside of the scene file and goes into the pictures: textures, linked
/// libraries, caches. A path begins with `//` for the folder that the scene file is in,
/// or else with `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExternalFile {
    /// A file.
    File(String),
    /// The files directly in this folder: those of a sequence or of a picture in tiles.
    Folder(String),
    /// Everything in and below this folder: a cache.
    Tree(String),
}

impl ExternalFile {
    /// Its path.
    pub fn name(&self) -> &str {
        let (Self::File(name) | Self::Folder(name) | Self::Tree(name)) = self;
        name
    }
}

/// Everything that the setup script answers.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Answer {
    /// The scene.
    pub scene: SceneInfo,
    /// The files that it needs; `None` if a name of one is not Unicode.
    pub external: Option<BTreeSet<ExternalFile>>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// In words, if it is none.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let answer: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        match answer.external.iter().flatten().find(|file| !file.name().starts_with('/')) {
            None => Ok(answer),
            Some(file) => Err(format!("it names a file without its folder: {:?}", file.name())),
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

    fn answer(external: &str) -> Result<Answer, String> {
        Answer::parse(format!(r#"{{"scene":{SCENE},"external":{external}}}"#).as_bytes())
    }

    #[test]
    fn an_answer_describes_the_scene() {
        let scene = answer("[]").unwrap().scene;
        assert_eq!(scene.frame_rate().unwrap().to_string(), "24000/1001");
        assert_eq!(scene.range().unwrap().to_string(), "-5-5");
        assert_eq!(scene.format(), Some(ImageFormat::Png));
        assert_eq!(scene.warnings, ["w"]);
        let allowed = AllowMissing([Feature::Osl].into());
        let left: Vec<_> = scene.not_allowed(&allowed).iter().map(|lack| lack.feature).collect();
        assert_eq!(left, [Feature::Denoiser]);
    }

    #[test]
    fn an_answer_names_files_with_their_folders() {
        let files = r#"[{"file":"//tex/\u00fc.png"},{"folder":"/mnt/seq"},{"tree":"//"}]"#;
        let named = answer(files).unwrap().external.unwrap();
        assert!(named.contains(&ExternalFile::File("//tex/ü.png".to_owned())));
        assert_eq!(named.len(), 3);
        assert_eq!(answer("null").unwrap().external, None);
        // The worker's own folder is not the scene's.
        for bad in [r#"[{"file":"."}]"#, r#"[{"file":""}]"#, r#"[{"tree":"tex"}]"#] {
            assert!(answer(bad).is_err(), "{bad}");
        }
    }
}
