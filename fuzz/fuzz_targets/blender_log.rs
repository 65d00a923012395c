//! Blender's output: bytes become lines, lines become events, and the last lines become a cause.
#![no_main]

use std::ffi::OsString;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use render_worker::blender::{Context, LogTail};
use render_worker::cli::{self, Command, Environment, JobRequest};
use render_worker::ending::{Ending, Killer};
use render_worker::process::supervisor::lines::{LineAssembler, MAX_LINE};
use render_worker::request::RenderJob;

/// A job that requires an engine and a device, which Blender may lack.
static JOB: LazyLock<RenderJob> = LazyLock::new(|| {
    let arguments = "render-worker render -i /in/a.blend -o /out --frames 1-3 --cycles-device CUDA";
    let arguments = arguments.split(' ').map(OsString::from);
    match cli::parse(arguments, &Environment::default()) {
        Ok(Command { action: JobRequest::Render { job, .. }, .. }) => *job,
        other => panic!("not a render job: {other:?}"),
    }
});

fuzz_target!(|bytes: &[u8]| {
    let mut lines = Vec::new();
    let mut assembler = LineAssembler::default();
    // A pipe can cut its data anywhere.
    let (first, rest) = bytes.split_at(bytes.first().map_or(0, |&at| bytes.len().min(at.into())));
    for piece in [first, rest] {
        assembler.push(piece, |line| lines.push(line));
    }
    assembler.finish(|line| lines.push(line));

    let mut tail = LogTail::default();
    for line in &lines {
        // A replacement character has three bytes. The rest is the note on the bytes that were cut.
        assert!(line.len() <= 3 * MAX_LINE + 64);
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'));
        _ = tail.push(line);
        _ = tail.missing_engine("Scene");
    }
    assert!(tail.excerpt().len() <= 12);
    for ending in [Ending::Code(0), Ending::Code(1), Ending::Signal(9), Ending::Signal(11)] {
        _ = tail.diagnose(ending, &Context { killer: Killer::Unknown, saved_by: None, job: Some(&JOB) });
    }
});
