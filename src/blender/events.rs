//! A line of Blender's log → its meaning, an [`Event`].
//!
//! The parser relies on as little as possible, because the log changes with every version.
//! `Saved:` and the setup script's own line are hints where to look. Progress is optional.
//!
//! Blender 2.8 to 4.x print bare lines. Blender 5.x puts a clock and a category before them:
//! `00:02.923  render           | Saved: '/tmp/0001.png'`.

use crate::request::FrameNumber;

/// The meaning of a line.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The setup script has written its description of the scene. A scene can print this line,
    /// too: only the description counts.
    Described,
    /// Blender reports that it has written this file.
    Saved(&'a str),
    /// The setup script begins to simulate the frames that lead to one that is to be rendered.
    Simulates {
        /// The first and the last of these frames.
        frames: (FrameNumber, FrameNumber),
        /// The frame that is to be rendered.
        before: FrameNumber,
    },
    /// The setup script has simulated a frame.
    Simulated {
        /// The frame.
        frame: FrameNumber,
        /// The seconds that it took, not negative.
        seconds: f64,
    },
    /// Blender reports its progress with the current frame.
    Progress(Progress),
    /// Blender reports how long the frame that it has just finished took.
    Timing,
    /// Blender reports an error with this message.
    Error(&'a str),
    /// Python in a driver failed, or may not run.
    FailedDriver,
    /// Blender goes on, but the pictures may be wrong.
    Doubt,
    /// Anything else.
    Other,
}

/// Blender's progress with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The frame that Blender is rendering, if the line names it.
    pub frame: Option<FrameNumber>,
    /// Samples rendered so far and in all, if the engine counts them.
    pub samples: Option<(u32, u32)>,
}

/// The beginning of every line that the setup script prints.
const OWN: &str = "render-worker: ";

/// The line that the setup script prints once its description of the scene is written.
const DESCRIBED: &str = "the scene is described";

/// Beginnings of errors that Blender prints when it quits, whatever the cause.
const NOT_A_CAUSE: [&str; 2] = ["Not freed memory blocks", "script failed, file:"];

/// Beginnings of lines after which Blender renders something else than the scene says: a handler
/// failed, or something of the workstation's colour configuration is not there.
const DOUBTS: [&str; 2] = ["Error in bpy.app.handlers", "Color management: "];

/// Parses one line.
pub fn parse(line: &str) -> Event<'_> {
    let line = without_log_prefix(line).trim();
    if let Some(event) = line.strip_prefix(OWN).and_then(own) {
        return event;
    }
    if let Some(path) = line.strip_prefix("Saved: ") {
        return Event::Saved(quoted(path));
    }
    if line.starts_with("Time: ") {
        return Event::Timing;
    }
    // `Error: …` up to 4.x, `ERROR …` as a level in 5.x.
    let error = line.strip_prefix("Error: ").or_else(|| line.strip_prefix("ERROR "));
    if let Some(message) = error
        && !NOT_A_CAUSE.iter().any(|start| message.starts_with(start))
    {
        return Event::Error(message);
    }
    let text = line.strip_prefix("WARNING ").unwrap_or(line);
    if text.starts_with("Error in PyDriver") {
        return Event::FailedDriver;
    }
    if DOUBTS.iter().any(|start| text.starts_with(start)) {
        return Event::Doubt;
    }
    progress(line).map_or(Event::Other, Event::Progress)
}

/// A line of the setup script, without its beginning.
fn own(line: &str) -> Option<Event<'static>> {
    if line == DESCRIBED {
        return Some(Event::Described);
    }
    let words: Vec<_> = line.split(' ').collect();
    let frame = |text: &str| text.parse().ok().and_then(FrameNumber::new);
    match *words.as_slice() {
        ["simulates", first, "to", last, "before", before] => {
            let frames = (frame(first)?, frame(last)?);
            Some(Event::Simulates { frames, before: frame(before)? })
        }
        ["simulated", number, "in", seconds, "s"] => {
            let seconds = seconds.parse().ok().filter(|it: &f64| it.is_finite() && *it >= 0.0)?;
            Some(Event::Simulated { frame: frame(number)?, seconds })
        }
        _ => None,
    }
}

/// The path in a message that Blender cannot save a file. For the files of File Output nodes, no
/// version ends because of that.
pub fn not_saved(line: &str) -> Option<&str> {
    let line = line.trim();
    let (_, path) = line
        .split_once(" cannot save: ")
        .or_else(|| line.split_once("Cannot save Node File Output to "))?;
    Some(quoted(path))
}

/// `00:02.923  render           | text` → `text`. Other lines are returned unchanged.
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

/// `'/tmp/0001.png'` → the path. Blender 2.7x prints the path without quotes and a time after it.
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

    fn number(number: i64) -> FrameNumber {
        FrameNumber::new(number).unwrap()
    }

    fn at(frame: i64, samples: Option<(u32, u32)>) -> Event<'static> {
        Event::Progress(Progress { frame: FrameNumber::new(frame), samples })
    }

    #[test]
    fn files_that_cannot_be_saved_are_named() {
        for line in [
            "Cannot save Node File Output to /t/a0001.png",
            "Error: Render error (Invalid argument) cannot save: '/t/a0001.png'",
            "00:01.302  reports | ERROR Render error (File exists) cannot save: '/t/a0001.png'",
        ] {
            assert_eq!(not_saved(line), Some("/t/a0001.png"), "{line}");
        }
        assert_eq!(not_saved("Saved: '/t/a0001.png'"), None);
    }

    #[test]
    fn lines_of_all_versions_are_parsed() {
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
            ("Error in bpy.app.handlers.frame_change_pre[0]:", Event::Doubt),
            ("Error in PyDriver: expression failed: addon_fn(frame)", Event::FailedDriver),
            (
                "Color management: scene view \"ACES\" not found, setting default \"Standard\".",
                Event::Doubt,
            ),
            (
                "00:00.413  reports          | ERROR Cannot read file \"/w/none.blend\"",
                Event::Error("Cannot read file \"/w/none.blend\""),
            ),
            ("Error: Not freed memory blocks: 1, total unfreed memory 0.1 MB", Event::Other),
            ("Blender quit", Event::Other),
            (" Time: 00:00.41 (Saving: 00:00.09)", Event::Timing),
            ("", Event::Other),
            ("render-worker: the scene is described", Event::Described),
            (
                "render-worker: simulates -3 to 10 before 11",
                Event::Simulates { frames: (number(-3), number(10)), before: number(11) },
            ),
            (
                "render-worker: simulated 7 in 0.250 s",
                Event::Simulated { frame: number(7), seconds: 0.25 },
            ),
            ("render-worker: simulated 7 in -1 s", Event::Other),
            ("render-worker: simulated 7 in NaN s", Event::Other),
            ("render-worker: simulated 99999999999 in 1 s", Event::Other),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in "(Fra:|Saved: |Error: |00:01.2  x \\| )?\\PC{0,80}") {
            let _ = parse(&line);
        }
    }
}
