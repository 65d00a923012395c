//! One launch of Blender: the state of the process, and why the worker stopped it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::blender::{Cause, LogTail};
use crate::process::shutdown::Interrupt;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::Alarm;
use crate::request::{FrameNumber, FrameSet};
use crate::space::Space;
use crate::worker::blender_run::failure_of;

/// How long Blender has to quit once it has nothing more to do. Freeing a large scene takes seconds,
/// but an add-on that never lets Blender quit must not hold up the job.
const QUIT_GRACE: Duration = Duration::from_secs(20);

/// How long Blender has to mix the sound once every frame is stored. An hour of it takes less than a
/// minute.
const MIX_GRACE: Duration = Duration::from_mins(10);

/// The state of one Blender process.
#[derive(Debug)]
pub(super) struct LaunchState {
    /// The frames that it was started for.
    pub frames: FrameSet,
    /// The same frames in the order in which it renders them.
    order: Vec<FrameNumber>,
    /// The end of its log.
    pub tail: LogTail,
    /// When it was started.
    pub began: Instant,
    /// Whether it has described the scene.
    pub described: bool,
    /// When it was started or saved the previous frame; later by the time that it was paused.
    frame_began: Instant,
    /// Since when it is paused.
    paused_since: Option<Instant>,
    /// The frames that it has reported as saved.
    pub saved: BTreeSet<FrameNumber>,
    /// The files of frames that are not stored, which it has reported as saved, or as impossible to
    /// save.
    pub announced: BTreeSet<PathBuf>,
    /// The last frame that it has simulated.
    simulated: Option<FrameNumber>,
    /// How many frames it has simulated, and the seconds that this took.
    pub simulation: (usize, f64),
    /// Whether it simulates frames that are not rendered.
    pub is_simulating: bool,
    /// The frame that its log named last.
    pub rendering: Option<FrameNumber>,
    /// The memory that it and its children use.
    pub memory: MemoryWatch,
    /// Why it must not render this scene.
    pub refused: Option<Cause>,
    /// How many of its frames are not stored.
    unstored: usize,
    /// When the last of its frames was stored.
    pub all_stored_since: Option<Instant>,
    /// When it was last seen to mix the sound after that.
    mixing_seen: Option<Instant>,
    /// The space on the scratch disk when it was started.
    pub space: Option<Space>,
    /// The space on the scratch disk when a lack of it damaged a frame.
    pub disk_full: Option<Space>,
    /// Whether to stop Blender as soon as the frame in hand is saved.
    pub stop_after_frame: bool,
}

impl Default for LaunchState {
    /// A launch without frames.
    fn default() -> Self {
        Self::begin(Vec::new(), None)
    }
}

impl LaunchState {
    /// A launch that begins now and renders frames in this order, with this space on the scratch
    /// disk.
    pub fn begin(order: Vec<FrameNumber>, space: Option<Space>) -> Self {
        let now = Instant::now();
        Self {
            unstored: order.len(),
            frames: order.iter().copied().collect(),
            order,
            tail: LogTail::default(),
            began: now,
            described: false,
            frame_began: now,
            paused_since: None,
            saved: BTreeSet::new(),
            announced: BTreeSet::new(),
            simulated: None,
            simulation: (0, 0.0),
            is_simulating: false,
            rendering: None,
            memory: MemoryWatch::begin(),
            refused: None,
            all_stored_since: None,
            mixing_seen: None,
            space,
            disk_full: None,
            stop_after_frame: false,
        }
    }

    /// Records that it is paused.
    pub fn paused(&mut self) {
        self.paused_since = Some(Instant::now());
    }

    /// Records that it is resumed: the pause is not part of the time of the frame in hand.
    pub fn resumed(&mut self) {
        if let Some(since) = self.paused_since.take() {
            // A frame that was saved before may have been reported after the pause began.
            self.frame_began += since.max(self.frame_began).elapsed();
        }
    }

    /// The time that it has spent on the frame in hand, without pauses.
    pub fn frame_elapsed(&self) -> Duration {
        let until = self.paused_since.unwrap_or_else(Instant::now);
        until.saturating_duration_since(self.frame_began)
    }

    /// Records that it saved a frame, and begins the next. The result is the time that it spent on
    /// the frame.
    pub fn frame_saved(&mut self, frame: FrameNumber) -> Duration {
        let elapsed = self.frame_elapsed();
        self.frame_began = Instant::now();
        self.saved.insert(frame);
        self.is_simulating = false;
        elapsed
    }

    /// Records that it has simulated a frame in this time, which is not part of the time of the frame
    /// in hand. Frames are simulated in order: a scene can print anything.
    pub fn frame_simulated(&mut self, frame: FrameNumber, seconds: f64) {
        if self.simulated.is_some_and(|last| frame <= last) {
            return;
        }
        self.simulated = Some(frame);
        let (frames, before) = self.simulation;
        self.simulation = (frames + 1, before + seconds);
        let spent = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.frame_began += spent.min(self.frame_elapsed());
    }

