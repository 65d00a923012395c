//! What Blender prints: bytes to lines, lines to events, the last of them to a cause.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::blender::{Context, LogTail};
use render_worker::ending::{Ending, Killer};
use render_worker::process::supervisor::lines::{LineAssembler, MAX_LINE};
use render_worker::request::{
    AllowMissing, ByteSize, Denoise, Engine, FrameSelection, Location, RenderJob, StartJitter,
};

fuzz_target!(|bytes: &[u8]| {
    let mut lines = Vec::new();
    let mut assembler = LineAssembler::default();
    // Cut anywhere, as a pipe does.
    let (first, rest) = bytes.split_at(bytes.first().map_or(0, |&at| bytes.len().min(at.into())));
    for piece in [first, rest] {
        assembler.push(piece, |line| lines.push(line));
    }
    assembler.finish(|line| lines.push(line));

    let mut tail = LogTail::default();
    for line in &lines {
        // What is replaced grows to three times its length; then the word on what was cut.
        assert!(line.len() <= 3 * MAX_LINE + 64);
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'));
        _ = tail.push(line);
        _ = tail.missing_engine("Scene");
    }
    assert!(tail.last_words().len() <= 12);
    let job = job();
    for ending in [Ending::Code(0), Ending::Code(1), Ending::Signal(9), Ending::Signal(11)] {
        _ = tail.diagnose(ending, &Context { killer: Killer::Unknown, saved_by: None, job: &job });
    }
});

/// A job that asks for all that Blender can say it lacks.
fn job() -> RenderJob {
    RenderJob {
        scene: Location::Local("/in/a.blend".into()),
        output: Location::Local("/out".into()),
        frames: FrameSelection::Exactly("1-3".parse().expect("a frame set")),
        engine: Engine::Named("CYCLES".into()),
        cycles_device: "CUDA".parse().ok(),
        denoise: Denoise::Scene,
        allow_missing: AllowMissing::default(),
        enable_autoexec: false,
        max_backlog: ByteSize::gib(1),
        resume: true,
        start_jitter: StartJitter::default(),
    }
}
