//! What Blender prints: bytes to lines, lines to events, the last of them to a cause.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::blender::{Event, LogTail};
use render_worker::ending::{Ending, Killer};
use render_worker::process::lines::{LineAssembler, MAX_LINE};

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
        if let Event::Scene(scene) = tail.push(line) {
            _ = (scene.frame_rate(), scene.range(), scene.format());
        }
    }
    assert!(tail.last_words().len() <= 12);
    for ending in [Ending::Code(0), Ending::Code(1), Ending::Signal(9), Ending::Signal(11)] {
        _ = tail.diagnose(ending, Killer::Unknown, None);
    }
});
