//! What the user has chosen for a video: the file `video.json` in its folder.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::request::{Codec, Colour, FrameRate, ValueError, VideoSize};
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::item::Choices;

/// What the user can choose for a video.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VideoChoices {
    /// The order of the pictures.
    #[serde(default)]
    pub order: Order,
    /// How the video is made.
    #[serde(default)]
    pub settings: Settings,
}

impl Choices for VideoChoices {
    const FILE: &'static str = "video.json";
    const UNNAMED: &'static str = "Video";

    fn repaired(self) -> Self {
        if self.settings.check().is_err() {
            return Self { settings: Settings::default(), ..self };
        }
        self
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::store::item::Document;

    #[test]
    fn a_document_survives_on_disk_and_an_old_one_gets_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let old = r#"{"name": "a", "created": 1}"#;
        let mut document: Document<VideoChoices> = serde_json::from_str(old).unwrap();
        assert_eq!(
            (&document.choices.order, &document.requested),
            (&Order::By(SortKey::Name), &None)
        );
        document.choices.order = Order::Exactly(vec!["b.png".to_owned(), "a.png".to_owned()]);
        document.choices.settings.fps = "23.976".to_owned();
        document.write(folder.path()).unwrap();
        assert_eq!(Document::read(folder.path()).unwrap(), document);
        document.choices.settings.fps = "fast".to_owned();
        document.write(folder.path()).unwrap();
        assert_eq!(
            Document::<VideoChoices>::read(folder.path()).unwrap().choices.settings,
            Settings::default()
        );
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
}
