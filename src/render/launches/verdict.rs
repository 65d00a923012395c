//! The verdict on a launch that has ended, and on the whole rendering.

use super::disk::{self, space_for_frames};
use super::launch::{LaunchState, StopReason};
use super::rendering::Rendering;
use crate::blender::{Cause, Failure, desktop_command};
use crate::ending::Ending;
use crate::error::{Error, Rest, frames_are};
use crate::process::shutdown::Interrupt;
use crate::process::supervisor::End;
use crate::request::{FRAMES_DIR, FrameNumber, FrameSet, Location};
use crate::space::Space;
use crate::worker::blender_run::{diagnose, failure_of};

impl Rendering<'_> {
    /// Judges a launch that has ended: `None` if all of its frames are done, the cause of its
    /// failure if Blender may be started again, or an error if not.
    pub fn judge(&mut self, end: End, stop: Option<StopReason>) -> Result<Option<Cause>, Error> {
        if self.pending_of_launch().is_empty() {
            if let End::Own(ending) = end
                && ending != Ending::Code(0)
            {
                tracing::warn!("Blender ended with {ending} after it had saved every frame");
            }
            return Ok(None);
        }
        let missing = self.ledger.missing();
        if let Some(source) = self.ledger.take_storage_error() {
            return Err(Error::NotStored { missing, source });
        }
        if let Some(by) = self.stop_requested() {
            return Err(self.interrupted(by));
        }
        if let Some(cause) = self.launch.refused.take() {
            return Err(self.blender_failed(cause));
        }
        let cause = self.cause_of_end(end, stop)?;
        if let Some(space) = self.launch.disk_full.take() {
            return Err(self.scratch_full(space, None));
        }
        // The setup script may have failed because it writes to the scratch disk, too.
        if cause.is_retryable() || cause == Cause::SetupFailed {
            self.check_scratch_disk()?;
        }
        if cause.is_retryable() { Ok(Some(cause)) } else { Err(self.blender_failed(cause)) }
    }

    /// The cause of a failed launch, or an error if the scratch disk lacks space.
    fn cause_of_end(&self, end: End, stop: Option<StopReason>) -> Result<Cause, Error> {
        match (stop, end) {
            (Some(StopReason::Alarm(alarm)), _) => Ok(failure_of(alarm).into()),
            (Some(StopReason::DiskFull(space)), _) => Err(self.scratch_full(space, None)),
            (Some(StopReason::DiskTooSmall(space, needed)), _) => {
                Err(self.scratch_full(space, Some(needed)))
            }
            (_, End::Own(ending)) => Ok(self.diagnose(ending)),
            (
                None
                | Some(
                    StopReason::Interrupted(_)
                    | StopReason::Idle
                    | StopReason::StorageFailed(_)
                    | StopReason::Refused(_),
                ),
                End::Stopped,
            ) => Err(Error::Internal(format!(
                "Blender was stopped without a reason; missing frames: {}",
                self.ledger.missing()
            ))),
        }
    }

    /// The cause of Blender's end, from its exit status, its log and the memory counters.
    fn diagnose(&self, ending: Ending) -> Cause {
        let LaunchState { tail, memory, .. } = &self.launch;
        diagnose(tail, ending, memory, self.assignment.header.saved_by, Some(self.job()))
    }

    /// Checks whether the scratch disk is to blame for a failure. Blender's messages alone prove
    /// nothing: they may be about any file, and an add-on can print anything.
    fn check_scratch_disk(&self) -> Result<(), Error> {
        if let Ok(space) = Space::on(self.frames_dir()) {
            let needed = self
                .scene
                .as_ref()
                .map(|scene| space_for_frames(scene, &self.outputs))
                .filter(|&n| !space.holds(n));
            let needed = needed.filter(|_| !space.is_full());
            if space.is_full() || (needed.is_some() && self.launch.tail.reports_full_disk()) {
                return Err(self.scratch_full(space, needed));
            }
        }
        disk::try_to_write(self.frames_dir()).map_err(|source| Error::ScratchUnwritable {
            scene: self.job().scene.clone(),
            missing: self.ledger.missing(),
            path: self.frames_dir().to_owned(),
            source,
        })
    }

    /// Counts a failed launch against the frames that are to blame.
    ///
    /// # Errors
    /// If no further launch is to be tried.
    pub fn count_failure(&mut self, cause: &Cause) -> Result<(), Error> {
        let mut in_hand = None;
        if !self.launch.has_begun() && !self.ledger.some_damaged() {
            let (launch, limit) = (self.reports.len(), self.ledger.failures.limit());
            let times = self.ledger.failures.record_before_open();
            tracing::warn!(
                "launch {launch} of Blender failed before it had opened the scene \
                 ({times} of {limit}): {cause}",
            );
        } else {
            in_hand = self.count_against_frames(cause);
        }
        self.excerpt = self.launch.tail.excerpt();
        if let Some(report) = self.reports.last_mut() {
            report.frame_in_hand = in_hand.map(FrameNumber::get);
            report.cause = Some(cause.to_string());
        }
        self.give_up_if_hopeless(cause)?;
        let next = self.ledger.next_launch();
        if !next.is_empty() {
            tracing::info!("starting Blender again for {}", next.named());
        }
        Ok(())
    }

    /// Counts a failed launch against the damaged frames and the frame in hand. The result is the
    /// frame in hand.
    fn count_against_frames(&mut self, cause: &Cause) -> Option<FrameNumber> {
        let (launch, limit) = (self.reports.len(), self.ledger.failures.limit());
        let unsaved: FrameSet =
            self.pending_of_launch().iter().filter(|&f| !self.ledger.is_damaged(f)).collect();
        let in_hand = self.launch.in_hand(&unsaved);
        let damaged = self.ledger.take_damaged().into_iter();
        let damaged =
            damaged.map(|(frame, damage)| (frame, Cause::from(Failure::NotWhole(damage))));
        let blamed: Vec<_> = damaged.chain(in_hand.map(|frame| (frame, cause.clone()))).collect();
        let some_stored = self.ledger.some_stored();
        let failures = &mut self.ledger.failures;
        if let Some((_, cause)) = blamed.first() {
            failures.record_cause(cause);
        }
        for (frame, cause) in blamed {
            let (number, why) = (frame.get(), cause.to_string());
            let times = failures.record_at_frame(frame, cause, some_stored);
            if failures.is_skipped(frame) {
                let launches = if times == 1 { "launch" } else { "launches" };
                tracing::error!(
                    frame = number,
                    "frame {frame} is skipped after {times} failed {launches} of Blender: {why}"
                );
            } else {
                tracing::warn!(
                    frame = number,
                    "launch {launch} of Blender failed at frame {frame} ({times} of {limit}): {why}"
                );
            }
        }
        in_hand
    }

    /// Fails if no further launch is to be tried.
    fn give_up_if_hopeless(&mut self, cause: &Cause) -> Result<(), Error> {
        let failures = &self.ledger.failures;
        if failures.is_unopenable() {
            if !failures.skipped().is_empty() {
                return self.conclude();
            }
            return Err(self.blender_failed(cause.clone()));
        }
        let fails_everywhere = failures.fails_everywhere(self.ledger.frames().len());
        if !self.ledger.some_stored() && fails_everywhere {
            self.ledger.failures.skip_failed();
            return self.conclude();
        }
        Ok(())
    }

    /// The result of a rendering after its last launch.
    pub fn conclude(&self) -> Result<(), Error> {
        let missing = self.ledger.missing();
        if missing.is_empty() {
            return Ok(());
        }
        let failures = &self.ledger.failures;
        let skipped = failures.skipped().to_vec();
        Err(Error::FramesSkipped {
            scene: self.job().scene.clone(),
            command: self.desktop_command(skipped.first().map(|skipped| skipped.frame)),
            missing,
            skipped,
            rest: if failures.is_unopenable() { Rest::NotOpened } else { Rest::NotTried },
            excerpt: self.excerpt.clone(),
        })
    }

    pub fn interrupted(&self, by: Interrupt) -> Error {
        interruption(by, &self.ledger.stored(), &self.ledger.missing(), &self.job().output)
    }

    fn blender_failed(&self, cause: Cause) -> Error {
        let missing = self.ledger.missing();
        let excerpt = match cause {
            // Blender has nothing to say about these.
            Cause::Refused(_) | Cause::UnusableFiles(_) | Cause::Differing(_) => Vec::new(),
            _ => self.launch.tail.excerpt(),
        };
        Error::Blender {
            cause,
            command: self.desktop_command(self.launch.in_hand(&missing)),
            missing,
            scene: self.job().scene.clone(),
            excerpt,
        }
    }

    /// The short command that renders `frame`, or else the first missing frame.
    fn desktop_command(&self, frame: Option<FrameNumber>) -> String {
        let frame = frame.or_else(|| self.ledger.missing().first()).unwrap_or(FrameNumber::ONE);
        let engine = self.scene.as_ref().map(|scene| scene.engine.as_str());
        desktop_command(self.job(), engine, frame)
    }

    fn scratch_full(&self, space: Space, needed: Option<u64>) -> Error {
        let (scene, missing) = (self.job().scene.clone(), self.ledger.missing());
        Error::ScratchFull { scene, missing, space, needed }
    }

    /// The frames of the last launch that are still pending.
    fn pending_of_launch(&self) -> FrameSet {
        let of_launch = |frame: &FrameNumber| self.launch.frames.contains(*frame);
        self.ledger.pending().iter().filter(of_launch).collect()
    }
}

/// The error of a job that was interrupted when these frames were stored in `output`, and these
/// were missing.
pub fn interruption(
    by: Interrupt,
    stored: &FrameSet,
    missing: &FrameSet,
    output: &Location,
) -> Error {
    let kept = if stored.is_empty() {
        "nothing is stored".to_owned()
    } else {
        format!("{} stored in {}", frames_are(stored), output.join(FRAMES_DIR))
    };
    let (left, all) = (missing.len(), stored.len() + missing.len());
    Error::Interrupted { by, left: format!("{left} of {all} frames are left: {missing}; {kept}") }
}
