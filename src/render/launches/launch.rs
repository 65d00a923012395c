//! One launch of Blender: what it says becomes progress, what it says it saved is
//! delivered, and when it does nothing for too long, or the disk is full, it is stopped.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::disk::room_for_frames;
use super::spot_decision;
use super::{Rendering, scene_answer};
use crate::blender::{Answer, Cause, Event, Failure, Lack, Launch, LogTail};
use crate::process::shutdown::{Interrupt, Stage};
use crate::process::supervisor;
use crate::process::supervisor::memory::MemoryWatch;
use crate::process::supervisor::watchdog::{Alarm, Watchdog};
use crate::process::supervisor::{End, Running};
use crate::request::{BlenderVersion, Engine, Feature, FrameFile, FrameNumber, FrameSet};
use crate::space::Space;
use crate::worker::CHILD_GRACE;

/// How long Blender has to quit when every frame is stored. Freeing a large scene takes
/// seconds; an add-on that never lets it quit must not hold the job.
const QUIT_GRACE: Duration = Duration::from_secs(20);

/// How often a frame in hand is mentioned.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What is known of one Blender process.
#[derive(Debug)]
pub(crate) struct Current {
    /// The frames it was started for.
    pub frames: FrameSet,
    pub tail: LogTail,
    pub began: Instant,
    /// Whether it has described the scene.
    described: bool,
    /// When the frame in hand was begun, as far as we know.
    frame_began: Instant,
    /// The frames that it says it saved.
    pub saved: BTreeSet<FrameNumber>,
    /// The frame that it says it is at.
    at_work: Option<FrameNumber>,
    pub memory: MemoryWatch,
    /// Why it must not render this scene.
    pub refused: Option<Cause>,
    /// How many of its frames are not stored.
    pub left: usize,
    /// The room on the scratch disk when it was started.
    space: Option<Space>,
}

impl Current {
    /// A launch that begins now, on a scratch disk with so much room.
    pub fn begin(frames: FrameSet, space: Option<Space>) -> Self {
        let now = Instant::now();
        Self {
            left: frames.len(),
            frames,
            tail: LogTail::default(),
            began: now,
            described: false,
            frame_began: now,
            saved: BTreeSet::new(),
            at_work: None,
            memory: MemoryWatch::begin(),
            refused: None,
            space,
        }
    }

    /// Whether it has come so far as to have a frame in hand.
    pub fn has_begun(&self) -> bool {
        self.tail.opened() || self.at_work.is_some() || !self.saved.is_empty()
    }

    /// The frame that it had in hand, of those that are `left`: where it said it was, or
    /// else the first one, for it takes them in order.
    pub fn in_hand(&self, left: &FrameSet) -> Option<FrameNumber> {
        self.at_work.filter(|&frame| left.contains(frame)).or_else(|| left.first())
    }
}

/// Why Blender was stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Somebody told us to stop.
    Told(Interrupt),
    /// It does not quit.
    Idle,
    /// What it renders cannot be stored, and why.
    Futile(String),
    /// It does nothing, or takes too long for a frame.
    Alarm(Alarm),
    /// Nothing more can be written to the scratch disk.
    DiskFull(Space),
    /// The scratch disk has no room for so many bytes of frames.
    NoRoom(Space, u64),
    /// The scene needs what this Blender lacks.
    Refused(Cause),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(by) => write!(f, "{by}: stopping Blender, storing what is saved"),
            Self::Idle => {
                f.write_str("every frame is stored and Blender does not quit: stopping it")
            }
            Self::Futile(why) => f.write_str(why),
            Self::Alarm(alarm) => write!(f, "{}: stopping it", failure(*alarm)),
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

/// What an alarm means.
pub(crate) fn failure(alarm: Alarm) -> Failure {
    match alarm {
        Alarm::Stalled(span) => Failure::Stalled(span),
        Alarm::Overtime(span) => Failure::Overtime(span),
    }
}

