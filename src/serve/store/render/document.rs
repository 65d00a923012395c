//! What the user has chosen for a render: the file `render.json` in its folder.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::cli::{self, Environment, Refusal};
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::item::Choices;

/// What the user can choose for a render.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RenderChoices {
    /// The scene file to render, by its path in the folder of the scene; `None` before the user has
    /// chosen one of several.
    #[serde(default)]
    pub main: Option<String>,
    /// Whether the quick look was asked for last.
    #[serde(default)]
    pub is_preview: bool,
    /// How the scene is rendered.
    #[serde(default)]
    pub settings: RenderSettings,
}

impl Choices for RenderChoices {
    const FILE: &'static str = "render.json";
    const UNNAMED: &'static str = "Scene";

    fn repaired(self) -> Self {
        if self.settings.check().is_err() {
            return Self { settings: RenderSettings::default(), ..self };
        }
        self
    }
}

/// How a scene is rendered, as `run` takes it. An empty text stands for what the scene says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RenderSettings {
    /// `--scene`.
    pub scene: String,
    /// `--frames`.
    pub frames: String,
    /// `--camera`.
    pub camera: String,
    /// `--resolution`.
    pub resolution: String,
    /// `--samples`.
    pub samples: String,
    /// `--denoise`.
    pub denoise: String,
    /// `--format`.
    pub format: String,
    /// `--cycles-device`.
    pub device: String,
    /// Whether to render without files that are missing.
    pub without_missing_files: bool,
    /// `--simulate`.
    pub simulate: bool,
    /// `--fps`.
    pub fps: String,
    /// `--codec`.
    pub codec: String,
}

impl Default for RenderSettings {
    fn default() -> Self {
        Self {
            scene: String::new(),
            frames: String::new(),
            camera: String::new(),
            resolution: String::new(),
            samples: String::new(),
            denoise: String::new(),
            format: String::new(),
            device: String::new(),
            without_missing_files: false,
            simulate: false,
            fps: String::new(),
            codec: "h264".to_owned(),
        }
    }
}

impl RenderSettings {
    /// The flags of `run`.
    pub fn flags(&self) -> Vec<OsString> {
        let texts = [
            ("--scene", &self.scene),
            ("--frames", &self.frames),
            ("--camera", &self.camera),
            ("--resolution", &self.resolution),
            ("--samples", &self.samples),
            ("--denoise", &self.denoise),
            ("--format", &self.format),
            ("--cycles-device", &self.device),
            ("--fps", &self.fps),
            ("--codec", &self.codec),
        ];
        let given = texts.into_iter().filter(|(_, text)| !text.is_empty());
        // In one word, a value can begin with a hyphen.
        let mut flags: Vec<OsString> =
            given.map(|(flag, text)| format!("{flag}={text}").into()).collect();
        if self.without_missing_files {
            flags.push("--missing-files=warn".into());
        }
        if self.simulate {
            flags.push("--simulate".into());
        }
        flags
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// Why `run` would refuse them.
    pub fn check(&self) -> Result<(), Problem> {
        if self.camera == "each" {
            let message = "choose one camera; for several, make a render of each";
            return Err(Problem::new(ProblemKind::Invalid, message));
        }
        let words = ["render-worker", "run", "-i", "scene.blend", "-o", "output"];
        let words = words.into_iter().map(OsString::from).chain(self.flags());
        match cli::parse(words, &Environment::default()) {
            Ok(_) => Ok(()),
            Err(Refusal::Usage { error, .. }) => {
                Err(Problem::new(ProblemKind::Invalid, error.to_string()))
            }
            // None of the flags asks for a text.
            Err(Refusal::Answer(text)) => Err(Problem::new(ProblemKind::Invalid, text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_that_run_takes() {
        let settings = RenderSettings::default();
        settings.check().unwrap();
        assert_eq!(settings.flags(), ["--codec=h264"]);
        let all = RenderSettings {
            frames: "-3-5".to_owned(),
            resolution: "50%".to_owned(),
            samples: "16".to_owned(),
            without_missing_files: true,
            simulate: true,
            ..settings.clone()
        };
        all.check().unwrap();
        for wrong in [
            RenderSettings { frames: "5-3".to_owned(), ..settings.clone() },
            RenderSettings { resolution: "big".to_owned(), ..settings.clone() },
            RenderSettings { samples: "0".to_owned(), ..settings.clone() },
            RenderSettings { samples: "--help".to_owned(), ..settings.clone() },
            RenderSettings { codec: "x264".to_owned(), ..settings.clone() },
            RenderSettings { camera: "each".to_owned(), ..settings },
        ] {
            assert_eq!(wrong.check().unwrap_err().kind, ProblemKind::Invalid, "{wrong:?}");
        }
    }
}
