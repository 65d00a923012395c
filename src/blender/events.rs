//! A line of Blender's log → what it means to us.
//!
//! Leans on as little as possible, because the log changes with every version:
//! `Saved:` as a hint where to look, our own line from the setup script, progress
//! where it is found. 2.8 to 4.x print bare lines; 5.x puts a clock and a category
//! before them: `00:02.923  render           | Saved: '/tmp/0001.png'`.

use serde::{Deserialize, Serialize};

use crate::request::{FrameNumber, FrameRange, FrameRate, ImageFormat};

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The setup script describes the scene.
    Scene(Box<SceneInfo>),
    /// The setup script names a file that the scene needs.
    External(ExternalFile),
    /// Blender says that it has written this file.
    Saved(&'a str),
    /// How far the frame in hand is.
    Progress(Progress),
    /// How long the frame before took.
    Timing,
    /// Blender reports an error: these are its words.
    Error(&'a str),
    /// Anything else.
    Other,
}

/// How far Blender is with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The frame it is rendering, where the line says so.
    pub frame: Option<FrameNumber>,
    /// Samples done and to do, where the engine counts them.
    pub samples: Option<(u32, u32)>,
}

/// The scene, as the setup script saw it in Blender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneInfo {
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
    /// How many [`ExternalFile`]s were named before this.
    #[serde(default, skip_serializing)]
    pub external_files: Option<usize>,
}

/// What lies outside of the scene file and goes into the pictures: textures, linked
/// libraries, caches. A path begins with `//` for the folder that the scene file is in,
/// or else with `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExternalFile {
    /// A file; or a folder, with everything in and below it.
    File(String),
    /// The files directly in this folder: those of a sequence or of a picture in tiles.
    Folder(String),
}

impl ExternalFile {
    /// Its path.
    pub fn name(&self) -> &str {
        let (Self::File(name) | Self::Folder(name)) = self;
        name
    }
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
}

/// What precedes the JSON that the setup script prints.
const SCENE_MARK: &str = "render-worker-scene: ";
const EXTERNAL_MARK: &str = "render-worker-external: ";

/// Errors that Blender prints when it quits, whatever was the matter.
const NOT_A_CAUSE: [&str; 2] = ["Not freed memory blocks", "script failed, file:"];

/// Reads one line.
pub fn parse(line: &str) -> Event<'_> {
    let line = without_log_prefix(line).trim();
    if let Some(json) = line.strip_prefix(SCENE_MARK) {
        return serde_json::from_str(json).map_or(Event::Other, Event::Scene);
    }
    if let Some(json) = line.strip_prefix(EXTERNAL_MARK) {
        return serde_json::from_str(json).map_or(Event::Other, Event::External);
    }
    if let Some(path) = line.strip_prefix("Saved: ") {
        return Event::Saved(quoted(path));
    }
    if line.starts_with("Time: ") {
        return Event::Timing;
    }
    // `Error: …` up to 4.x, `ERROR …` as a level in 5.x.
    let error = line.strip_prefix("Error: ").or_else(|| line.strip_prefix("ERROR "));
    if let Some(words) = error
        && !NOT_A_CAUSE.iter().any(|start| words.starts_with(start))
    {
        return Event::Error(words);
    }
    progress(line).map_or(Event::Other, Event::Progress)
}

/// `00:02.923  render           | text` → `text`; other lines as they are.
fn without_log_prefix(line: &str) -> &str {
    let Some((prefix, text)) = line.split_once(" | ") else {
        return line;
    };
    let mut words = prefix.split_whitespace();
    let clock = words.next().is_some_and(|word| {
        word.contains(':') && word.bytes().all(|b| b.is_ascii_digit() || b == b':' || b == b'.')
    });
    // A memory column may stand between the clock and the category.
    if clock && words.clone().count() <= 2 { text } else { line }
}

/// 2.7x prints the path bare and the time behind it.
fn quoted(path: &str) -> &str {
    match path.strip_prefix('\'').and_then(|rest| rest.rsplit_once('\'')) {
        Some((path, _)) => path,
        None => path.split_once(" Time:").map_or(path, |(path, _)| path).trim(),
    }
}

