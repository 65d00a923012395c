//! Makes the same video with the worker and with FFmpeg alone.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::footage::Footage;
use crate::bench::Bench;
use crate::measuring::{Ended, Run, Step};
use crate::store::Store;
use crate::support::worker;

pub const FPS: &str = "24";

/// Makes a video with the worker. Returns the figures and the worker's log.
pub fn with_worker(
    store: Option<&Store>,
    input: &str,
    output: &str,
    count: usize,
) -> (Run, String) {
    let (mut command, folder) = worker("stitch")
        .input(input)
        .output(output)
        .args("--log-format json --fps")
        .arg(FPS)
        .arg("-t")
        .arg(count.to_string())
        .into_command();
    command.envs(store.map(Store::env).unwrap_or_default());
    let scratch = folder.path().to_owned();
    let Ended { run, output, .. } = Step::new(command).watching(&scratch).keeping(folder).end();
    (run, output)
}

/// FFmpeg alone, from the files of a folder to one file, with the encoder that the worker's log
/// tells of. What makes the frames ready for the encoder is left to FFmpeg.
pub fn with_ffmpeg(
    bench: &Bench,
    log: &str,
    footage: &Footage,
    folder: &Path,
    video: &Path,
) -> Command {
    let line = log.lines().find(|line| line.contains("pipe:0")).expect("FFmpeg is started");
    let line: Value = serde_json::from_str(line).expect("JSON");
    let line = line["message"].as_str().and_then(|message| message.strip_prefix("starting "));
    let words = shell_words::split(line.expect("a command line")).expect("a command line");
    let filters = words.iter().position(|word| word == "-vf").expect("filters");
    let (tags, pixels) = (&words[filters + 1], option(&words, "-pixel_format"));
    let convert = format!("scale=out_color_matrix=bt709:out_range=tv,format={pixels},{tags}");
    let chain: Vec<&str> = footage.view.into_iter().chain([convert.as_str()]).collect();
    let mut command = bench.program(&words[0]);
    command
        .args(["-nostdin", "-v", "error", "-y", "-framerate", FPS, "-start_number", "1", "-i"])
        .arg(folder.join(footage.pattern()))
        .args(["-vf", &chain.join(",")])
        .args(&words[filters + 2..words.len() - 1])
        .arg(video);
    command
}

/// The word after an option.
fn option<'a>(words: &'a [String], name: &str) -> &'a str {
    let place = words.iter().position(|word| word == name).expect("the option");
    &words[place + 1]
}
