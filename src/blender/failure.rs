//! Blender's exit status and log → the [`Cause`] of its failure.

use std::collections::VecDeque;

use super::events::{Event, parse};
use super::{Cause, Failure, SETUP_EXIT_CODE};
use crate::ending::{Ending, Killer};
use crate::request::{BlenderVersion, RenderJob};

/// How many of the log's last lines are kept.
const MAX_LINES: usize = 12;

/// How many reports of a missing render engine are kept.
const MAX_MISSING_ENGINES: usize = 64;

/// How many errors are kept. These are the first ones, because later errors follow from them.
const MAX_ERRORS: usize = 8;

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// What the worker knows of a launch besides Blender's log.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Who killed Blender, if it was killed.
    pub killer: Killer,
    /// The version of Blender that saved the scene file, if the file records it.
    pub saved_by: Option<BlenderVersion>,
    /// The job, if it renders. A device can be unavailable only if it names one.
    pub job: Option<&'a RenderJob>,
}

/// Messages of Blender 3.4, 4.3 and 5.2 (see fixtures/transcripts), and the causes that they
/// name until the scene is open. Later they are about something else, such as a library.
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

/// Messages of an older Blender about a file that is too new for it.
const TOO_NEW: [&str; 2] = ["incomplete header", "saved by a newer version"];

/// When a message counts. Scenes and add-ons can print the same text as Blender.
#[derive(Clone, Copy, Debug)]
enum If {
    /// Always.
    Always,
    /// Only if Blender aborted.
    Aborted,
    /// Only if the job names a device for Cycles.
    DeviceNamed,
}

/// Messages, and the causes that they name until a frame is saved: a Blender that has saved one
/// lacked nothing. None of them blames the disk or the memory of this machine, which the worker
/// checks itself.
const BEFORE_A_FRAME: [(&str, If, Cause); 8] = [
    ("no camera", If::Always, Cause::Scene("the scene has no camera")),
    (
        "Found no Cycles device",
        If::DeviceNamed,
        Cause::Unavailable("no such device here (--cycles-device)"),
    ),
    // Printed by deploy/image/blender, which wraps the Python module.
    (
        "cannot load Blender from",
        If::Always,
        Cause::Unavailable("this Blender, or a library that it needs, is missing"),
    ),
    // `libGL` alone is not enough: Mesa prints `libGL error: …` before it tries another driver.
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
    // Debian 13's 4.3.2 aborts on every fluid domain: its Mantaflow lacks Python.
    (
        "PyImport_AppendInittab() may not be called after Py_Initialize()",
        If::Aborted,
        Cause::Unavailable("this build of Blender cannot simulate fluids, which the scene needs"),
    ),
    // Something switched denoising on after the setup script had run: a driver, for example.
    ("Failed to denoise, build has no OpenImageDenoise", If::Always, NO_DENOISER),
    ("Build without OpenImageDenoise", If::Always, NO_DENOISER),
];

const NO_DENOISER: Cause = Cause::Unavailable("this Blender has no denoiser (Open Image Denoise)");
const DAMAGED: Cause = Cause::Scene("the file is damaged or cut short");

/// The first errors and the last lines of Blender's log, in bounded memory.
#[derive(Clone, Debug, Default)]
pub struct LogTail {
    lines: VecDeque<String>,
    errors: Vec<String>,
    /// The version that Blender prints before anything else.
    running: Option<BlenderVersion>,
    /// Pairs of a render engine that Blender does not have and a scene that is set to it.
    missing_engines: Vec<(String, String)>,
    /// Whether Blender has opened the scene.
    scene_open: bool,
    /// Whether Blender has saved a frame.
    saved: bool,
}

