//! `docker run -t`: the terminal of whoever types it reaches into the container.

use crate::container::Container;
use crate::stage::Stage;

const ESCAPE: char = '\u{1b}';
const COLOUR: &str = "\u{1b}[3";

/// What the terminal is sent while two frames are rendered and become a video.
#[track_caller]
fn sent(set: impl Fn(Container) -> Container) -> String {
    let stage = Stage::new();
    let rendered = set(stage.render("tiny").args("-f 2")).run_on_a_terminal(0);
    assert!(rendered.contains("frame 2 stored"), "{rendered}");
    rendered + &set(stage.stitch()).run_on_a_terminal(0)
}

#[test]
fn a_terminal_shows_text_in_colours_above_a_bar() {
    let sent = sent(|container| container);
    for part in ["INFO", COLOUR, "\r\u{1b}[2K[", "1 of 2, "] {
        assert!(sent.contains(part), "{part:?} is not in {sent:?}");
    }
    assert!(!sent.contains('{'), "no JSON: {sent}");
}

#[test]
fn no_color_is_obeyed() {
    let sent = sent(|container| container.env("NO_COLOR", "1"));
    assert!(sent.contains("1 of 2, ") && !sent.contains(COLOUR), "{sent:?}");
}

#[test]
fn a_terminal_that_only_prints_gets_nothing_but_text() {
    let sent = sent(|container| container.env("TERM", "dumb"));
    assert!(sent.contains("INFO") && !sent.contains(ESCAPE), "{sent:?}");
}