/// `Fra:1 Mem:74M … | Sample 1/2`, `Fra: 1 | Mem: 32M | Sample 1/128`,
/// `… | Rendering 26 / 64 samples`.
fn progress(line: &str) -> Option<Progress> {
    let after = line.strip_prefix("Fra:")?.trim_start();
    let frame = after.split([' ', '|']).next()?.parse().ok();
    let samples = line.rsplit(['|', ',']).find_map(|part| {
        let part = part.trim();
        let counted = part.strip_prefix("Sample ").or_else(|| part.strip_prefix("Rendering "))?;
        let (done, total) = counted.split_once('/')?;
        let total = total.split_whitespace().next()?;
        Some((done.trim().parse().ok()?, total.parse().ok()?))
    });
    Some(Progress { frame, samples })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(frame: i64, samples: Option<(u32, u32)>) -> Event<'static> {
        Event::Progress(Progress { frame: FrameNumber::new(frame), samples })
    }

    #[test]
    fn the_logs_of_all_versions_are_understood() {
        let table = [
            ("Saved: 'frames/0001.png'", Event::Saved("frames/0001.png")),
            ("Saved: '/tmp/it's/0001.png'", Event::Saved("/tmp/it's/0001.png")),
            (
                "Saved: /tmp/0001.png Time: 00:00.50 (Saving: 00:00.01)",
                Event::Saved("/tmp/0001.png"),
            ),
            ("00:02.923  render           | Saved: '/t/0001.png'", Event::Saved("/t/0001.png")),
            ("01:00:02.923  35M  render  | Saved: '/t/0001.png'", Event::Saved("/t/0001.png")),
            (
                "Fra:1 Mem:74.73M (Peak 77.77M) | Time:00:00.30 | Remaining:00:00.01 | Mem:35.44M, \
                 Peak:36.48M | Scene, View Layer | Sample 1/2",
                at(1, Some((1, 2))),
            ),
            ("Fra:-3 Mem:1M | Rendered 3/16 Tiles, Sample 94/512", at(-3, Some((94, 512)))),
            (
                "Fra:7 Mem:1M (Peak 2M) | Time:00:00.1 | Rendering 26 / 64 samples",
                at(7, Some((26, 64))),
            ),
            ("Fra:1 Mem:74M | Scene, View Layer | Finished", at(1, None)),
            (
                "00:01.655  render           | Fra: 1 | Mem: 0M | Synchronizing object | Area",
                at(1, None),
            ),
            (
                "00:01.6  render | Fra: 12 | Remaining: 01:43.73 | Mem: 9M | Sample 1/128",
                at(12, Some((1, 128))),
            ),
            ("Error: Cannot render, no camera", Event::Error("Cannot render, no camera")),
            (
                "00:00.413  reports          | ERROR Cannot read file \"/w/none.blend\"",
                Event::Error("Cannot read file \"/w/none.blend\""),
            ),
            ("Error: Not freed memory blocks: 1, total unfreed memory 0.1 MB", Event::Other),
            ("Blender quit", Event::Other),
            (" Time: 00:00.41 (Saving: 00:00.09)", Event::Timing),
            ("", Event::Other),
            ("render-worker-scene: {}", Event::Other),
            (
                r#"render-worker-external: {"file": "//tex/\u00fc.png"}"#,
                Event::External(ExternalFile::File("//tex/ü.png".to_owned())),
            ),
            (
                r#"render-worker-external: {"folder": "/mnt/seq"}"#,
                Event::External(ExternalFile::Folder("/mnt/seq".to_owned())),
            ),
            // As Python escapes what is no Unicode; and cut short.
            (r#"render-worker-external: {"file": "/mnt/\udcff"}"#, Event::Other),
            (r#"render-worker-external: {"file": "/mn"#, Event::Other),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn the_setup_script_describes_the_scene() {
        let line = r#"render-worker-scene: {"blender":"3.4.1","engine":"CYCLES","fps":24,
            "fps_base":1.0010000467300415,"width":64,"height":48,"frame_start":-5,"frame_end":5,
            "extension":".png","warnings":["w"],"later":1}"#
            .replace('\n', "");
        let Event::Scene(scene) = parse(&line) else { panic!("{line}") };
        assert_eq!(scene.frame_rate().unwrap().to_string(), "24000/1001");
        assert_eq!(scene.range().unwrap().to_string(), "-5-5");
        assert_eq!(scene.format(), Some(ImageFormat::Png));
        assert_eq!(scene.warnings, ["w"]);
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in "(Fra:|Saved: |Error: |00:01.2  x \\| )?\\PC{0,80}") {
            let _ = parse(&line);
        }
    }
}