impl LogTail {
    /// Adds the next line of the log, and returns its meaning.
    pub fn push<'a>(&mut self, line: &'a str) -> Event<'a> {
        let event = parse(line);
        match &event {
            Event::Error(message) => {
                if self.missing_engines.len() < MAX_MISSING_ENGINES {
                    self.missing_engines.extend(missing_engine(message));
                }
                if self.errors.len() < MAX_ERRORS {
                    self.errors.push((*message).to_owned());
                }
                self.keep(line);
            }
            Event::FailedDriver | Event::Doubt | Event::Other => self.keep(line),
            Event::Saved(_) => self.saved = true,
            Event::Described
            | Event::Simulates { .. }
            | Event::Simulated { .. }
            | Event::Progress(_)
            | Event::Timing => {}
        }
        event
    }

    fn keep(&mut self, line: &str) {
        if self.running.is_none() {
            self.running = line.strip_prefix("Blender ").and_then(BlenderVersion::parse);
        }
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// The lines to quote: Blender's errors, or else its last lines.
    pub fn excerpt(&self) -> Vec<String> {
        if self.errors.is_empty() {
            self.lines.iter().cloned().collect()
        } else {
            self.errors.clone()
        }
    }

    /// Records that Blender has opened the scene: the setup script has described it.
    pub fn mark_scene_open(&mut self) {
        self.scene_open = true;
    }

    /// Whether Blender has opened the scene and gone on to the frames.
    pub fn is_scene_open(&self) -> bool {
        self.scene_open
    }

    /// The render engine that the scene `name` is set to, if Blender reported that it has no
    /// such engine. Blender reports this once and renders with another engine.
    pub fn missing_engine(&self, name: &str) -> Option<&str> {
        let mut missing = self.missing_engines.iter();
        missing.find(|(_, scene)| scene == name).map(|(engine, _)| engine.as_str())
    }

    /// Whether Blender reported a full disk. Any file can be the one that did not fit.
    pub fn reports_full_disk(&self) -> bool {
        self.mentions("No space left on device")
    }

    /// The cause of Blender's failure.
    pub fn diagnose(&self, ending: Ending, context: &Context<'_>) -> Cause {
        let (saved_by, running) = (context.saved_by, self.running);
        let is_newer = saved_by.zip(running).is_some_and(|(file, program)| file > program);
        let reported = || TOO_NEW.iter().any(|message| self.mentions(message));
        match (ending, ending.signal(), self.known_cause(ending, context)) {
            // No earlier message explains a SIGKILL.
            (_, Some(SIGKILL), _) => Cause::Killed(context.killer),
            (_, _, None | Some(DAMAGED)) if !self.scene_open && (is_newer || reported()) => {
                Cause::NewerFile { saved_by, running }
            }
            (_, _, Some(cause)) => cause,
            (Ending::Code(SETUP_EXIT_CODE), ..) => Cause::SetupFailed,
            (_, Some(signal), None) => Failure::Crashed(signal).into(),
            (ending, None, None) => Failure::Ended(ending).into(),
        }
    }

    fn mentions(&self, text: &str) -> bool {
        self.errors.iter().chain(&self.lines).any(|line| line.contains(text))
    }

    /// The cause that a known message names, if there is such a message.
    fn known_cause(&self, ending: Ending, context: &Context<'_>) -> Option<Cause> {
        let holds = |condition| match condition {
            If::Always => true,
            If::Aborted => ending.signal() == Some(SIGABRT),
            If::DeviceNamed => context.job.is_some_and(|job| job.cycles_device.is_some()),
        };
        let while_opening = WHILE_OPENING.into_iter().filter(|_| !self.scene_open);
        let before_a_frame = BEFORE_A_FRAME.into_iter().filter(|_| !self.saved);
        let before_a_frame = before_a_frame.filter(|(_, condition, _)| holds(*condition));
        while_opening
            .chain(before_a_frame.map(|(text, _, cause)| (text, cause)))
            .find(|(text, _)| self.mentions(text))
            .map(|(_, cause)| cause)
    }
}

