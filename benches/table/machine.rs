//! The machine and the versions of all programs.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::Bench;
use crate::support::program;

/// Describes the machine, the worker and the alternatives, one line each.
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
        format!("{}, revision {}", first_line(&program(), "--version"), revision()),
        first_line("blender".as_ref(), "--version"),
        first_line("ffmpeg".as_ref(), "-version"),
    ];
    let peers = &bench.peers;
    let versions = [
        (&peers.s5cmd, "s5cmd ", "version"),
        (&peers.rclone, "", "version"),
        (&peers.aws, "", "--version"),
        (&peers.tini, "", "--version"),
    ];
    for (peer, name, argument) in versions {
        lines.extend(peer.as_deref().map(|peer| format!("{name}{}", first_line(peer, argument))));
    }
    for peer in peers.missing() {
        lines.push(format!("{peer} is not installed; the rows leave it out"));
    }
    lines
}

/// Returns the load average of the last minute: figures from a busy machine are worth little.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// Returns the first line that a program prints.
fn first_line(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_else(|error| format!("{}: {error}", program.display()));
    text.lines().next().unwrap_or_default().to_owned()
}

/// Returns the commit that this was built from, or `unknown` outside of a git checkout.
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