impl Rendering<'_> {
    /// Reads what Blender says and stores what it saves, until it ends. It is stopped for
    /// the first reason that comes up.
    pub(crate) async fn follow(
        &mut self,
        child: &mut Running,
        launch: &Launch<'_>,
    ) -> (End, Option<Stop>) {
        let shutdown = self.worker.shutdown.clone();
        let limits = self.worker.limits;
        let folders = vec![launch.frames_dir.to_owned(), launch.home.to_owned()];
        let mut watchdog =
            Watchdog::watch(child.group(), folders, limits.stall.get(), limits.frame.get());
        let (mut stage, mut stopped) = (Stage::Working, None);
        loop {
            let stopping = stopped.is_some();
            let all_stored = self.all_stored;
            let overdue = async {
                match all_stored {
                    Some(since) => sleep_until((since + QUIT_GRACE).into()).await,
                    None => std::future::pending().await,
                }
            };
            // What it cannot do is no fault of its own, and what it has finished leaves it
            // nothing to be late with.
            let excused = child.is_paused() || all_stored.is_some();
            let saved = self.current.saved.len();
            let stop = tokio::select! {
                event = child.next() => match event {
                    supervisor::Event::Line(_, line) => {
                        watchdog.sign_of_life();
                        self.line(&line)
                    }
                    supervisor::Event::Ended(end) => {
                        // One that did not say so may have described the scene all the same.
                        let stop = self.look_for_answer();
                        return (end, stopped.or(stop));
                    }
                },
                delivered = self.delivery.next() => {
                    self.delivered(delivered);
                    self.disk_full.take().map(Stop::DiskFull).or_else(|| self.futile().map(Stop::Futile))
                }
                reached = shutdown.beyond(stage) => {
                    stage = reached;
                    self.worker.hurry(child, stage);
                    if stage == Stage::Noticed {
                        self.noticed();
                    }
                    shutdown.requested().map(Stop::Told)
                }
                () = overdue, if !stopping => Some(Stop::Idle),
                () = watchdog.look(), if !stopping => {
                    let space = Space::on(launch.frames_dir).ok();
                    space.filter(Space::is_full).map(Stop::DiskFull)
                }
            };
            watchdog.time_passes(excused);
            if self.current.saved.len() > saved {
                watchdog.next_step();
            }
            if stopping {
                continue;
            }
            if let Some(stop) = stop.or_else(|| watchdog.alarm().map(Stop::Alarm)) {
                tracing::warn!("{stop}");
                stopped = Some(stop);
                child.stop(CHILD_GRACE);
            } else {
                self.throttle(child);
            }
        }
    }

    /// Has Blender wait while too much of what it saved is not stored.
    fn throttle(&self, child: &mut Running) {
        let backlog = self.delivery.backlog();
        let (size, limit) = (backlog.size(), self.job.max_backlog);
        if !child.is_paused() && backlog.is_full() {
            child.pause();
            let frames = backlog.frames();
            tracing::warn!(
                "Blender is paused: {size} wait to be stored, more than {limit} (--max-backlog, \
                 MAX_BACKLOG); frames {frames}"
            );
        } else if child.is_paused() && backlog.has_room() {
            child.resume();
            tracing::info!("Blender goes on: {size} wait to be stored");
        }
    }

    /// Takes a line of the log. The result is why Blender cannot go on.
    fn line(&mut self, line: &str) -> Option<Stop> {
        match self.current.tail.push(line) {
            Event::Progress(progress) => {
                tracing::debug!(program = "blender", "{line}");
                self.current.at_work = progress.frame.or(self.current.at_work);
                if let (Some(frame), Some((done, total))) = (progress.frame, progress.samples) {
                    self.progress.at_work(frame, f64::from(done) / f64::from(total.max(1)));
                    if self.progress.is_due(HEARTBEAT) {
                        tracing::info!(
                            frame = frame.get(),
                            "frame {frame}: sample {done} of {total}; stored {}",
                            self.progress
                        );
                    }
                }
            }
            Event::Saved(path) => {
                tracing::debug!(program = "blender", "{line}");
                let stop = self.look_for_answer();
                self.saved(Path::new(path));
                return stop;
            }
            Event::Described => {
                tracing::debug!(program = "blender", "{line}");
                return self.look_for_answer();
            }
            Event::Timing => tracing::debug!(program = "blender", "{line}"),
            Event::Error(_) => {
                self.flood.pass(|| tracing::error!(program = "blender", "{line}"));
            }
            Event::Other => self.flood.pass(|| tracing::info!(program = "blender", "{line}")),
        }
        None
    }

    /// Reads what the setup script says of the scene, once it is there. The result is why
    /// Blender cannot go on.
    fn look_for_answer(&mut self) -> Option<Stop> {
        if self.current.described {
            return None;
        }
        let answer = scene_answer::read(self.answer_dir)?;
        self.current.described = true;
        match answer {
            Ok(answer) => self.scene_is_open(answer),
            Err(why) => {
                tracing::warn!(
                    "what Blender says of the scene cannot be read, so frames are stored without a \
                     fingerprint, and the next attempt renders them again: {why}"
                );
                None
            }
        }
    }

    /// Blender has opened the scene and described it: can it render that, and is there room
    /// for the frames?
    fn scene_is_open(&mut self, Answer { mut scene, external }: Answer) -> Option<Stop> {
        self.current.tail.scene_is_open();
        if self.job.engine == Engine::Scene
            && let Some(engine) = self.current.tail.missing_engine(&scene.name)
        {
            let needed_by = vec![format!("scene {}, which is set to {engine}", scene.name)];
            scene.lacking.push(Lack { feature: Feature::Engine, needed_by });
        }
        let lacking = scene.not_allowed(&self.job.allow_missing);
        for lack in scene.lacking.iter().filter(|lack| !lacking.contains(lack)) {
            scene.warnings.push(format!(
                "rendering without what is allowed to be missing ({}), which is needed by {}",
                lack.feature,
                lack.needed_by.join(", ")
            ));
        }
        for warning in scene.warnings.iter().filter(|_| self.scene.is_none()) {
            tracing::warn!("{warning}");
        }
        tracing::info!(
            "Blender {}, {}, {}x{}, {} to be delivered",
            scene.blender,
            scene.engine,
            scene.width,
            scene.height,
            scene.format().map_or_else(|| scene.extension.clone(), |f| f.to_string()),
        );
        let needed = room_for_frames(&scene);
        self.origin.describes(&scene, external);
        let running = scene.blender.clone();
        self.scene = Some(scene);
        if !lacking.is_empty() {
            let cause = self.cause_of_refusal(lacking, running);
            self.current.refused = Some(cause.clone());
            return Some(Stop::Refused(cause));
        }
        // By now Blender may have written the first ones.
        let space = self.current.space.take();
        space.filter(|space| !space.holds(needed)).map(|space| Stop::NoRoom(space, needed))
    }

    fn cause_of_refusal(&self, lacking: Vec<Lack>, running: String) -> Cause {
        if lacking.iter().any(|lack| lack.feature == Feature::NewerBlender) {
            let running = BlenderVersion::parse(&running);
            return Cause::NewerFile { saved_by: self.file.saved_by, running };
        }
        Cause::Lacking { lacking, running }
    }

    /// Blender says that it saved a file. A scene may write others beside ours.
    fn saved(&mut self, path: &Path) {
        if self.current.refused.is_some() {
            return;
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(frame) = name.and_then(FrameFile::parse) else { return };
        let file = self.frames_dir.join(FrameFile::name(frame.number, frame.format));
        let asked = self.current.frames.contains(frame.number);
        if path != file || !asked || self.stored.contains_key(&frame.number.get()) {
            return;
        }
        let now = Instant::now();
        let seconds = (now - self.current.frame_began).as_secs_f64();
        self.seconds.insert(frame.number, (seconds * 1000.0).round() / 1000.0);
        self.current.frame_began = now;
        self.current.saved.insert(frame.number);
        self.delivery.accept(frame.number, file, self.origin.of(frame.number));
        if self.last_frame {
            self.worker.shutdown.leave();
        }
    }

    /// The instance goes: the frame in hand is finished if there is time for that.
    fn noticed(&mut self) {
        let shutdown = &self.worker.shutdown;
        let (asked, saved) = (&self.current.frames, &self.current.saved);
        let left = asked.iter().filter(|frame| !saved.contains(frame)).collect();
        let in_hand = self.current.in_hand(&left);
        let (Some(frame), Some(time)) = (in_hand, shutdown.time_to_finish()) else {
            return shutdown.leave();
        };
        let seen = self.seconds.values().rev().copied();
        let left = spot_decision::time_left(
            seen,
            self.current.frame_began.elapsed(),
            self.progress.part(),
        );
        self.last_frame = left.is_none_or(|left| left <= time);
        tracing::warn!(
            frame = frame.get(),
            "Spot notice: {}",
            spot_decision::describe(frame, left, time)
        );
        if !self.last_frame {
            shutdown.leave();
        }
    }
}
