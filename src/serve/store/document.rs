//! What the user has chosen for a video: the file `video.json` in its folder.

use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::request::{Codec, Colour, FrameRate, ValueError, VideoSize};
use crate::serve::problem::{Problem, ProblemKind};

/// The name of the file.
const FILE: &str = "video.json";

/// The longest name of a video in bytes.
const MAX_NAME: usize = 100;

/// What the user has chosen for a video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The name that the page shows.
    pub name: String,
    /// When it was created, in milliseconds since 1970.
    pub created: u64,
    /// The order of the pictures.
    #[serde(default)]
    pub order: Order,
    /// How the video is made.
    #[serde(default)]
    pub settings: Settings,
    /// When the user asked for the video, in milliseconds since 1970; `None` if nobody waits for it.
    #[serde(default)]
    pub requested: Option<u64>,
}

/// The order of the pictures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Order {
    /// By a property of them.
    By(SortKey),
    /// These, and then those that are not named, by name.
    Exactly(Vec<String>),
}

impl Default for Order {
    fn default() -> Self {
        Self::By(SortKey::Name)
    }
}

/// A property that pictures are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortKey {
    /// The name; numbers in names count as numbers.
    Name,
    /// The time of the last change.
    Time,
}

impl SortKey {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Time => "time",
        }
    }
}

/// How the video is made, as `stitch` takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `--fps`.
    pub fps: String,
    /// `--codec`.
    pub codec: String,
    /// `--size`.
    pub size: String,
    /// `--background`.
    pub background: String,
}

impl Default for Settings {
    fn default() -> Self {
        let [fps, codec, size, background] = ["5", "h264", "first", "#000000"].map(str::to_owned);
        Self { fps, codec, size, background }
    }
}

impl Settings {
    /// Checks every setting.
    ///
    /// # Errors
    /// The first one that `stitch` would refuse.
    pub fn check(&self) -> Result<(), Problem> {
        check::<FrameRate>("the frame rate", &self.fps)?;
        check::<Codec>("the codec", &self.codec)?;
        check::<VideoSize>("the size", &self.size)?;
        check::<Colour>("the background", &self.background)
    }

    /// The codec. Settings are checked when they are made.
    pub fn codec(&self) -> Codec {
        self.codec.parse().unwrap_or_default()
    }
}

fn check<T: FromStr<Err = ValueError>>(what: &str, text: &str) -> Result<(), Problem> {
    let refuse = |error| Problem::new(ProblemKind::Invalid, format!("{what}: {error}"));
    text.parse::<T>().map(drop).map_err(refuse)
}

impl Document {
    /// Reads the document of a folder.
    ///
    /// # Errors
    /// If there is none, or if it is no document.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let document: Self = serde_json::from_slice(&fs::read(folder.join(FILE))?)?;
        if document.settings.check().is_err() {
            return Ok(Self { settings: Settings::default(), ..document });
        }
        Ok(document)
    }

    /// Writes the document in one step.
    ///
    /// # Errors
    /// The error of the system.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let partial = folder.join(".video.json");
        fs::write(&partial, serde_json::to_vec_pretty(self)?)?;
        fs::rename(partial, folder.join(FILE))
    }

    /// A name that can be shown, and that file names can begin with.
    pub fn clean_name(text: &str) -> String {
        let readable = |c: char| if c.is_alphanumeric() || " -_.()".contains(c) { c } else { ' ' };
        let name: String = text.chars().map(readable).collect();
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = name.trim_start_matches(['.', '-']);
        let name = name.split_at(name.floor_char_boundary(MAX_NAME)).0.trim();
        if name.is_empty() { "Video".to_owned() } else { name.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_survives_on_disk_and_an_old_one_gets_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let old = r#"{"name": "a", "created": 1}"#;
        let mut document: Document = serde_json::from_str(old).unwrap();
        assert_eq!((&document.order, &document.requested), (&Order::By(SortKey::Name), &None));
        document.order = Order::Exactly(vec!["b.png".to_owned(), "a.png".to_owned()]);
        document.settings.fps = "23.976".to_owned();
        document.write(folder.path()).unwrap();
        assert_eq!(Document::read(folder.path()).unwrap(), document);
        document.settings.fps = "fast".to_owned();
        document.write(folder.path()).unwrap();
        assert_eq!(Document::read(folder.path()).unwrap().settings, Settings::default());
    }

    #[test]
    fn settings_are_those_that_stitch_takes() {
        let settings = Settings::default();
        settings.check().unwrap();
        for wrong in [
            Settings { fps: "0".to_owned(), ..settings.clone() },
            Settings { codec: "x264".to_owned(), ..settings.clone() },
            Settings { size: "big".to_owned(), ..settings.clone() },
            Settings { background: "sky".to_owned(), ..settings },
        ] {
            wrong.check().unwrap_err();
        }
    }

    #[test]
    fn a_name_is_clean() {
        for (given, clean) in [
            ("Holiday", "Holiday"),
            ("  a/../b\n", "a .. b"),
            ("../x", "x"),
            ("-rf <b>", "rf b"),
            ("", "Video"),
            ("日本 2026", "日本 2026"),
        ] {
            assert_eq!(Document::clean_name(given), clean, "{given:?}");
        }
        assert_eq!(Document::clean_name(&"ü".repeat(90)).len(), 100);
    }
}
