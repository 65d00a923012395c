//! Blender's ending and its last words → the [`Cause`] of its failure.

use std::collections::VecDeque;

use super::events::{Event, parse};
use super::{Cause, Failure, SETUP_EXIT_CODE};
use crate::ending::{Ending, Killer};
use crate::request::{BlenderVersion, Engine, RenderJob};

/// How many of its last lines are quoted.
const TAIL: usize = 12;

/// How many scenes are remembered whose render engine is missing.
const ENGINES: usize = 64;

/// How many errors are remembered, the first ones: what comes later follows from them.
const ERRORS: usize = 8;

/// What is known of a launch besides what Blender said.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Who killed it, if it was killed.
    pub killer: Killer,
    /// Which Blender saved the file, where the file tells.
    pub saved_by: Option<BlenderVersion>,
    /// What Blender was asked to do: only what it was asked for can be lacking.
    pub job: &'a RenderJob,
}

/// Words of Blender 3.4, 4.3 and 5.2 (see fixtures/transcripts) and what they mean
/// until the scene is open; later they are about something else, such as a library.
const WHILE_OPENING: [(&str, Cause); 5] = [
    (
        "created by a Big Endian version of Blender",
        Cause::Scene(
            "the file is big endian, which Blender 5 cannot read: save it with Blender 4.5",
        ),
    ),
    ("Missing DNA block", DAMAGED),
    ("Failed to read blend file", DAMAGED),
    ("File format is not supported", Cause::Scene("the file is not a .blend")),
    ("Cannot read file", Cause::Scene("the file cannot be opened")),
];

/// Words of an older Blender, of a file that it cannot read.
const TOO_NEW: [&str; 2] = ["incomplete header", "saved by a newer version"];

/// What must be so for words to be believed, which scenes and add-ons can print, too.
#[derive(Clone, Copy, Debug)]
enum If {
    /// Nothing more.
    Said,
    /// Blender aborted.
    Aborted,
    /// It was told which render engine to take.
    EngineNamed,
    /// It was told what to compute on.
    DeviceNamed,
}

/// Words until a frame is saved: what has saved one lacked nothing. No word of any program is
/// enough to blame the disk or the memory of this machine, which are looked at instead.
const BEFORE_A_FRAME: [(&str, If, Cause); 9] = [
    ("no camera", If::Said, Cause::Scene("the scene has no camera")),
    (
        "engine not found",
        If::EngineNamed,
        Cause::Unavailable("this Blender has no such render engine (--engine)"),
    ),
    (
        "Found no Cycles device",
        If::DeviceNamed,
        Cause::Unavailable("no such device here (--cycles-device)"),
    ),
    // The command over the wheel, deploy/image/blender.
    (
        "cannot load Blender from",
        If::Said,
        Cause::Unavailable("this Blender, or a library that it needs, is not there"),
    ),
    // Not any word of these: Mesa says `libGL error: …` where it then finds another driver.
    (
        "Couldn't open libEGL",
        If::Aborted,
        Cause::Unavailable("EEVEE and Workbench need libEGL: install Debian's libegl1"),
    ),
    (
        "Couldn't open libGL",
        If::Aborted,
        Cause::Unavailable("EEVEE and Workbench need libGL: install Debian's libgl1"),
    ),
    // Debian 13's 4.3.2 aborts on every fluid domain, for want of Python in its Mantaflow.
    (
        "PyImport_AppendInittab() may not be called after Py_Initialize()",
        If::Aborted,
        Cause::Unavailable("this build of Blender cannot simulate fluids, which the scene has"),
    ),
    // Where denoising was switched on behind the setup script's back: by a driver, for example.
    ("Failed to denoise, build has no OpenImageDenoise", If::Said, NO_DENOISER),
    ("Build without OpenImageDenoise", If::Said, NO_DENOISER),
];

const NO_DENOISER: Cause = Cause::Unavailable("this Blender has no denoiser (Open Image Denoise)");
const DAMAGED: Cause = Cause::Scene("the file is damaged or cut short");

