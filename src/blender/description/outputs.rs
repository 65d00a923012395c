//! The files that a scene makes besides its frames: those of File Output nodes of the compositor,
//! and the further views of a scene that saves each view on its own.
//!
//! The setup script makes the nodes write to a folder in scratch, and describes the names of their
//! files. Scripts in the scene can write the same description, so every name is validated.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::request::{FrameFile, FrameNumber, ImageFormat, OUTPUTS_DIR};

/// The most digits that a number is filled up to.
const MOST_DIGITS: usize = 10;

/// Everything that the scene makes besides its frames.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SceneOutputs {
    /// What follows the number in the names that Blender gives to the frames: the suffix of the
    /// first view, `_L`, if each view is saved on its own; otherwise empty.
    pub frame_suffix: String,
    /// The files of each frame.
    pub files: Vec<OutputFile>,
}

/// A file that the scene makes for each frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// What makes it.
    #[serde(flatten)]
    pub maker: Maker,
    /// The folder below `outputs/` that has all files of the node or view.
    pub folder: String,
    /// What comes before the number in its path below the folder: `beauty_`, `diffuse/direct_`.
    pub before: String,
    /// How many digits the number has at least.
    pub digits: usize,
    /// What follows the number, with the extension.
    pub after: String,
    /// Whether Blender certainly saves it. A File Output node saves nothing for an input that gets
    /// no picture, and the setup script cannot always tell.
    pub certain: bool,
}

/// What makes a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Maker {
    /// A File Output node.
    Node {
        /// Its label, or else its name.
        node: String,
        /// The input; empty if the file has all of them.
        slot: String,
    },
    /// A view, such as the right eye.
    View {
        /// Its name.
        view: String,
        /// Its suffix in the names that Blender gives to its files: `_R`.
        suffix: String,
    },
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { node, slot } if slot.is_empty() => {
                write!(f, "the File Output node {node}")
            }
            Self::Node { node, slot } => write!(f, "{slot} of the File Output node {node}"),
            Self::View { view, .. } => write!(f, "the view {view}"),
        }
    }
}

/// The folders in scratch that Blender saves to.
#[derive(Clone, Copy, Debug)]
pub struct SavedIn<'a> {
    /// The folder of the frames, and of further views.
    pub frames: &'a Path,
    /// The folder of the File Output nodes.
    pub outputs: &'a Path,
}

impl OutputFile {
    /// The folder of the files, as a path below the output.
    pub fn parent(&self) -> String {
        match self.before.rsplit_once('/') {
            Some((folders, _)) => format!("{OUTPUTS_DIR}/{}/{folders}", self.folder),
            None => format!("{OUTPUTS_DIR}/{}", self.folder),
        }
    }

    /// The name of the file of a frame in its [parent](Self::parent).
    pub fn name(&self, frame: FrameNumber) -> String {
        let number = FrameFile::number(frame, self.digits);
        format!("{}{number}{}", self.name_before(), self.after)
    }

    /// The path of the file of a frame, below the output.
    pub fn path(&self, frame: FrameNumber) -> String {
        format!("{}/{}", self.parent(), self.name(frame))
    }

    /// The frame of a file with this name in the [parent](Self::parent); `None` for other files.
    pub fn frame_of(&self, name: &str) -> Option<FrameNumber> {
        let number = name.strip_prefix(self.name_before())?.strip_suffix(self.after.as_str())?;
        let frame = FrameNumber::new(number.parse().ok()?)?;
        (self.name(frame) == name).then_some(frame)
    }

    fn name_before(&self) -> &str {
        self.before.rsplit('/').next().unwrap_or_default()
    }

    /// The names of all of its files below the folder: `beauty_####.exr`.
    pub fn pattern(&self) -> String {
        format!("{}{}{}", self.before, "#".repeat(self.digits), self.after)
    }

    /// The format.
    pub fn format(&self) -> Option<ImageFormat> {
        ImageFormat::from_extension(self.after.rsplit_once('.')?.1)
    }

