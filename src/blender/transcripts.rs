//! Tests of the log's interpretation against the logs of real Blenders in
//! `fixtures/transcripts`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Cause, Context, Event, LogTail, parse};
use crate::ending::{Ending, Killer};
use crate::request::{BlenderVersion, RenderJob};

/// A recorded run: its log and its exit status, which is the last line of the file.
struct Transcript {
    path: PathBuf,
    lines: Vec<String>,
    ending: Ending,
}

/// The recordings of a case, from every version that has one.
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

    /// The cause of the failure, given the version that saved the scene file.
    fn cause_of_file(&self, saved_by: Option<BlenderVersion>) -> Cause {
        let mut tail = LogTail::default();
        for line in &self.lines {
            tail.push(line);
        }
        let job =
            RenderJob { cycles_device: Some("CUDA".parse().unwrap()), ..RenderJob::example() };
        tail.diagnose(self.ending, &Context { killer: Killer::Unknown, saved_by, job: Some(&job) })
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
fn saved_frames_are_found_in_the_log_of_every_version() {
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
fn sample_counts_are_found_in_the_log_of_every_version() {
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
fn causes_of_failures_are_found_in_the_log_of_every_version() {
    type Predicate = fn(&Cause) -> bool;
    let scene: Predicate = |cause| matches!(cause, Cause::Scene(_));
    let unavailable: Predicate = |cause| matches!(cause, Cause::Unavailable(_));
    let failed: Predicate = |cause| matches!(cause, Cause::Failed { .. });
    for (case, expected) in [
        ("missing_file", scene),
        ("truncated_file", scene),
        ("garbage_file", scene),
        ("no_camera", scene),
        ("no_cycles_device", unavailable),
        ("no_libegl", unavailable),
        // The log does not decide why a file cannot be written: the worker checks the disk.
        ("unwritable_output", failed),
    ] {
        for transcript in transcripts(case) {
            let cause = transcript.cause();
            assert!(expected(&cause), "{}: {cause:?}", transcript.path.display());
        }
    }
    for transcript in transcripts("no_libgl") {
        assert!(unavailable(&transcript.cause()), "{}", transcript.path.display());
    }
}

#[test]
fn a_file_saved_by_a_newer_blender_is_blamed_on_the_file() {
    let version = |major, minor| Some(BlenderVersion { major, minor });
    for transcript in transcripts("newer_file") {
        let cause = transcript.cause_of_file(version(9, 0));
        let is_newer = matches!(cause, Cause::NewerFile { .. });
        assert!(is_newer, "{}: {cause:?}", transcript.path.display());
    }
}

#[test]
fn the_log_of_a_successful_run_names_no_known_cause() {
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
