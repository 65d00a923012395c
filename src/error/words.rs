//! What an error says: what happened, to which frame or URI, and what to do next.

use std::fmt;

use super::{Error, chain, frames};
use crate::batch::Refused;
use crate::blender::SetAside;
use crate::ending::{Killer, Size};
use crate::exit::Exit;
use crate::request::{LARGEST_ARRAY, Location};
use crate::{blender, ffmpeg};

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selection(error) => write!(f, "{error}"),
            Self::SceneFile { scene, .. } => write!(f, "{scene} is no usable scene"),
            Self::NoSceneRange { source, .. } => {
                write!(f, "{source} does not tell the scene's frame range")
            }
            Self::Program { program, setting, .. } => {
                write!(f, "cannot start {} ({setting})", program.display())
            }
            Self::Sandbox(error) => write!(f, "{error}"),
            Self::Machine(lack) => write!(f, "{lack}"),
            Self::Blender { cause, missing, scene, .. } => {
                write!(f, "{scene}: {} not rendered: {cause}", frames(missing))
            }
            Self::SetAside { scene, missing, aside, .. } => {
                let (times, reasons) = (SetAside::how_often(aside), SetAside::reasons(aside));
                write!(f, "{scene}: {} not rendered: ", frames(missing))?;
                write!(f, "Blender failed {times} at {reasons}")?;
                if aside.len() < missing.len() {
                    f.write_str("; then it no longer opened the scene")?;
                }
                Ok(())
            }
            Self::ScratchFull { scene, missing, space, needed } => {
                write!(f, "{scene}: {} not rendered: ", frames(missing))?;
                match needed {
                    None => write!(f, "the scratch disk is full: {space}"),
                    Some(needed) => write!(
                        f,
                        "the scratch disk is too small: {space}, and {} are needed for frames of \
                         this size",
                        Size(*needed)
                    ),
                }
            }
            Self::NotStored { missing, .. } => write!(f, "{} not stored", frames(missing)),
            Self::NoFrames { folder } => write!(f, "there are no numbered images in {folder}"),
            Self::MissingFrames { folder, frames: which } => {
                write!(f, "{} missing in {folder}", frames(which))
            }
            Self::UnusableFrames { folder, problems } => {
                write!(f, "the frames in {folder} make no video: {}", problems.join("; "))
            }
            Self::Ffmpeg { cause, video, frames: of, .. } => {
                write!(f, "{video} is not made of {}: {cause}", of.named())
            }
            Self::Storage(error) => write!(f, "{error}"),
            Self::Scratch { path, .. } => {
                write!(f, "the folder for temporary files, {}, cannot be used", path.display())
            }
            Self::Interrupted { by, left } => write!(f, "stopped by {by}: {left}"),
            Self::Batch(error) => write!(f, "{error}"),
            Self::HalfSubmitted { render, .. } => write!(
                f,
                "the job {render} is submitted and renders, the one that makes the video is not"
            ),
            Self::ArrayTooLarge { frames, children, fits } => write!(
                f,
                "{frames} frames would take {children} children, and an array job has \
                 {LARGEST_ARRAY} at most: --frames-per-job (F_PER_JOB) {} fits",
                fits.get()
            ),
            Self::NoSuchJob { job, region } => {
                write!(f, "AWS Batch in {region} knows no job {job}")
            }
            Self::JobsFailed { jobs } => write!(f, "{jobs}"),
            Self::NoLongerFollowed { why, command } => {
                write!(f, "{}; the jobs go on: {command}", chain(why.as_ref()))
            }
            Self::Answer { text, .. } => {
                write!(f, "standard output does not take the answer, {:?}", text.trim_end())
            }
            Self::Internal(what) => write!(f, "{what}"),
        }
    }
}