    /// Where Blender saves the file of a frame.
    pub fn saved(&self, dirs: SavedIn<'_>, frame: FrameNumber) -> PathBuf {
        let number = FrameFile::number(frame, self.digits);
        match &self.maker {
            Maker::Node { .. } => {
                let file = format!("{}{number}{}", self.before, self.after);
                dirs.outputs.join(&self.folder).join(file)
            }
            Maker::View { suffix, .. } => {
                dirs.frames.join(format!("{number}{suffix}{}", self.after))
            }
        }
    }

    /// The frame whose file Blender saves at this path; `None` if it is no such file.
    pub fn frame_saved_at(&self, dirs: SavedIn<'_>, path: &Path) -> Option<FrameNumber> {
        let name = path.file_name()?.to_str()?;
        let (before, suffix) = match &self.maker {
            Maker::Node { .. } => (self.name_before(), ""),
            Maker::View { suffix, .. } => ("", suffix.as_str()),
        };
        let number = name.strip_prefix(before)?.strip_suffix(self.after.as_str())?;
        let frame = FrameNumber::new(number.strip_suffix(suffix)?.parse().ok()?)?;
        (self.saved(dirs, frame) == path).then_some(frame)
    }

    /// Checks that no name leads out of its folder.
    fn validate(&self) -> Result<(), String> {
        let suffix = match &self.maker {
            Maker::Node { .. } => "",
            Maker::View { suffix, .. } => suffix,
        };
        let mut parts: Vec<_> = self.before.split('/').collect();
        let name = parts.pop().unwrap_or_default();
        parts.push(&self.folder);
        let is_folder = |part: &&str| is_plain(part) && !part.is_empty() && !part.starts_with('.');
        let is_valid = parts.iter().all(is_folder)
            && !name.starts_with('.')
            && [name, suffix, &self.after].into_iter().all(is_plain)
            && (1..=MOST_DIGITS).contains(&self.digits)
            && self.format().is_some();
        if is_valid { Ok(()) } else { Err(format!("it contains an invalid file: {self:?}")) }
    }
}

/// Whether a text can be a part of a file name.
fn is_plain(text: &str) -> bool {
    !text.contains(|c: char| matches!(c, '/' | '\\') || c.is_control())
}

impl SceneOutputs {
    /// Checks that no name leads out of its folder.
    ///
    /// # Errors
    /// A message about the first that does.
    pub fn validate(&self) -> Result<(), String> {
        if !is_plain(&self.frame_suffix) {
            return Err(format!("it contains an invalid suffix: {:?}", self.frame_suffix));
        }
        self.files.iter().try_for_each(OutputFile::validate)
    }

    /// The name that Blender gives to the file of a frame, or of its first view.
    pub fn saved_name(&self, frame: FrameNumber, format: ImageFormat) -> String {
        format!("{}{}.{}", FrameFile::stem(frame), self.frame_suffix, format.extension())
    }

    /// Parses a name that Blender gives to the file of a frame, or of its first view.
    pub fn parse_saved_name(&self, name: &str) -> Option<FrameFile> {
        let (stem, extension) = name.rsplit_once('.')?;
        let number = stem.strip_suffix(self.frame_suffix.as_str())?;
        let file = FrameFile::parse(&format!("{number}.{extension}"))?;
        (self.saved_name(file.number, file.format) == name).then_some(file)
    }

    /// The further views, which Blender saves beside the frames.
    pub fn views(&self) -> impl Iterator<Item = &OutputFile> {
        self.files.iter().filter(|file| matches!(file.maker, Maker::View { .. }))
    }
}

