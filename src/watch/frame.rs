//! Every frame that is stored or asked for, and what is known of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::activity::Work;
use super::time::millis;
use crate::request::{FrameFile, ImageFormat};
use crate::storage::Entry;
use crate::worker::report::Action;

/// The most frames that are shown. No animation has more, and no foreign report may fill the memory.
const MAX_FRAMES: usize = 400_000;

/// How long after its frame a preview may be stored, in milliseconds.
const PREVIEW_DELAY: u64 = 10_000;

/// How much earlier than its frame a preview may be stored, in milliseconds: S3 cuts times to seconds.
const PREVIEW_SLACK: u64 = 2000;

/// A frame that is stored or asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The number.
    pub number: i32,
    /// The file; `None` if it is not stored.
    pub file: Option<StoredFrame>,
    /// Where it stands.
    pub standing: Standing,
    /// Its preview.
    pub preview: Preview,
    /// The seconds that the stored version took, if a report tells it.
    pub seconds: Option<f32>,
    /// The peak memory in bytes of the attempt that has rendered it.
    pub memory: Option<u64>,
    /// How often it was rendered, as far as that is known.
    pub renders: u16,
}

/// The file of a stored frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFrame {
    /// The name in `frames/`.
    pub name: Box<str>,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last write, in milliseconds since 1970.
    pub modified: u64,
}

/// Where a frame stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is stored.
    Stored,
    /// An attempt that was asked for it runs.
    Pending,
    /// It could not be rendered, for this cause.
    Failed(Arc<str>),
    /// No attempt that was asked for it runs any more.
    Missing,
}

/// The preview of a frame in `previews/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preview {
    /// There is none of the stored version.
    None,
    /// It may be about to be stored.
    Expected,
    /// It was stored at this time, in milliseconds since 1970.
    Stored(u64),
}

/// The files in `frames/` by their number, and how many others there are. Of several files with the same
/// number, the newest one counts.
pub fn stored(listed: &[Entry]) -> (BTreeMap<i32, StoredFrame>, usize) {
    let mut files = BTreeMap::<i32, StoredFrame>::new();
    let mut others = 0;
    for entry in listed {
        let Some(frame) = FrameFile::parse(&entry.name) else {
            others += 1;
            continue;
        };
        let file = StoredFrame {
            name: entry.name.as_str().into(),
            size: entry.size,
            modified: millis(entry.modified),
        };
        let number = frame.number.get();
        match files.get(&number) {
            Some(other) => {
                others += 1;
                if other.modified < file.modified {
                    files.insert(number, file);
                }
            }
            None => _ = files.insert(number, file),
        }
    }
    (files, others)
}

/// All frames in ascending order, from the stored files, the previews and the attempts, which are in the
/// order in which they began.
pub fn frames(
    files: BTreeMap<i32, StoredFrame>,
    previews: &[Entry],
    attempts: &[Work],
    now: u64,
) -> Vec<Frame> {
    let previews = stored_previews(previews);
    let mut frames: BTreeMap<i32, Frame> = files
        .into_iter()
        .map(|(number, file)| {
            let preview = preview(&file, &previews, number, now);
            (number, Frame::stored(number, file, preview))
        })
        .collect();
    for work in attempts.iter().filter(|work| work.attempt.action == Action::Render) {
        apply(&mut frames, work);
    }
    frames.into_values().collect()
}

impl Frame {
    fn stored(number: i32, file: StoredFrame, preview: Preview) -> Self {
        let file = Some(file);
        let standing = Standing::Stored;
        Self { number, file, standing, preview, seconds: None, memory: None, renders: 0 }
    }

    fn missing(number: i32) -> Self {
        Self {
            number,
            file: None,
            standing: Standing::Missing,
            preview: Preview::None,
            seconds: None,
            memory: None,
            renders: 0,
        }
    }
}

/// Adds what an attempt tells of its frames. Later attempts know better.
fn apply(frames: &mut BTreeMap<i32, Frame>, work: &Work) {
    let attempt = &work.attempt;
    for number in attempt.asked() {
        if !frames.contains_key(&number) && frames.len() >= MAX_FRAMES {
            break;
        }
        let frame = frames.entry(number).or_insert_with(|| Frame::missing(number));
        match &frame.file {
            None if work.activity.is_at_work() => frame.standing = Standing::Pending,
            // The report of an attempt that has not ended does not say what it has rendered.
            Some(file) if attempt.finished.is_none() && work.has_stored(file.modified) => {
                frame.seconds = None;
                frame.memory = None;
                frame.renders = frame.renders.saturating_add(1);
            }
            None | Some(_) => {}
        }
    }
    for (number, seconds) in &attempt.rendered {
        let Some(frame) = frames.get_mut(number) else { continue };
        frame.seconds = *seconds;
        frame.memory = attempt.peak_memory;
        frame.renders = frame.renders.saturating_add(1);
    }
    for (number, cause) in &attempt.failed {
        let Some(frame) = frames.get_mut(number) else { continue };
        if frame.file.is_none() {
            frame.standing = Standing::Failed(cause.as_str().into());
        }
    }
}

/// The times of the stored previews by the number of their frame.
fn stored_previews(listed: &[Entry]) -> HashMap<i32, u64> {
    let preview = |entry: &Entry| {
        let frame = FrameFile::parse(&entry.name)?;
        (frame.format == ImageFormat::Jpeg).then(|| (frame.number.get(), millis(entry.modified)))
    };
    listed.iter().filter_map(preview).collect()
}

/// The preview of a stored frame. One that is older than the frame shows the version before.
fn preview(file: &StoredFrame, previews: &HashMap<i32, u64>, number: i32, now: u64) -> Preview {
    match previews.get(&number) {
        Some(stored) if stored + PREVIEW_SLACK >= file.modified => Preview::Stored(*stored),
        _ if !previews.is_empty() && now < file.modified.saturating_add(PREVIEW_DELAY) => {
            Preview::Expected
        }
        _ => Preview::None,
    }
}