/// `Engine 'LUXCORE' not available for scene 'Scene' (…)` → the engine, the scene.
fn missing_engine(message: &str) -> Option<(String, String)> {
    let rest = message.strip_prefix("Engine '")?;
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

    /// The cause, in a job that names a device, with a scene file that `saved_by` saved.
    fn diagnose(tail: &LogTail, ending: Ending, saved_by: Option<BlenderVersion>) -> Cause {
        let job =
            RenderJob { cycles_device: Some("CUDA".parse().unwrap()), ..RenderJob::example() };
        tail.diagnose(ending, &Context { killer: Killer::Unknown, saved_by, job: Some(&job) })
    }

    fn cause(ending: Ending, lines: &[&str]) -> Cause {
        diagnose(&tail(lines), ending, None)
    }

    const CRASH: Ending = Ending::Signal(11);

    #[test]
    fn without_a_known_message_the_exit_status_names_the_cause() {
        assert_eq!(cause(Ending::Signal(9), &[]), Cause::Killed(Killer::Unknown));
        assert_eq!(cause(Ending::Code(137), &[]), Cause::Killed(Killer::Unknown));
        assert_eq!(cause(Ending::Code(SETUP_EXIT_CODE), &["Blender quit"]), Cause::SetupFailed);
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
    fn a_blender_that_lacks_a_library_is_unavailable() {
        let message = "Error: this Python (/usr/bin/python3.13) cannot load Blender from \
                     /opt/blender/lib: libSM.so.6: cannot open shared object file";
        assert!(matches!(cause(Ending::Code(1), &[message]), Cause::Unavailable(_)));
    }

    #[test]
    fn a_newer_file_is_recognised_however_blender_fails_on_it() {
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
    fn a_big_endian_file_is_blamed_on_the_scene() {
        let message = "Loading \"a.blend\" failed: Blend file 'a.blend' created by a Big Endian \
                     version of Blender, support for these files has been removed";
        assert!(matches!(cause(Ending::Code(1), &[message]), Cause::Scene(_)));
    }

    #[test]
    fn earlier_messages_do_not_hide_what_ended_blender() {
        let library = "Error: Failed to read blend file 'lib.blend': Missing DNA block";
        let mut tail = tail(&[library]);
        assert_eq!(diagnose(&tail, Ending::Code(1), None), DAMAGED);
        assert_eq!(diagnose(&tail, Ending::Signal(9), None), Cause::Killed(Killer::Unknown));
        tail.mark_scene_open();
        assert_eq!(diagnose(&tail, CRASH, None), Failure::Crashed(11).into());
    }

    #[test]
    fn a_blender_that_has_saved_a_frame_lacked_nothing() {
        let saved = "Saved: '/tmp/0001.png'";
        let camera = "Error: Cannot render, no camera";
        assert!(matches!(cause(CRASH, &[camera]), Cause::Scene(_)));
        assert_eq!(cause(CRASH, &[saved, camera]), Failure::Crashed(11).into());
    }

    #[test]
    fn messages_that_blame_the_machine_are_not_enough() {
        for message in [
            "No space left on device",
            "[Errno 30] Read-only file system: '/x'",
            "Error: Render error (Permission denied) cannot save: '/x/0001.png'",
            "libGL error: failed to load driver: swrast",
            // Without libEGL Blender aborts.
            "Couldn't open libEGL.so.1",
        ] {
            assert_eq!(cause(CRASH, &[message]), Failure::Crashed(11).into(), "{message}");
        }
        assert!(tail(&["No space left on device"]).reports_full_disk());
        let is_unavailable = |message: &str, job: &RenderJob| {
            let context = Context { killer: Killer::Unknown, saved_by: None, job: Some(job) };
            matches!(tail(&[message]).diagnose(Ending::Code(1), &context), Cause::Unavailable(_))
        };
        let named =
            RenderJob { cycles_device: Some("CUDA".parse().unwrap()), ..RenderJob::example() };
        let device = "Error: Found no Cycles device of the specified type";
        assert!(is_unavailable(device, &named));
        assert!(!is_unavailable(device, &RenderJob::example()));
    }

    #[test]
    fn the_missing_engine_of_a_scene_is_remembered() {
        let message = "Error: Engine 'LUXCORE' not available for scene 'It's one' (an add-on may need \
                    to be installed or enabled)";
        let tail = tail(&[message]);
        assert_eq!(tail.missing_engine("It's one"), Some("LUXCORE"));
        assert_eq!(tail.missing_engine("Another"), None);
    }

    #[test]
    fn errors_are_quoted_rather_than_last_lines_and_memory_is_bounded() {
        let mut tail = tail(&["Error: the first"]);
        for n in 0..10_000 {
            tail.push(&format!("Error: number {n}"));
            tail.push(&format!("line {n}"));
            tail.push("Fra:1 Mem:1M | Sample 1/2");
        }
        assert_eq!(tail.excerpt().len(), MAX_ERRORS);
        assert_eq!(tail.excerpt().first().map(String::as_str), Some("the first"));
        assert_eq!(tail.lines.len(), MAX_LINES);
    }
}