impl Error {
    /// What the person who reads this should do next.
    pub fn advice(&self) -> &'static str {
        if let Some(advice) = self.advice_to_who_asked() {
            return advice;
        }
        match self.exit() {
            Exit::Success => "",
            Exit::Internal => "this is a bug in render-worker: report it with this log",
            Exit::Usage => "correct the flags or variables of the job",
            Exit::Unusable if matches!(self, Self::UnusableFrames { .. } | Self::Ffmpeg { .. }) => {
                "render the frames that are named again"
            }
            Exit::Unusable => "open the scene in Blender, mend it and upload it again",
            Exit::Missing if matches!(self, Self::MissingFrames { .. }) => {
                "run the render jobs that make them, or hold the frame before with --allow-gaps"
            }
            Exit::Missing => "check the URI",
            Exit::Unavailable if matches!(self, Self::Sandbox(_)) => {
                "run the job where the kernel has both, or settle for what there is: --sandbox auto"
            }
            Exit::Unavailable if matches!(self, Self::Machine(_)) => "raise that limit",
            Exit::Unavailable => "install what is lacking in the image, or name another program",
            Exit::ChildFailed if matches!(self, Self::Interrupted { .. }) => {
                "give the job more time, or run it again for what is left"
            }
            Exit::ChildFailed => "do the same with these frames on a desktop to see what is wrong",
            Exit::LocalIo if self.is_about_a_file() => {
                "see that this disk or volume has space and can be written"
            }
            Exit::LocalIo => {
                "give the container a folder for temporary files that has space and can be \
                 written: --scratch-dir (SCRATCH_DIR) or docker run --tmpfs /tmp"
            }
            Exit::Transient => "run the job again: this can pass by itself",
            Exit::Denied if self.is_about_a_file() => {
                "give the user that this runs as the right to do this, or run it as another one \
                 (docker run --user)"
            }
            Exit::Denied => "give the job's role or user the right to do this",
            Exit::Keyboard | Exit::Terminated => "run the job again",
            Exit::ChildKilled if self.is_out_of_memory() => "give the container more memory",
            Exit::ChildKilled => {
                "find out who killed it; if the machine ran out of memory, give it more memory"
            }
        }
    }

    /// The same where it is no job that ends, but what asked for jobs, or of them.
    fn advice_to_who_asked(&self) -> Option<&'static str> {
        Some(match self {
            Self::Batch(error) => match error.refused() {
                Refused::Request => "correct what it names",
                Refused::Access => {
                    "give whoever runs this the right to do it, or other credentials"
                }
                Refused::Throttled | Refused::ForNow => {
                    "see that the network is there, and run this again"
                }
                Refused::Unknown => {
                    "look for the job in its queue before submitting it again: it may be there"
                }
            },
            Self::HalfSubmitted { .. } => {
                "see whether AWS Batch has the other one; if not, submit it: standard output says how"
            }
            Self::ArrayTooLarge { .. } => "have a child render more frames, or leave it to --auto",
            Self::NoSuchJob { .. } => {
                "check id and region (AWS_REGION); Batch forgets jobs some days after their end"
            }
            Self::JobsFailed { .. } => {
                "mend what failed, and submit the same again: what is stored is not rendered again"
            }
            Self::NoLongerFollowed { .. } => "follow them again, as it says",
            Self::Answer { .. } => "see that there is room for it where standard output goes",
            _ => return None,
        })
    }

    /// Whether the system says that a kill was for want of memory.
    fn is_out_of_memory(&self) -> bool {
        let is_that = |killer: &Killer| matches!(killer, Killer::OutOfMemory { .. });
        if let Self::Blender { cause: blender::Cause::Killed(killer), .. }
        | Self::Ffmpeg { cause: ffmpeg::Cause::Killed(killer), .. } = self
        {
            return is_that(killer);
        }
        let Self::SetAside { aside, .. } = self else { return false };
        aside
            .iter()
            .any(|aside| matches!(&aside.cause, blender::Cause::Killed(killer) if is_that(killer)))
    }

    fn is_about_a_file(&self) -> bool {
        let (Self::Storage(source) | Self::NotStored { source, .. }) = self else { return false };
        matches!(source.location(), Location::Local(_))
    }
}
