//! Where it was measured, and what.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::Bench;
use crate::support::program;

/// One line each about the machine, the worker and the programs beside it.
pub fn lines(bench: &Bench) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let mut lines = vec![
        format!(
            "{}, {cores} cores, {} of memory, Linux {}",
            field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned()),
            field("/proc/meminfo", "MemTotal").unwrap_or_default(),
            fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim()
        ),
        format!("load before the first row: {}", load()),
        format!("{}, revision {}", said(&program(), "--version"), revision()),
        said("blender".as_ref(), "--version"),
        said("ffmpeg".as_ref(), "-version"),
    ];
    let peers = &bench.peers;
    let versions = [
        (&peers.s5cmd, "s5cmd ", "version"),
        (&peers.rclone, "", "version"),
        (&peers.aws, "", "--version"),
        (&peers.tini, "", "--version"),
    ];
    for (peer, name, argument) in versions {
        lines.extend(peer.as_deref().map(|peer| format!("{name}{}", said(peer, argument))));
    }
    for peer in peers.missing() {
        lines.push(format!("{peer} is not there; rows do without it"));
    }
    lines
}

/// How many processes wanted a processor lately: figures from a machine that is busy with
/// something else are worth little.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// The first line that a program prints.
fn said(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_else(|error| format!("{}: {error}", program.display()));
    text.lines().next().unwrap_or_default().to_owned()
}

/// The commit that this was built from, where that can be told.
fn revision() -> String {
    let git = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let text = git.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.ok().filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