    /// How many steps it has finished: frames that it has simulated or saved.
    pub fn steps(&self) -> usize {
        self.simulation.0 + self.saved.len()
    }

    /// Records that one more of its frames is stored.
    pub fn frame_stored(&mut self) {
        self.unstored = self.unstored.saturating_sub(1);
        if self.unstored == 0 {
            self.all_stored_since = Some(Instant::now());
        }
    }

    /// When it is overdue to quit; `None` while frames are not stored. `is_mixing` says whether it
    /// still mixes the sound.
    pub fn quit_deadline(&mut self, is_mixing: bool) -> Option<Instant> {
        let since = self.all_stored_since?;
        if is_mixing {
            self.mixing_seen = Some(Instant::now());
            return Some(since + MIX_GRACE);
        }
        Some(self.mixing_seen.unwrap_or(since) + QUIT_GRACE)
    }

    /// Whether it has opened the scene, and so has a frame in hand.
    pub fn has_begun(&self) -> bool {
        self.tail.is_scene_open() || self.rendering.is_some() || !self.saved.is_empty()
    }

    /// The frame in hand, one of those that are `unsaved`: the frame that its log named last, or
    /// else the first in the order in which Blender renders them.
    pub fn in_hand(&self, unsaved: &FrameSet) -> Option<FrameNumber> {
        let is_unsaved = |frame: &FrameNumber| unsaved.contains(*frame);
        self.rendering.filter(is_unsaved).or_else(|| self.order.iter().copied().find(is_unsaved))
    }
}

/// Why the worker stopped Blender.
#[derive(Debug)]
pub(super) enum StopReason {
    /// The job was interrupted.
    Interrupted(Interrupt),
    /// Every frame is stored, but Blender does not quit.
    Idle,
    /// Frames cannot be stored, for this reason.
    StorageFailed(String),
    /// Blender stalled, or takes too long for a frame.
    Alarm(Alarm),
    /// The scratch disk is full.
    DiskFull(Space),
    /// The scratch disk has less space than frames need, in bytes.
    DiskTooSmall(Space, u64),
    /// The job does not accept the pictures of this scene.
    Refused(Cause),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted(by) => write!(f, "{by}: stopping Blender, storing what is saved"),
            Self::Idle => {
                f.write_str("every frame is stored, but Blender does not quit: stopping it")
            }
            Self::StorageFailed(why) => f.write_str(why),
            Self::Alarm(alarm) => write!(f, "{}: stopping it", failure_of(*alarm)),
            Self::DiskFull(space) => {
                write!(f, "the scratch disk is full ({space}): stopping Blender")
            }
            Self::DiskTooSmall(space, _) => {
                write!(f, "the scratch disk is too small ({space}): stopping Blender")
            }
            Self::Refused(cause) => write!(f, "{cause}: stopping Blender"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than a test takes.
    const PAUSE: Duration = Duration::from_hours(1);

    fn frame() -> FrameNumber {
        FrameNumber::new(1).unwrap()
    }

    #[test]
    fn a_pause_is_not_part_of_the_time_of_a_frame() {
        let mut launch = LaunchState::default();
        launch.frame_began -= PAUSE;
        launch.paused_since = Some(launch.frame_began);
        assert!(launch.frame_elapsed() < PAUSE, "it is paused");
        launch.resumed();
        assert!(launch.frame_elapsed() < PAUSE, "it was paused");
    }

    #[test]
    fn simulated_frames_are_steps_that_do_not_count_for_the_next_frame() {
        let mut launch = LaunchState::default();
        launch.frame_began -= 2 * PAUSE;
        launch.frame_simulated(frame(), PAUSE.as_secs_f64());
        assert!(launch.frame_elapsed() < 2 * PAUSE);
        assert_eq!((launch.steps(), launch.simulation), (1, (1, PAUSE.as_secs_f64())));
        launch.frame_simulated(frame(), f64::MAX);
        assert_eq!(launch.steps(), 1, "a frame is simulated once");
        launch.frame_simulated(FrameNumber::new(2).unwrap(), f64::MAX);
        assert!(launch.frame_elapsed() < PAUSE);
    }

    #[test]
    fn blender_has_time_to_mix_the_sound_and_then_to_quit() {
        let mut launch = LaunchState::default();
        assert_eq!(launch.quit_deadline(true), None);
        let since = Instant::now().checked_sub(PAUSE).unwrap();
        launch.all_stored_since = Some(since);
        assert_eq!(launch.quit_deadline(false), Some(since + QUIT_GRACE));
        assert_eq!(launch.quit_deadline(true), Some(since + MIX_GRACE));
        assert!(launch.quit_deadline(false) > Some(Instant::now()), "it has just mixed");
    }

    #[test]
    fn a_frame_reported_during_a_pause_does_not_shorten_the_next_one() {
        let mut launch = LaunchState::default();
        launch.frame_began -= 2 * PAUSE;
        launch.paused_since = Some(launch.frame_began + PAUSE);
        assert_eq!(launch.frame_saved(frame()), PAUSE);
        launch.resumed();
        assert!(launch.frame_began <= Instant::now());
    }
}
