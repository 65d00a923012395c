//! The output of FFmpeg and FFprobe: progress, last lines, and the description of a video.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::ending::{Ending, Killer};
use render_worker::ffmpeg::{LogTail, ProgressParser, VideoInfo};
use render_worker::process::supervisor::lines::LineAssembler;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(video) = VideoInfo::parse(text)
    {
        _ = video.to_string();
    }
    let mut tail = LogTail::default();
    let mut progress = ProgressParser::default();
    let mut take = |line: String| {
        progress.push(&line);
        tail.push(&line);
    };
    let mut assembler = LineAssembler::default();
    assembler.push(bytes, &mut take);
    assembler.finish(&mut take);
    assert!(tail.excerpt().len() <= 12);
    for ending in [Ending::Code(0), Ending::Code(1), Ending::Signal(9)] {
        _ = tail.diagnose(ending, Killer::Unknown);
    }
});
