//! What to make of a launch that has ended, and of them all.

use std::collections::BTreeMap;

use super::Rendering;
use super::disk;
use super::disk::room_for_frames;
use super::launch::{Stop, failure};
use crate::blender::{Cause, Context, Failure};
use crate::ending::Ending;
use crate::error::{Error, Rest, frames};
use crate::process::shutdown::Interrupt;
use crate::process::supervisor::End;
use crate::request::{FRAMES_DIR, FrameNumber, FrameSet};
use crate::space::Space;
use crate::storage;
use crate::storage::StorageError;

impl Rendering<'_> {
    /// What a launch that has ended means. Nothing where it has rendered all it was
    /// started for; else why it failed, if Blender may go on to try the rest.
    pub(crate) fn judge(&mut self, end: End, stop: Option<Stop>) -> Result<Option<Cause>, Error> {
        if self.pending_of_launch().is_empty() {
            if let End::Own(ending) = end
                && ending != Ending::Code(0)
            {
                tracing::warn!("Blender ended with {ending} after it had saved every frame");
            }
            return Ok(None);
        }
        let missing = self.missing();
        // One that does not pass is the cause of all.
        let lasts =
            |error: &StorageError| !matches!(error.failure(), storage::Failure::Transient(_));
        let first = self.not_stored.iter().find(|(_, error)| lasts(error));
        let first = first.or_else(|| self.not_stored.first_key_value()).map(|(frame, _)| *frame);
        if let Some(source) = first.and_then(|frame| self.not_stored.remove(&frame)) {
            return Err(Error::NotStored { missing, source });
        }
        if let Some(by) = self.worker.shutdown.requested() {
            return Err(self.interrupted(by));
        }
        let (scene, said) = (self.job.scene.clone(), self.current.tail.last_words());
        if let Some(cause) = self.current.refused.take() {
            return Err(Error::Blender { cause, missing, scene, said });
        }
        let full = |space, needed| {
            let scene = scene.clone();
            Err(Error::ScratchFull { scene, missing: missing.clone(), space, needed })
        };
        let cause = match (stop, end) {
            (Some(Stop::Alarm(alarm)), _) => failure(alarm).into(),
            (Some(Stop::DiskFull(space)), _) => return full(space, None),
            (Some(Stop::NoRoom(space, needed)), _) => return full(space, Some(needed)),
            (_, End::Own(ending)) => {
                let memory = &self.current.memory;
                let (killer, saved_by) = (memory.killer(), self.file.saved_by);
                let context = Context { killer, saved_by, job: self.job };
                match self.current.tail.diagnose(ending, &context) {
                    // It may have been one that Blender, or what stands for it, had started.
                    Cause::Failed { failure, .. } => {
                        Cause::Failed { failure, short_of_memory: memory.kills() > 0 }
                    }
                    cause => cause,
                }
            }
            (
                None | Some(Stop::Told(_) | Stop::Idle | Stop::Futile(_) | Stop::Refused(_)),
                End::Stopped,
            ) => {
                let what =
                    format!("Blender was stopped, and nobody asked for it: {missing} are missing");
                return Err(Error::Internal(what));
            }
        };
        if let Some(space) = self.disk_full.take() {
            return full(space, None);
        }
        // The setup script, too, has something to write.
        if cause.may_pass() || cause == Cause::Unprepared {
            self.ask_the_disk()?;
        }
        if !cause.may_pass() {
            return Err(Error::Blender { cause, missing, scene, said });
        }
        Ok(Some(cause))
    }

    /// Whether the scratch disk is to blame for a failure is asked of the disk. What Blender says
    /// may be about any file, and an add-on can print anything.
    fn ask_the_disk(&self) -> Result<(), Error> {
        let (scene, missing) = (self.job.scene.clone(), self.missing());
        if let Ok(space) = Space::on(self.frames_dir) {
            let needed = self.scene.as_ref().map(room_for_frames).filter(|&n| !space.holds(n));
            let needed = needed.filter(|_| !space.is_full());
            if space.is_full() || (needed.is_some() && self.current.tail.speaks_of_full_disk()) {
                return Err(Error::ScratchFull { scene, missing, space, needed });
            }
        }
        disk::try_to_write(self.frames_dir).map_err(|source| {
            let path = self.frames_dir.to_owned();
            Error::ScratchUnwritable { scene, missing, path, source }
        })
    }

    /// Counts a launch that failed against the frames that are to blame.
    pub(crate) fn count(&mut self, cause: Cause) -> Result<(), Error> {
        let limit = self.strikes.limit();
        let launch = self.launches.len();
        let left: FrameSet =
            self.pending_of_launch().iter().filter(|f| !self.damaged.contains_key(f)).collect();
        let mut in_hand = None;
        if !self.current.has_begun() && self.damaged.is_empty() {
            let times = self.strikes.failed_before_any();
            tracing::warn!(
                "launch {launch} of Blender failed before it had opened the scene ({times} of {limit}): {cause}",
            );
        } else {
            let damaged = std::mem::take(&mut self.damaged);
            let damaged = damaged
                .into_iter()
                .map(|(frame, damage)| (frame, Cause::from(Failure::NotWhole(damage))));
            in_hand = self.current.in_hand(&left);
            let struck = damaged.chain(in_hand.map(|frame| (frame, cause.clone())));
            let some_stored = self.some_stored();
            let struck: Vec<_> = struck.collect();
            if let Some((_, cause)) = struck.first() {
                self.strikes.launch_failed(cause);
            }
            for (frame, cause) in struck {
                let words = cause.to_string();
                let times = self.strikes.failed_at(frame, cause, some_stored);
                let number = frame.get();
                if self.strikes.is_aside(frame) {
                    let launches = if times == 1 { "launch" } else { "launches" };
                    tracing::error!(
                        frame = number,
                        "frame {frame} is set aside after {times} failed {launches} of Blender: {words}"
                    );
                } else {
                    tracing::warn!(
                        frame = number,
                        "launch {launch} of Blender failed at frame {frame} ({times} of {limit}): {words}"
                    );
                }
            }
        }
        self.said = self.current.tail.last_words();
        if let Some(report) = self.launches.last_mut() {
            report.frame_in_hand = in_hand.map(FrameNumber::get);
            report.cause = Some(cause.to_string());
        }
        if self.strikes.is_hopeless() {
            if !self.strikes.aside().is_empty() {
                return self.conclude();
            }
            let (scene, said) = (self.job.scene.clone(), self.said.clone());
            return Err(Error::Blender { cause, missing: self.missing(), scene, said });
        }
        if !self.some_stored() && self.strikes.is_alike_everywhere(self.frames.len()) {
            self.strikes.give_up();
            return self.conclude();
        }
        let next = self.next();
        if !next.is_empty() {
            tracing::info!("starting Blender again for {}", next.named());
        }
        Ok(())
    }

    /// How it ends when nothing more is tried.
    pub(crate) fn conclude(&self) -> Result<(), Error> {
        let missing = self.missing();
        if missing.is_empty() {
            match self.frames.len() {
                1 => tracing::info!("the frame is stored"),
                count => tracing::info!("all {count} frames are stored"),
            }
            return Ok(());
        }
        Err(Error::FramesSkipped {
            scene: self.job.scene.clone(),
            missing,
            aside: self.strikes.aside().to_vec(),
            rest: if self.strikes.is_hopeless() { Rest::NotOpened } else { Rest::NotTried },
            said: self.said.clone(),
        })
    }

    /// The frames that were given up, and why.
    pub fn set_aside(&self) -> BTreeMap<i32, String> {
        let aside = self.strikes.aside().iter();
        aside.map(|aside| (aside.frame.get(), aside.cause.to_string())).collect()
    }

    /// What it means to be told to stop.
    pub(crate) fn interrupted(&self, by: Interrupt) -> Error {
        let (stored, missing) = (self.stored(), self.missing());
        let kept = if stored.is_empty() {
            "nothing is stored".to_owned()
        } else {
            format!("{} stored in {}", frames(&stored), self.job.output.join(FRAMES_DIR))
        };
        let (left, all) = (missing.len(), self.frames.len());
        let left = format!("{left} of {all} frames are left: {missing}; {kept}");
        Error::Interrupted { by, left }
    }

    fn stored(&self) -> FrameSet {
        self.frames.iter().filter(|frame| self.stored.contains_key(&frame.get())).collect()
    }
}
