//! `docker run -t`: progress bar and colours on the user's terminal.

use crate::container::Container;
use crate::stage::Stage;

const ESCAPE: char = '\u{1b}';
const COLOUR: &str = "\u{1b}[3";

/// Returns the bytes that the terminal receives while two frames are rendered and stitched.
#[track_caller]
fn output(set: impl Fn(Container) -> Container) -> String {
    let stage = Stage::new();
    let rendered = set(stage.render("tiny").args("-f 2")).run_on_a_terminal(0);
    assert!(rendered.contains("frame 2 stored"), "{rendered}");
    rendered + &set(stage.stitch()).run_on_a_terminal(0)
}

#[test]
fn a_terminal_shows_coloured_text_above_a_progress_bar() {
    let output = output(|container| container);
    for part in ["INFO", COLOUR, "\r\u{1b}[2K[", "1 of 2, "] {
        assert!(output.contains(part), "{part:?} is not in {output:?}");
    }
    assert!(!output.contains('{'), "JSON: {output}");
}

#[test]
fn no_color_turns_colours_off() {
    let output = output(|container| container.env("NO_COLOR", "1"));
    assert!(output.contains("1 of 2, ") && !output.contains(COLOUR), "{output:?}");
}

#[test]
fn a_dumb_terminal_gets_only_text() {
    let output = output(|container| container.env("TERM", "dumb"));
    assert!(output.contains("INFO") && !output.contains(ESCAPE), "{output:?}");
}
