//! The state of an output: listing and attempts together.

use std::sync::Arc;

use super::activity::{Work, works};
use super::attempt::Attempt;
use super::figures::Figures;
use super::frame::{Frame, frames, stored};
use super::time::millis;
use crate::storage::Entry;

/// The extensions of videos.
const VIDEOS: [&str; 6] = ["mp4", "mov", "webm", "mkv", "gif", "m4v"];

/// The files of an output.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those of `frames/`.
    pub frames: Vec<Entry>,
    /// Those of `previews/`.
    pub previews: Vec<Entry>,
    /// Those directly in the output.
    pub top: Vec<Entry>,
}

/// What an output has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The frames that are stored or asked for, by number.
    pub frames: Vec<Frame>,
    /// The attempts, in the order in which they began.
    pub attempts: Vec<Work>,
    /// What follows from both.
    pub figures: Figures,
    /// The newest video.
    pub video: Option<Video>,
    /// The size of the pictures in pixels.
    pub size: Option<(u32, u32)>,
    /// How many files in `frames/` are not shown: they are no frames, or not the newest of their number.
    pub others: usize,
    /// How many reports are damaged or foreign.
    pub skipped: usize,
}

/// The video of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Video {
    /// The name in the output.
    pub name: String,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last write, in milliseconds since 1970.
    pub modified: u64,
}

impl State {
    /// The state that follows from a listing and from attempts, at the time `now`.
    pub fn of(listing: &Listing, attempts: Vec<Arc<Attempt>>, skipped: usize, now: u64) -> Self {
        let (files, others) = stored(&listing.frames);
        let times = files.iter().map(|(number, file)| (*number, file.modified)).collect();
        let attempts = works(attempts, &times, now);
        let frames = frames(files, &listing.previews, &attempts, now);
        let figures = Figures::of(&frames, &attempts, now);
        let size = attempts.iter().rev().find_map(|work| work.attempt.size);
        let video = video(&listing.top);
        Self { frames, attempts, figures, video, size, others, skipped }
    }

    /// The frame of a number.
    pub fn frame(&self, number: i32) -> Option<&Frame> {
        let place = self.frames.binary_search_by_key(&number, |frame| frame.number).ok()?;
        self.frames.get(place)
    }
}

/// The newest video of an output.
fn video(top: &[Entry]) -> Option<Video> {
    let is_video = |entry: &&Entry| {
        let extension = entry.name.rsplit_once('.').map(|(_, extension)| extension);
        extension.is_some_and(|it| VIDEOS.contains(&it.to_ascii_lowercase().as_str()))
    };
    let newest = top.iter().filter(is_video).max_by_key(|entry| entry.modified)?;
    Some(Video { name: newest.name.clone(), size: newest.size, modified: millis(newest.modified) })
}
