//! On a terminal, a progress bar is shown below the log, and colours are used, as far as the
//! terminal and its user allow. Elsewhere there is neither.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Worker, fixture, ordered_scene, worker};

const WIPE: &str = "\r\u{1b}[2K";
const COLOUR: &str = "\u{1b}[3";

/// Creates a folder with a scene of four frames. The third one takes longer.
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

/// Returns the final rows of a terminal with this many columns.
fn screen(output: &str, columns: u16) -> Vec<String> {
    let mut terminal = vt100::Parser::new(500, columns, 0);
    terminal.process(output.as_bytes());
    terminal.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect()
}

/// Returns each state of the bar, without colours.
fn bars(output: &str) -> Vec<String> {
    let lines = output.split(WIPE).flat_map(|part| part.split('\n'));
    let bars = lines.filter(|line| line.starts_with('['));
    bars.map(|bar| screen(bar, 200).remove(0)).collect()
}

/// The bar shows only its latest state, so Blender waits until the terminal has received the state
/// that the test looks for.
#[test]
fn the_bar_shows_the_frame_the_seconds_per_frame_and_the_time_left() {
    let folder = tempfile::tempdir().unwrap();
    let seen = |what: &str| folder.path().join(what);
    let sample = "Fra:3 Mem:8.65M | Time:00:00.09 | Sample 1/2";
    let steps = json!([
        {"at": "start", "do": "wait_for_file", "path": seen("none")},
        {"at": 3, "do": "wait_for_file", "path": seen("half")},
        {
            "at": 3, "when": "writing", "do": "wait_for_file", "path": seen("third"),
            "meanwhile": sample,
        },
        {"at": "end", "do": "wait_for_file", "path": seen("all")},
    ]);
    fs::write(seen("scene.blend"), ordered_scene(1, 4, &steps)).unwrap();
    let marks = [
        ("] 0 of 4", seen("none")),
        ("] 2 of 4, ", seen("half")),
        ("; frame 3: ", seen("third")),
        ("] 4 of 4, ", seen("all")),
    ];
    let output = render(&folder).env("TERM", "xterm").run_watched_on_a_terminal(0, &marks);
    let bars = bars(&output);
    let has = |wanted: &dyn Fn(&str) -> bool| bars.iter().any(|bar| wanted(bar));
    assert!(has(&|bar| bar == "[----------------] 0 of 4"), "{bars:#?}");
    let half = |bar: &str| bar.starts_with("[########--------] 2 of 4, ");
    assert!(has(&|bar| half(bar) && bar.contains(" s a frame, about ")), "{bars:#?}");
    assert!(has(&|bar| bar.contains(" left; frame 3: ") && bar.ends_with(" %")), "{bars:#?}");
    assert!(has(&|bar| bar.starts_with("[################] 4 of 4, ")), "{bars:#?}");
}

#[test]
fn the_log_scrolls_above_the_bar_and_the_bar_is_removed_at_the_end() {
    let folder = folder();
    let output = render(&folder).env("TERM", "xterm").run_on_a_terminal(0);
    let wide = screen(&output, 2000);
    let lines: Vec<_> = wide.iter().filter(|row| !row.is_empty()).collect();
    let is_a_line = |row: &str| row.as_bytes().get(2) == Some(&b':') && row.len() > 15;
    assert!(lines.iter().all(|row| is_a_line(row)), "{lines:#?}");
    assert_eq!(lines.iter().filter(|row| row.ends_with("blender: from Blender")).count(), 4);
    assert!(lines.last().unwrap().contains("render-worker stitch -i "), "{lines:#?}");
    // On a narrow terminal, the bar does not wrap to a second row.
    let narrow = screen(&output, 80);
    assert!(!narrow.iter().any(|row| row.contains("[#") || row.contains("--]")), "{narrow:#?}");
}

#[test]
fn stitching_has_a_bar_too() {
    let folder = tempfile::tempdir().unwrap();
    let frame = fixture("frames/blender-rgb-8.png");
    for name in ["0001.png", "0002.png"] {
        fs::copy(&frame, folder.path().join(name)).unwrap();
    }
    // The real FFmpeg encodes; then the stand-in waits until the bar is complete.
    let programs = tempfile::tempdir().unwrap();
    let (seen, ffmpeg) = (programs.path().join("seen"), programs.path().join("ffmpeg"));
    let orders = json!({"wait_for_file": seen}).to_string();
    fs::write(programs.path().join("ffmpeg.orders"), orders).unwrap();
    fs::copy(fixture("stand-ins/ffmpeg"), &ffmpeg).unwrap();
    let stitch = worker("stitch").input(folder.path()).output(folder.path()).args("--fps 24");
    let stitch = stitch.arg("--ffmpeg").arg(ffmpeg).env("TERM", "xterm");
    let output = stitch.run_watched_on_a_terminal(0, &[("] 2 of 2, ", seen)]);
    let bars = bars(&output);
    assert!(bars.last().unwrap().starts_with("[################] 2 of 2, "), "{bars:#?}");
}

#[test]
fn colours_are_used_unless_no_color_is_set() {
    let folder = folder();
    let output = render(&folder).env("TERM", "xterm").run_on_a_terminal(0);
    assert!(output.contains("\u{1b}[1m\u{1b}[31mERROR\u{1b}[0m"), "{output:?}");
    assert!(output.contains(&format!("[{COLOUR}2m#")), "{output:?}");
    // https://no-color.org: any value but the empty one.
    let output = render(&folder).env("TERM", "xterm").env("NO_COLOR", "1").run_on_a_terminal(0);
    assert!(!output.contains(COLOUR) && !output.contains("\u{1b}[1m"), "{output:?}");
    assert!(output.contains(&format!("{WIPE}[#")), "{output:?}");
    let output = render(&folder).env("TERM", "xterm").env("NO_COLOR", "").run_on_a_terminal(0);
    assert!(output.contains(COLOUR), "{output:?}");
}

#[test]
fn dumb_terminals_json_logs_and_pipes_get_neither_bar_nor_colours() {
    let folder = folder();
    let assert_plain = |output: &str| {
        assert!(output.contains("frame 4 stored"), "{output}");
        assert!(!output.contains('\u{1b}') && !output.contains("[#"), "{output:?}");
    };
    assert_plain(&render(&folder).env("TERM", "dumb").run_on_a_terminal(0));
    assert_plain(&render(&folder).run_on_a_terminal(0));
    assert_plain(
        &render(&folder).env("TERM", "xterm").args("--log-format json").run_on_a_terminal(0),
    );
    let piped = render(&folder).env("TERM", "xterm").args("--log-format text").run().exits(0);
    assert_plain(&piped.text());
}

#[test]
fn usage_errors_are_coloured_like_other_errors() {
    let output = worker("render").env("TERM", "xterm").run_on_a_terminal(2);
    assert!(output.contains("\u{1b}[31merror:\u{1b}[0m"), "{output:?}");
    let output = worker("render").env("TERM", "xterm").env("NO_COLOR", "1").run_on_a_terminal(2);
    assert!(output.starts_with("error: "), "{output:?}");
}
