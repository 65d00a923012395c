//! Why Blender did not deliver: its ending and its last words → the cause.

use std::collections::VecDeque;
use std::fmt;

use super::events::{Event, parse};
use super::{BlenderVersion, SETUP_EXIT_CODE};
use crate::ending::{Ending, Killer};

/// How many of its last lines are quoted.
const TAIL: usize = 12;

/// How many errors are remembered, the first ones: what comes later follows from them.
const ERRORS: usize = 8;

/// Why Blender failed, in terms of who must act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It cannot open the scene file, or there is nothing in it to render.
    Scene(&'static str),
    /// This Blender, or this machine, lacks what was asked for.
    Lacking(&'static str),
    /// The frame could not be written.
    Disk(&'static str),
    /// The script that prepares the scene failed in it.
    Unprepared,
    /// It was killed from outside.
    Killed(Killer),
    /// It crashed, stalled, or ended without all its frames.
    Failed(String),
}

impl Cause {
    /// Whether another launch may go better.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Scene(_) | Self::Lacking(_) | Self::Disk(_) | Self::Unprepared => false,
            Self::Killed(_) | Self::Failed(_) => true,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scene(why) | Self::Lacking(why) | Self::Disk(why) => f.write_str(why),
            Self::Unprepared => f.write_str("the script that prepares the scene failed in Blender"),
            Self::Killed(killer) => write!(f, "Blender was {killer}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

/// Words of Blender 3.4, 4.3 and 5.2 (see fixtures/transcripts) and what they mean
/// until the scene is open; later they are about something else, such as a library.
const WHILE_OPENING: [(&str, Cause); 5] = [
    ("Missing DNA block", DAMAGED),
    ("Failed to read blend file", DAMAGED),
    ("incomplete header", NEWER),
    ("File format is not supported", Cause::Scene("the file is not a .blend")),
    ("Cannot read file", Cause::Scene("the file cannot be opened")),
];

/// The same, at any time.
const ANY_TIME: [(&str, Cause); 9] = [
    ("no camera", Cause::Scene("the scene has no camera")),
    ("engine not found", Cause::Lacking("this Blender has no such render engine (--engine)")),
    ("Found no Cycles device", Cause::Lacking("no such device here (--cycles-device)")),
    // Not any word of these: Mesa says `libGL error: …` where it then finds another driver.
    (
        "Couldn't open libEGL",
        Cause::Lacking("EEVEE and Workbench need libEGL: install Debian's libegl1"),
    ),
    (
        "Couldn't open libGL",
        Cause::Lacking("EEVEE and Workbench need libGL: install Debian's libgl1"),
    ),
    ("No space left on device", Cause::Disk("the scratch disk is full")),
    ("Read-only file system", Cause::Disk("the scratch folder is read-only")),
    // Grey WebP in Blender 3.4. "Cannot save" alone, with or without an error of the system, is
    // what an unwritable folder looks like, too.
    (
        "Unsupported bytes per pixel",
        Cause::Scene(
            "this Blender cannot write images of the scene's file format and colour mode: choose \
             others",
        ),
    ),
    ("cannot save", Cause::Disk("the scratch folder cannot be written")),
];

const DAMAGED: Cause = Cause::Scene("the file is damaged or cut short");
const NEWER: Cause = Cause::Scene("the file was saved by a newer Blender than this one");

/// What Blender said: its first errors and its last lines, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct LogTail {
    lines: VecDeque<String>,
    errors: Vec<String>,
    /// Which Blender it is: the first thing it says.
    running: Option<BlenderVersion>,
    /// Whether it has opened the scene.
    opened: bool,
    /// Whether it has saved a frame.
    saved: bool,
}

impl LogTail {
    /// Takes the next line of the log, and says what it means.
    pub fn push<'a>(&mut self, line: &'a str) -> Event<'a> {
        let event = parse(line);
        match &event {
            Event::Error(words) => {
                if self.errors.len() < ERRORS {
                    self.errors.push((*words).to_owned());
                }
                self.keep(line);
            }
            Event::Other => self.keep(line),
            Event::Scene(_) => self.opened = true,
            Event::Saved(_) => self.saved = true,
            Event::External(_) | Event::Progress(_) | Event::Timing => {}
        }
        event
    }

    fn keep(&mut self, line: &str) {
        if self.running.is_none() {
            self.running = line.strip_prefix("Blender ").and_then(BlenderVersion::parse);
        }
        if self.lines.len() == TAIL {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// Blender's own words, to be quoted: its errors, or else its last lines.
    pub fn last_words(&self) -> Vec<String> {
        if self.errors.is_empty() {
            self.lines.iter().cloned().collect()
        } else {
            self.errors.clone()
        }
    }

    /// Whether it has opened the scene and gone on to the frames.
    pub fn opened(&self) -> bool {
        self.opened
    }

    /// Why Blender failed. `killer` is who did it if it was killed; `saved_by` is the
    /// version of the file, where it is known.
    pub fn diagnose(
        &self,
        ending: Ending,
        killer: Killer,
        saved_by: Option<BlenderVersion>,
    ) -> Cause {
        let too_new = saved_by.zip(self.running).is_some_and(|(file, program)| file > program);
        match (ending, ending.signal(), self.known_cause()) {
            // Whatever it had said before, that is not what ended it.
            (_, Some(9), _) => Cause::Killed(killer),
            (_, _, Some(DAMAGED)) if too_new => NEWER,
            (_, _, Some(cause)) => cause,
            (Ending::Code(SETUP_EXIT_CODE), ..) => Cause::Unprepared,
            (Ending::Code(0), ..) => Cause::Failed("Blender ended as if all was well".to_owned()),
            _ if too_new => NEWER,
            (_, Some(signal), None) => Cause::Failed(format!("Blender crashed (signal {signal})")),
            (ending, None, None) => Cause::Failed(format!("Blender ended with {ending}")),
        }
    }

    /// The cause, if Blender named one that is known.
    fn known_cause(&self) -> Option<Cause> {
        let said =
            |text: &str| self.errors.iter().chain(&self.lines).any(|line| line.contains(text));
        let while_opening = WHILE_OPENING.into_iter().filter(|_| !self.opened);
        // What has saved a frame lacked nothing: it is another frame that it failed at.
        let possible = |cause: &Cause| matches!(cause, Cause::Disk(_)) || !self.saved;
        while_opening
            .chain(ANY_TIME)
            .find(|(text, cause)| possible(cause) && said(text))
            .map(|(_, cause)| cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(lines: &[&str]) -> LogTail {
        let mut tail = LogTail::default();
        for line in lines {
            tail.push(line);
        }
        tail
    }

    fn cause(ending: Ending, lines: &[&str]) -> Cause {
        tail(lines).diagnose(ending, Killer::Unknown, None)
    }

    #[test]
    fn an_ending_without_words_is_told_by_its_status() {
        assert_eq!(cause(Ending::Signal(9), &[]), Cause::Killed(Killer::Unknown));
        assert_eq!(cause(Ending::Code(137), &[]), Cause::Killed(Killer::Unknown));
        assert_eq!(cause(Ending::Code(SETUP_EXIT_CODE), &["Blender quit"]), Cause::Unprepared);
        for (ending, words) in [
            (Ending::Signal(11), "crashed (signal 11)"),
            (Ending::Code(139), "crashed (signal 11)"),
            (Ending::Code(1), "exit status 1"),
            (Ending::Code(0), "as if all was well"),
        ] {
            let Cause::Failed(text) = cause(ending, &["Blender quit"]) else { panic!("{ending}") };
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn a_newer_file_is_named_as_such_however_blender_fails_on_it() {
        let damaged = "Error: Failed to read blend file 'a.blend', not a blend file";
        let fails = |ending, lines: &[&str], major| {
            tail(lines).diagnose(ending, Killer::Unknown, Some(BlenderVersion { major, minor: 3 }))
        };
        let crash = Ending::Signal(11);
        assert_eq!(fails(crash, &["Blender 3.4.1", "Writing: a.crash.txt"], 4), NEWER);
        assert_eq!(fails(Ending::Code(1), &["Blender 3.4.1", damaged], 5), NEWER);
        assert_eq!(fails(Ending::Code(1), &["Blender 4.3.2", damaged], 4), DAMAGED);
        assert!(matches!(fails(crash, &["Blender 4.3.2"], 3), Cause::Failed(_)));
        assert!(matches!(fails(crash, &[], 4), Cause::Failed(_)));
    }

    #[test]
    fn what_was_said_before_does_not_hide_what_ended_it() {
        let opened = r#"render-worker-scene: {"blender":"3.4.1","engine":"CYCLES","fps":24,
            "fps_base":1.0,"width":6,"height":4,"frame_start":1,"frame_end":5,"extension":".png"}"#
            .replace('\n', "");
        let library = "Error: Failed to read blend file 'lib.blend': Missing DNA block";
        assert_eq!(cause(Ending::Code(1), &[library]), DAMAGED);
        assert!(matches!(cause(Ending::Signal(11), &[library, &opened]), Cause::Failed(_)));
        assert_eq!(cause(Ending::Signal(9), &[library]), Cause::Killed(Killer::Unknown));
    }

    #[test]
    fn after_a_frame_was_saved_only_the_disk_can_be_why_none_follows() {
        let saved = "Saved: '/tmp/0001.png'";
        let crash = |lines: &[&str]| cause(Ending::Signal(11), lines);
        let camera = "Error: Cannot render, no camera";
        assert!(matches!(crash(&[camera]), Cause::Scene(_)));
        assert!(matches!(crash(&[saved, camera]), Cause::Failed(_)));
        assert!(matches!(crash(&[saved, "No space left on device"]), Cause::Disk(_)));
        let mesa = "libGL error: failed to load driver: swrast";
        assert!(matches!(crash(&[mesa]), Cause::Failed(_)));
    }

    #[test]
    fn an_encoder_that_fails_is_not_the_disk() {
        let encoder = "WebP: Unsupported bytes per pixel: 1 for file: '/tmp/0001.webp'";
        let cannot = "Error: Render error (Success) cannot save: '/tmp/0001.webp'";
        assert!(matches!(cause(Ending::Code(1), &[encoder, cannot]), Cause::Scene(_)));
        assert!(matches!(cause(Ending::Code(1), &[cannot]), Cause::Disk(_)));
    }

    #[test]
    fn errors_are_quoted_before_last_lines_and_memory_is_bounded() {
        let mut tail = tail(&["Error: the first"]);
        for n in 0..10_000 {
            tail.push(&format!("Error: number {n}"));
            tail.push(&format!("line {n}"));
            tail.push("Fra:1 Mem:1M | Sample 1/2");
        }
        assert_eq!(tail.last_words().len(), ERRORS);
        assert_eq!(tail.last_words().first().map(String::as_str), Some("the first"));
        assert_eq!(tail.lines.len(), TAIL);
    }
}
