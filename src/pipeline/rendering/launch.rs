//! One launch of Blender: what it says becomes progress, what it says it saved is delivered.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::Rendering;
use crate::blender::Event;
use crate::pipeline::{CHILD_GRACE, leaving};
use crate::process::shutdown::Stage;
use crate::process::supervisor::{self, End, Running};
use crate::request::FrameFile;

/// How long Blender has to quit when every frame is stored. Freeing a large scene takes
/// seconds; an add-on that never lets it quit must not hold the job.
const QUIT_GRACE: Duration = Duration::from_secs(20);

/// How often a frame in hand is mentioned.
const HEARTBEAT: Duration = Duration::from_secs(15);

impl Rendering<'_> {
    /// Reads what Blender says and stores what it saves, until it ends.
    pub(super) async fn follow(&mut self, child: &mut Running) -> End {
        let shutdown = self.worker.shutdown.clone();
        let (mut stage, mut stopping) = (Stage::Working, false);
        loop {
            let all_stored = self.all_stored;
            let overdue = async {
                match all_stored {
                    Some(since) => sleep_until((since + QUIT_GRACE).into()).await,
                    None => std::future::pending().await,
                }
            };
            let stop = tokio::select! {
                event = child.next() => {
                    match event {
                        supervisor::Event::Line(_, line) => self.line(&line),
                        supervisor::Event::Ended(end) => return end,
                    }
                    None
                }
                delivered = self.delivery.next() => {
                    self.delivered(delivered);
                    self.futile()
                }
                reached = shutdown.beyond(stage) => {
                    stage = reached;
                    self.worker.hurry(child, stage);
                    if stage == Stage::Noticed {
                        self.noticed();
                    }
                    (stage >= Stage::Stopping)
                        .then(|| "stopping Blender, storing what is saved".to_owned())
                }
                () = overdue, if !stopping => {
                    Some("every frame is stored and Blender does not quit: stopping it".to_owned())
                }
            };
            if let Some(why) = stop.filter(|_| !stopping) {
                tracing::warn!("{why}");
                stopping = true;
                child.stop(CHILD_GRACE);
            }
            if !stopping {
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

    fn line(&mut self, line: &str) {
        match self.tail.push(line) {
            Event::Progress(progress) => {
                tracing::debug!(program = "blender", "{line}");
                if let (Some(frame), Some((done, total))) = (progress.frame, progress.samples) {
                    if self.progress.is_due(HEARTBEAT) {
                        tracing::info!(
                            frame = frame.get(),
                            "frame {frame}: sample {done} of {total}; stored {}",
                            self.progress
                        );
                    }
                    self.progress.at_work(frame, f64::from(done) / f64::from(total.max(1)));
                }
            }
            Event::Saved(path) => {
                tracing::debug!(program = "blender", "{line}");
                self.saved(Path::new(path));
            }
            Event::Scene(scene) => {
                for warning in &scene.warnings {
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
                self.scene = Some(*scene);
            }
            Event::Timing => tracing::debug!(program = "blender", "{line}"),
            Event::Error(_) => tracing::error!(program = "blender", "{line}"),
            Event::Other => tracing::info!(program = "blender", "{line}"),
        }
    }

    /// Blender says that it saved a file. A scene may write others beside ours.
    fn saved(&mut self, path: &Path) {
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(frame) = name.and_then(FrameFile::parse) else { return };
        let file = self.frames_dir.join(FrameFile::name(frame.number, frame.format));
        let asked = self.frames.contains(frame.number);
        if path != file || !asked || self.stored.contains_key(&frame.number.get()) {
            return;
        }
        let now = Instant::now();
        let seconds = (now - self.frame_began).as_secs_f64();
        self.seconds.insert(frame.number, (seconds * 1000.0).round() / 1000.0);
        self.frame_began = now;
        self.delivery.accept(frame.number, file);
        if self.last_frame {
            self.worker.shutdown.leave();
        }
    }

    /// The instance goes: the frame in hand is finished if there is time for that.
    fn noticed(&mut self) {
        let shutdown = &self.worker.shutdown;
        let in_hand = self.frames.iter().find(|frame| !self.seconds.contains_key(frame));
        let (Some(frame), Some(time)) = (in_hand, shutdown.time_to_finish()) else {
            return shutdown.leave();
        };
        let seen = self.seconds.values().rev().copied();
        let left = leaving::left(seen, self.frame_began.elapsed(), self.progress.part());
        self.last_frame = left.is_none_or(|left| left <= time);
        tracing::warn!(
            frame = frame.get(),
            "Spot notice: {}",
            leaving::decision(frame, left, time)
        );
        if !self.last_frame {
            shutdown.leave();
        }
    }
}
