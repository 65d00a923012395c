//! What real Blenders said, recorded in `fixtures/transcripts`, against what we make
//! of it.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Cause, Context, Event, LogTail, parse};
use crate::ending::{Ending, Killer};
use crate::request::{BlenderVersion, RenderJob};

/// A recorded run: the lines, and the exit status at the end.
struct Transcript {
    path: PathBuf,
    lines: Vec<String>,
    ending: Ending,
}

/// The recordings of a case, of every version that has one.
fn transcripts(case: &str) -> Vec<Transcript> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts");
    let read = |version: &str| {
        let path = folder.join(version).join(case).with_extension("log");
        let text = String::from_utf8_lossy(&fs::read(&path).ok()?).into_owned();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let last = lines.pop().unwrap();
        let status = last.strip_prefix("[exit status ").and_then(|s| s.strip_suffix(']')).unwrap();
        Some(Transcript { path, lines, ending: Ending::Code(status.parse().unwrap()) })
    };
    let all: Vec<_> = ["3.4.1", "4.3.2", "5.2.2"].into_iter().filter_map(read).collect();
    assert!(!all.is_empty(), "no recordings of {case}");
    all
}

impl Transcript {
    fn cause(&self) -> Cause {
        self.cause_of_file(None)
    }

    /// The cause, if the file was saved by this Blender.
    fn cause_of_file(&self, saved_by: Option<BlenderVersion>) -> Cause {
        let mut tail = LogTail::default();
        for line in &self.lines {
            tail.push(line);
        }
        let job =
            RenderJob { cycles_device: Some("CUDA".parse().unwrap()), ..RenderJob::example() };
        tail.diagnose(self.ending, &Context { killer: Killer::Unknown, saved_by, job: &job })
    }

    /// The names of the files that were saved.
    fn saved(&self) -> Vec<&str> {
        let saved = self.lines.iter().filter_map(|line| match parse(line) {
            Event::Saved(path) => path.rsplit('/').next(),
            _ => None,
        });
        saved.collect()
    }
}

#[test]
fn every_version_tells_which_frames_it_saved() {
    let cases: [(&str, &[&str]); 4] = [
        ("cycles", &["0001.png", "0002.png"]),
        ("eevee", &["0001.png", "0002.png"]),
        ("workbench", &["0001.png", "0002.png"]),
        ("jpeg", &["0001.jpg"]),
    ];
    for (case, files) in cases {
        for transcript in transcripts(case) {
            let saved = transcript.saved();
            assert!(saved.starts_with(files), "{}: {saved:?}", transcript.path.display());
        }
    }
}

#[test]
fn every_version_tells_the_samples_of_a_long_frame() {
    for transcript in transcripts("cycles_samples") {
        let samples = transcript.lines.iter().filter_map(|line| match parse(line) {
            Event::Progress(progress) => progress.samples.zip(progress.frame),
            _ => None,
        });
        let samples: Vec<_> = samples.collect();
        assert!(samples.len() > 2, "{}: {samples:?}", transcript.path.display());
        assert!(samples.iter().all(|((done, total), frame)| done <= total && frame.get() == 1));
    }
}

#[test]
fn every_version_tells_why_it_failed() {
    type Is = fn(&Cause) -> bool;
    let scene: Is = |cause| matches!(cause, Cause::Scene(_));
    let lacking: Is = |cause| matches!(cause, Cause::Unavailable(_));
    let failed: Is = |cause| matches!(cause, Cause::Failed { .. });
    for (case, expected) in [
        ("missing_file", scene),
        ("truncated_file", scene),
        ("garbage_file", scene),
        ("no_camera", scene),
        ("bad_engine", lacking),
        ("no_cycles_device", lacking),
        ("no_libegl", lacking),
        // What keeps it from writing is looked at, not read.
        ("unwritable_output", failed),
    ] {
        for transcript in transcripts(case) {
            let cause = transcript.cause();
            assert!(expected(&cause), "{}: {cause:?}", transcript.path.display());
        }
    }
    for transcript in transcripts("no_libgl") {
        assert!(lacking(&transcript.cause()), "{}", transcript.path.display());
    }
}

#[test]
fn a_file_of_a_newer_blender_is_the_files_fault() {
    let version = |major, minor| Some(BlenderVersion { major, minor });
    for transcript in transcripts("newer_file") {
        let cause = transcript.cause_of_file(version(9, 0));
        let is_newer = matches!(cause, Cause::NewerFile { .. });
        assert!(is_newer, "{}: {cause:?}", transcript.path.display());
    }
}

#[test]
fn a_run_that_went_well_has_no_known_cause_in_it() {
    for case in ["cycles", "eevee", "workbench", "missing_library", "missing_texture", "full_disk"]
    {
        for transcript in transcripts(case) {
            let cause = transcript.cause();
            assert!(
                matches!(cause, Cause::Failed { .. }),
                "{}: {cause:?}",
                transcript.path.display()
            );
        }
    }
}
