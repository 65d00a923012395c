//! On a terminal a progress bar stands beneath the log, as far as the terminal can do
//! that and its user wants colours; elsewhere there is no trace of either.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Worker, fixture, ordered_scene, worker};

const WIPE: &str = "\r\u{1b}[2K";
const COLOUR: &str = "\u{1b}[3";

/// Four frames, of which the third takes a while.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let steps = json!([
        {"at": "every", "do": "say", "text": "from Blender"},
        {"at": 3, "do": "say", "text": "Error: something", "to": "stderr"},
        {"at": 3, "do": "delay", "seconds": 0.5},
    ]);
    fs::write(folder.path().join("scene.blend"), ordered_scene(1, 4, &steps)).unwrap();
    folder
}

fn render(folder: &TempDir) -> Worker {
    worker("render")
        .input(folder.path().join("scene.blend"))
        .output(folder.path().join("out"))
        .stand_in_blender()
        .args("-f 4 --no-resume")
}

/// What the user sees in the end, row by row, when the terminal has so many columns.
fn shown(sent: &str, columns: u16) -> Vec<String> {
    let mut terminal = vt100::Parser::new(500, columns, 0);
    terminal.process(sent.as_bytes());
    terminal.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
}

/// Each state of the bar, without its colours.
fn bars(sent: &str) -> Vec<String> {
    let lines = sent.split(WIPE).flat_map(|part| part.split('\n'));
    let bars = lines.filter(|line| line.starts_with('['));
    bars.map(|bar| shown(bar, 200).remove(0)).collect()
}

/// Of the bar only the latest state is drawn: Blender waits until the terminal has shown
/// what is looked for.
#[test]
fn a_bar_tells_the_frame_the_seconds_a_frame_and_the_time_left() {
    let folder = tempfile::tempdir().unwrap();
    let seen = |what: &str| folder.path().join(what);
    let sample = "Fra:3 Mem:8.65M | Time:00:00.09 | Sample 1/2";
    let steps = json!([
        {"at": "start", "do": "wait_for_file", "path": seen("none")},
        {"at": 3, "do": "wait_for_file", "path": seen("half")},
        {"at": 3, "when": "writing", "do": "wait_for_file", "path": seen("third"), "meanwhile": sample},
        {"at": "end", "do": "wait_for_file", "path": seen("all")},
    ]);
    fs::write(seen("scene.blend"), ordered_scene(1, 4, &steps)).unwrap();
    let marks = [
        ("] 0 of 4", seen("none")),
        ("] 2 of 4, ", seen("half")),
        ("; frame 3: ", seen("third")),
        ("] 4 of 4, ", seen("all")),
    ];
    let sent = render(&folder).env("TERM", "xterm").run_watched_on_a_terminal(0, &marks);
    let bars = bars(&sent);
    let has = |wanted: &dyn Fn(&str) -> bool| bars.iter().any(|bar| wanted(bar));
    assert!(has(&|bar| bar == "[----------------] 0 of 4"), "{bars:#?}");
    let half = |bar: &str| bar.starts_with("[########--------] 2 of 4, ");
    assert!(has(&|bar| half(bar) && bar.contains(" s a frame, about ")), "{bars:#?}");
    assert!(has(&|bar| bar.contains(" left; frame 3: ") && bar.ends_with(" %")), "{bars:#?}");
    assert!(has(&|bar| bar.starts_with("[################] 4 of 4, ")), "{bars:#?}");
}

#[test]
fn the_log_scrolls_above_the_bar_and_nothing_is_left_of_it() {
    let folder = folder();
    let sent = render(&folder).env("TERM", "xterm").run_on_a_terminal(0);
    let wide = shown(&sent, 2000);
    let lines: Vec<_> = wide.iter().filter(|row| !row.is_empty()).collect();
    let is_a_line = |row: &str| row.as_bytes().get(2) == Some(&b':') && row.len() > 15;
    assert!(lines.iter().all(|row| is_a_line(row)), "{lines:#?}");
    assert_eq!(lines.iter().filter(|row| row.ends_with("blender: from Blender")).count(), 4);
    assert!(lines.last().unwrap().contains("report: "), "{lines:#?}");
    // A row that is narrower than the bar's words shows no second row of them.
    let narrow = shown(&sent, 80);
    assert!(!narrow.iter().any(|row| row.contains("[#") || row.contains("--]")), "{narrow:#?}");
}

#[test]
fn stitching_has_a_bar_too() {
    let folder = tempfile::tempdir().unwrap();
    let frame = fixture("frames/blender-rgb-8.png");
    for name in ["0001.png", "0002.png"] {
        fs::copy(&frame, folder.path().join(name)).unwrap();
    }
    // The real FFmpeg, which then waits until the terminal has shown that it is done.
    let programs = tempfile::tempdir().unwrap();
    let (seen, ffmpeg) = (programs.path().join("seen"), programs.path().join("ffmpeg"));
    let orders = json!({"wait_for_file": seen}).to_string();
    fs::write(programs.path().join("ffmpeg.orders"), orders).unwrap();
    fs::copy(fixture("stand-ins/ffmpeg"), &ffmpeg).unwrap();
    let stitch = worker("stitch").input(folder.path()).output(folder.path()).args("--fps 24");
    let stitch = stitch.arg("--ffmpeg").arg(ffmpeg).env("TERM", "xterm");
    let sent = stitch.run_watched_on_a_terminal(0, &[("] 2 of 2, ", seen)]);
    let bars = bars(&sent);
    assert!(bars.last().unwrap().starts_with("[################] 2 of 2, "), "{bars:#?}");
}

#[test]
fn colours_are_for_terminals_whose_users_want_them() {
    let folder = folder();
    let sent = render(&folder).env("TERM", "xterm").run_on_a_terminal(0);
    assert!(sent.contains("\u{1b}[1m\u{1b}[31mERROR\u{1b}[0m"), "{sent:?}");
    assert!(sent.contains(&format!("[{COLOUR}2m#")), "{sent:?}");
    // https://no-color.org: set, to whatever but nothing.
    let sent = render(&folder).env("TERM", "xterm").env("NO_COLOR", "1").run_on_a_terminal(0);
    assert!(!sent.contains(COLOUR) && !sent.contains("\u{1b}[1m"), "{sent:?}");
    assert!(sent.contains(&format!("{WIPE}[#")), "{sent:?}");
    let sent = render(&folder).env("TERM", "xterm").env("NO_COLOR", "").run_on_a_terminal(0);
    assert!(sent.contains(COLOUR), "{sent:?}");
}

#[test]
fn what_cannot_show_a_bar_gets_none() {
    let folder = folder();
    let plain = |sent: &str| {
        assert!(sent.contains("frame 4 stored"), "{sent}");
        assert!(!sent.contains('\u{1b}') && !sent.contains("[#"), "{sent:?}");
    };
    plain(&render(&folder).env("TERM", "dumb").run_on_a_terminal(0));
    plain(&render(&folder).run_on_a_terminal(0));
    plain(&render(&folder).env("TERM", "xterm").args("--log-format json").run_on_a_terminal(0));
    let piped = render(&folder).env("TERM", "xterm").args("--log-format text").run().exits(0);
    plain(&piped.text());
}

#[test]
fn a_refusal_is_coloured_like_any_error() {
    let sent = worker("render").env("TERM", "xterm").run_on_a_terminal(2);
    assert!(sent.contains("\u{1b}[31mERROR"), "{sent:?}");
    assert_eq!(sent.lines().count(), 1, "{sent}");
}