#[cfg(test)]
impl OutputFile {
    /// A file of the node `Passes`: `OutputFile::example("beauty_", ".exr")`.
    pub fn example(before: &str, after: &str) -> Self {
        Self {
            maker: Maker::Node { node: "Passes".into(), slot: before.into() },
            folder: "Passes".into(),
            before: before.into(),
            digits: 4,
            after: after.into(),
            certain: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs() -> SavedIn<'static> {
        SavedIn { frames: Path::new("/s/frames"), outputs: Path::new("/s/outputs") }
    }

    fn frame(number: i64) -> FrameNumber {
        FrameNumber::new(number).unwrap()
    }

    fn right() -> OutputFile {
        OutputFile {
            maker: Maker::View { view: "right".into(), suffix: "_R".into() },
            folder: "right".into(),
            ..OutputFile::example("", ".png")
        }
    }

    #[test]
    fn files_have_the_names_that_blender_gives_them() {
        let file = OutputFile::example("light/direct_", "_L.exr");
        assert_eq!(file.path(frame(7)), "outputs/Passes/light/direct_0007_L.exr");
        assert_eq!(file.pattern(), "light/direct_####_L.exr");
        let saved = file.saved(dirs(), frame(-12_345));
        assert_eq!(saved, Path::new("/s/outputs/Passes/light/direct_-12345_L.exr"));
        assert_eq!(file.frame_saved_at(dirs(), &saved), Some(frame(-12_345)));
        assert_eq!(file.format(), Some(ImageFormat::OpenExr));
        let short = OutputFile { digits: 2, ..OutputFile::example("a", ".png") };
        assert_eq!(
            (short.name(frame(7)), short.name(frame(123))),
            ("a07.png".into(), "a123.png".into())
        );
    }

    #[test]
    fn a_view_is_saved_beside_the_frames_and_stored_in_a_folder_of_its_own() {
        let saved = right().saved(dirs(), frame(7));
        assert_eq!(saved, Path::new("/s/frames/0007_R.png"));
        assert_eq!(right().frame_saved_at(dirs(), &saved), Some(frame(7)));
        assert_eq!(right().path(frame(7)), "outputs/right/0007.png");
        let outputs = SceneOutputs { frame_suffix: "_L".into(), files: vec![right()] };
        assert_eq!(outputs.saved_name(frame(7), ImageFormat::Png), "0007_L.png");
        assert_eq!(outputs.parse_saved_name("0007_L.png").unwrap().number, frame(7));
        for other in ["0007.png", "0007_R.png", "007_L.png", "_L.png"] {
            assert_eq!(outputs.parse_saved_name(other), None, "{other}");
        }
    }

    #[test]
    fn other_files_are_of_no_frame() {
        let file = OutputFile::example("a_", ".png");
        assert_eq!(file.frame_of("a_0007.png"), Some(frame(7)));
        for name in ["a_007.png", "a_0007.exr", "b_0007.png", "a_.png", "a_+007.png"] {
            assert_eq!(file.frame_of(name), None, "{name}");
        }
        for path in
            ["/s/frames/a_0007.png", "/s/outputs/a_0007.png", "/s/outputs/Passes/x/a_0007.png"]
        {
            assert_eq!(file.frame_saved_at(dirs(), Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn no_name_leads_out_of_its_folder() {
        let named = |folder: &str, before: &str, after: &str| OutputFile {
            folder: folder.into(),
            ..OutputFile::example(before, after)
        };
        for good in [named("Passes", "", ".png"), named("a b", "x/y.z/w", "_é.exr"), right()] {
            good.validate().unwrap();
        }
        for bad in [
            named("..", "", ".png"),
            named("", "", ".png"),
            named("a/b", "", ".png"),
            named(".hidden", "", ".png"),
            named("a", "../", ".png"),
            named("a", "/etc/x", ".png"),
            named("a", "b//c", ".png"),
            named("a", ".x", ".png"),
            named("a", "x", "/../y.png"),
            named("a", "x\n", ".png"),
            named("a", "x", ".mp4"),
            named("a", "x", ""),
            OutputFile { digits: 0, ..right() },
            OutputFile { digits: 11, ..right() },
            OutputFile {
                maker: Maker::View { view: "v".into(), suffix: "/../x".into() },
                ..right()
            },
        ] {
            assert!(bad.validate().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_description_of_the_setup_script_is_parsed() {
        let json = r#"{"frame_suffix":"_L","files":[
            {"view":"right","folder":"right","before":"","digits":4,"after":".png","suffix":"_R",
             "certain":true},
            {"node":"Passes","folder":"Passes","before":"a_","digits":3,"after":".exr",
             "slot":"a_###","certain":false}]}"#;
        let outputs: SceneOutputs = serde_json::from_str(json).unwrap();
        assert_eq!(outputs.views().collect::<Vec<_>>(), [&right()]);
        assert_eq!(outputs.files[1].maker.to_string(), "a_### of the File Output node Passes");
        let again = serde_json::to_string(&outputs).unwrap();
        assert_eq!(serde_json::from_str::<SceneOutputs>(&again).unwrap(), outputs);
    }
}
