//! The web page in a real Chromium: what a person sees, hears from a screen reader, and does with
//! mouse and keyboard.
//!
//! `RENDER_WORKER_BIN` names another build of the program to test. The pictures of the page are written
//! to `target/browser/`. Tests wait for events, never for a time.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, reads its environment, and tells figures"
)]

mod browser; // a browser and its driver
mod everybody; // keyboard, screen reader, contrast, sizes of windows
mod looks; // pictures of every page
mod making; // from dropped pictures to the video
mod renders; // from a dropped scene to its video
mod scale; // a thousand pictures
mod strangers; // the link with the token
#[path = "../support/mod.rs"]
mod support;
mod watch; // outputs that are watched // shared with the tests of the program