/// What Blender said: its first errors and its last lines, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct LogTail {
    lines: VecDeque<String>,
    errors: Vec<String>,
    /// Which Blender it is: the first thing it says.
    running: Option<BlenderVersion>,
    /// Render engines that it does not have, and the scenes that are set to them.
    missing_engines: Vec<(String, String)>,
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
                if self.missing_engines.len() < ENGINES {
                    self.missing_engines.extend(missing_engine(words));
                }
                if self.errors.len() < ERRORS {
                    self.errors.push((*words).to_owned());
                }
                self.keep(line);
            }
            Event::Other => self.keep(line),
            Event::Saved(_) => self.saved = true,
            Event::Described | Event::Progress(_) | Event::Timing => {}
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

    /// Notes that it has opened the scene: it has described it.
    pub fn scene_is_open(&mut self) {
        self.opened = true;
    }

    /// Whether it has opened the scene and gone on to the frames.
    pub fn opened(&self) -> bool {
        self.opened
    }

    /// The render engine that the scene `name` is set to, if Blender said that it has no such
    /// engine. It renders with another one then, and says nothing more of it.
    pub fn missing_engine(&self, name: &str) -> Option<&str> {
        let mut missing = self.missing_engines.iter();
        missing.find(|(_, scene)| scene == name).map(|(engine, _)| engine.as_str())
    }

    /// Whether Blender said that it could not write for want of room. It may have said so of
    /// any file.
    pub fn speaks_of_full_disk(&self) -> bool {
        self.said("No space left on device")
    }

    /// Why Blender failed.
    pub fn diagnose(&self, ending: Ending, context: &Context<'_>) -> Cause {
        let (saved_by, running) = (context.saved_by, self.running);
        let is_newer = saved_by.zip(running).is_some_and(|(file, program)| file > program);
        let says_so = || TOO_NEW.iter().any(|words| self.said(words));
        match (ending, ending.signal(), self.known_cause(ending, context)) {
            // Whatever it had said before, that is not what ended it.
            (_, Some(9), _) => Cause::Killed(context.killer),
            (_, _, None | Some(DAMAGED)) if !self.opened && (is_newer || says_so()) => {
                Cause::NewerFile { saved_by, running }
            }
            (_, _, Some(cause)) => cause,
            (Ending::Code(SETUP_EXIT_CODE), ..) => Cause::Unprepared,
            (_, Some(signal), None) => Failure::Crashed(signal).into(),
            (ending, None, None) => Failure::Ended(ending).into(),
        }
    }

    fn said(&self, text: &str) -> bool {
        self.errors.iter().chain(&self.lines).any(|line| line.contains(text))
    }

    /// The cause, if Blender named one that is known.
    fn known_cause(&self, ending: Ending, context: &Context<'_>) -> Option<Cause> {
        const ABORT: i32 = 6;
        let holds = |condition| match condition {
            If::Said => true,
            If::Aborted => ending.signal() == Some(ABORT),
            If::EngineNamed => matches!(context.job.engine, Engine::Named(_)),
            If::DeviceNamed => context.job.cycles_device.is_some(),
        };
        let while_opening = WHILE_OPENING.into_iter().filter(|_| !self.opened);
        let before_a_frame = BEFORE_A_FRAME.into_iter().filter(|_| !self.saved);
        let before_a_frame = before_a_frame.filter(|(_, condition, _)| holds(*condition));
        while_opening
            .chain(before_a_frame.map(|(text, _, cause)| (text, cause)))
            .find(|(text, _)| self.said(text))
            .map(|(_, cause)| cause)
    }
}

