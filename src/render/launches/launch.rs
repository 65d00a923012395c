//! One launch of Blender: what is known of the process, and why it was stopped.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use crate::blender::{Cause, Failure, LogTail};
use crate::process::shutdown::Interrupt;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::Alarm;
use crate::request::{FrameNumber, FrameSet};
use crate::space::Space;

/// What is known of one Blender process.
#[derive(Debug)]
pub(super) struct LaunchState {
    /// The frames it was started for.
    pub frames: FrameSet,
    /// The end of its log.
    pub tail: LogTail,
    /// When it was started.
    pub began: Instant,
    /// Whether it has described the scene.
    pub described: bool,
    /// When the frame in hand was begun, as far as the log tells.
    pub frame_began: Instant,
    /// The frames that it says it saved.
    pub saved: BTreeSet<FrameNumber>,
    /// The frame that it says it is rendering.
    pub rendering: Option<FrameNumber>,
    /// The memory that it and its children use.
    pub memory: MemoryWatch,
    /// Why it must not render this scene.
    pub refused: Option<Cause>,
    /// How many of its frames are not stored.
    unstored: usize,
    /// Since when all of its frames are stored.
    pub all_stored_since: Option<Instant>,
    /// The free space on the scratch disk when it was started.
    pub space: Option<Space>,
    /// The scratch disk, when a frame was not whole because the disk was full.
    pub disk_full: Option<Space>,
    /// Whether Blender is stopped as soon as the frame in hand is saved.
    pub stop_after_frame: bool,
}

impl Default for LaunchState {
    /// A launch of no frames.
    fn default() -> Self {
        Self::begin(FrameSet::default(), None)
    }
}

impl LaunchState {
    /// A launch that begins now, with so much free space on the scratch disk.
    pub fn begin(frames: FrameSet, space: Option<Space>) -> Self {
        let now = Instant::now();
        Self {
            unstored: frames.len(),
            frames,
            tail: LogTail::default(),
            began: now,
            described: false,
            frame_began: now,
            saved: BTreeSet::new(),
            rendering: None,
            memory: MemoryWatch::begin(),
            refused: None,
            all_stored_since: None,
            space,
            disk_full: None,
            stop_after_frame: false,
        }
    }

    /// One more of its frames is stored.
    pub fn frame_stored(&mut self) {
        self.unstored = self.unstored.saturating_sub(1);
        if self.unstored == 0 {
            self.all_stored_since = Some(Instant::now());
        }
    }

    /// Whether it has come so far as to have a frame in hand.
    pub fn has_begun(&self) -> bool {
        self.tail.opened() || self.rendering.is_some() || !self.saved.is_empty()
    }

    /// The frame that it had in hand, one of those that are `left`: the frame that its log
    /// named last, or else the first, because it renders them in order.
    pub fn in_hand(&self, left: &FrameSet) -> Option<FrameNumber> {
        self.rendering.filter(|&frame| left.contains(frame)).or_else(|| left.first())
    }
}

/// Why Blender was stopped.
#[derive(Debug)]
pub(super) enum StopReason {
    /// The job was told to stop.
    Interrupted(Interrupt),
    /// Blender does not quit.
    Idle,
    /// Frames cannot be stored, and why.
    Futile(String),
    /// Blender does nothing, or takes too long for a frame.
    Alarm(Alarm),
    /// The scratch disk is full.
    DiskFull(Space),
    /// The scratch disk has no room for so many bytes of frames.
    NoRoom(Space, u64),
    /// The scene needs what this Blender lacks.
    Refused(Cause),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(by) => write!(f, "{by}: stopping Blender, storing what is saved"),
            Self::Idle => {
                f.write_str("every frame is stored and Blender does not quit: stopping it")
            }
            Self::Futile(why) => f.write_str(why),
            Self::Alarm(alarm) => write!(f, "{}: stopping it", failure_of(*alarm)),
            Self::DiskFull(space) => {
                write!(f, "the scratch disk is full ({space}): stopping Blender")
            }
            Self::NoRoom(space, _) => {
                write!(f, "the scratch disk is too small ({space}): stopping Blender")
            }
            Self::Refused(cause) => write!(f, "{cause}: stopping Blender"),
        }
    }
}

/// The failure of Blender that an alarm stands for.
pub(super) fn failure_of(alarm: Alarm) -> Failure {
    match alarm {
        Alarm::Stalled(span) => Failure::Stalled(span),
        Alarm::Overtime(span) => Failure::Overtime(span),
    }
}