/// `Engine 'LUXCORE' not available for scene 'Scene' (…)` → the engine, the scene.
fn missing_engine(words: &str) -> Option<(String, String)> {
    let rest = words.strip_prefix("Engine '")?;
    let (engine, rest) = rest.split_once("' not available for scene '")?;
    let (scene, _) = rest.rsplit_once('\'')?;
    Some((engine.to_owned(), scene.to_owned()))
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

    /// The cause, in a job that asked for a device, of a file that `saved_by` saved.
    fn diagnose(tail: &LogTail, ending: Ending, saved_by: Option<BlenderVersion>) -> Cause {
        let job =
            RenderJob { cycles_device: Some("CUDA".parse().unwrap()), ..RenderJob::example() };
        tail.diagnose(ending, &Context { killer: Killer::Unknown, saved_by, job: &job })
    }

    fn cause(ending: Ending, lines: &[&str]) -> Cause {
        diagnose(&tail(lines), ending, None)
    }

    const CRASH: Ending = Ending::Signal(11);

    #[test]
    fn an_ending_without_words_is_told_by_its_status() {
        assert_eq!(cause(Ending::Signal(9), &[]), Cause::Killed(Killer::Unknown));
        assert_eq!(cause(Ending::Code(137), &[]), Cause::Killed(Killer::Unknown));
        assert_eq!(cause(Ending::Code(SETUP_EXIT_CODE), &["Blender quit"]), Cause::Unprepared);
        for (ending, failure) in [
            (CRASH, Failure::Crashed(11)),
            (Ending::Code(139), Failure::Crashed(11)),
            (Ending::Code(1), Failure::Ended(Ending::Code(1))),
            (Ending::Code(0), Failure::Ended(Ending::Code(0))),
        ] {
            assert_eq!(cause(ending, &["Blender quit"]), failure.into());
        }
    }

    #[test]
    fn a_wheel_that_lacks_a_library_is_told_as_that() {
        let words = "Error: this Python (/usr/bin/python3.13) cannot load Blender from \
                     /opt/blender/lib: libSM.so.6: cannot open shared object file";
        assert!(matches!(cause(Ending::Code(1), &[words]), Cause::Unavailable(_)));
    }

    #[test]
    fn a_newer_file_is_named_as_such_however_blender_fails_on_it() {
        let damaged = "Error: Failed to read blend file 'a.blend', not a blend file";
        let incomplete = "Error: Cannot read blend file 'a.blend', incomplete header";
        let is_newer = |ending, lines: &[&str], major| {
            let saved_by = Some(BlenderVersion { major, minor: 3 });
            matches!(diagnose(&tail(lines), ending, saved_by), Cause::NewerFile { .. })
        };
        assert!(is_newer(CRASH, &["Blender 3.4.1", "Writing: a.crash.txt"], 4));
        assert!(is_newer(Ending::Code(1), &["Blender 3.4.1", damaged], 5));
        assert!(is_newer(Ending::Code(1), &[incomplete], 5));
        assert!(!is_newer(Ending::Code(1), &["Blender 4.3.2", damaged], 4));
        assert!(!is_newer(CRASH, &["Blender 4.3.2"], 3));
        assert!(!is_newer(CRASH, &[], 4));
    }

    #[test]
    fn a_big_endian_file_is_the_scenes_fault() {
        let words = "Loading \"a.blend\" failed: Blend file 'a.blend' created by a Big Endian \
                     version of Blender, support for these files has been removed";
        assert!(matches!(cause(Ending::Code(1), &[words]), Cause::Scene(_)));
    }

    #[test]
    fn what_was_said_before_does_not_hide_what_ended_it() {
        let library = "Error: Failed to read blend file 'lib.blend': Missing DNA block";
        let mut tail = tail(&[library]);
        assert_eq!(diagnose(&tail, Ending::Code(1), None), DAMAGED);
        assert_eq!(diagnose(&tail, Ending::Signal(9), None), Cause::Killed(Killer::Unknown));
        tail.scene_is_open();
        assert_eq!(diagnose(&tail, CRASH, None), Failure::Crashed(11).into());
    }

    #[test]
    fn what_has_saved_a_frame_lacked_nothing() {
        let saved = "Saved: '/tmp/0001.png'";
        let camera = "Error: Cannot render, no camera";
        assert!(matches!(cause(CRASH, &[camera]), Cause::Scene(_)));
        assert_eq!(cause(CRASH, &[saved, camera]), Failure::Crashed(11).into());
    }

    #[test]
    fn words_that_blame_the_machine_are_not_enough() {
        for words in [
            "No space left on device",
            "[Errno 30] Read-only file system: '/x'",
            "Error: Render error (Permission denied) cannot save: '/x/0001.png'",
            "libGL error: failed to load driver: swrast",
            // It would have aborted.
            "Couldn't open libEGL.so.1",
        ] {
            assert_eq!(cause(CRASH, &[words]), Failure::Crashed(11).into(), "{words}");
        }
        assert!(tail(&["No space left on device"]).speaks_of_full_disk());
        let lacks = |words: &str, job: &RenderJob| {
            let context = Context { killer: Killer::Unknown, saved_by: None, job };
            matches!(tail(&[words]).diagnose(Ending::Code(1), &context), Cause::Unavailable(_))
        };
        let asked =
            RenderJob { cycles_device: Some("CUDA".parse().unwrap()), ..RenderJob::example() };
        let left_open = RenderJob { engine: Engine::Scene, ..RenderJob::example() };
        let (device, engine) =
            ("Error: Found no Cycles device of the specified type", "Error: engine not found 'X'");
        assert!(lacks(device, &asked) && !lacks(device, &left_open));
        assert!(lacks(engine, &asked) && !lacks(engine, &left_open));
    }

    #[test]
    fn a_scene_whose_engine_is_missing_is_known() {
        let said = "Error: Engine 'LUXCORE' not available for scene 'It's one' (an add-on may need \
                    to be installed or enabled)";
        let tail = tail(&[said]);
        assert_eq!(tail.missing_engine("It's one"), Some("LUXCORE"));
        assert_eq!(tail.missing_engine("Another"), None);
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
