//! What an error says: what happened, to which frame or URI, and what to do next.

use std::fmt;

use super::{Error, chain, frames};
use crate::batch::Refused;
use crate::blender::{SceneFileError, SetAside};
use crate::ending::{Killer, Size};
use crate::exit::Exit;
use crate::request::{FRAMES_DIR, LARGEST_ARRAY, Location};
use crate::storage::Failure;
use crate::{blender, ffmpeg};

/// Whether a folder is one that render stores frames in, and not one of somebody's images.
fn is_of_frames(folder: &Location) -> bool {
    match folder {
        Location::Local(path) => path.file_name().is_some_and(|name| name == FRAMES_DIR),
        Location::S3 { key, .. } => key.rsplit('/').next() == Some(FRAMES_DIR),
    }
}

/// What helps where credentials are not accepted.
const WHO_WE_ARE: &str = "give it credentials that are accepted: those of a role, of AWS_PROFILE, \
                          or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN";

/// What helps where AWS or a store is not set up as it can be.
const SETTINGS: &str = "correct what it names";

/// What helps where this machine lacks what the settings speak of.
const MACHINE: &str = "give this machine or image what it lacks";

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
            Self::NoFrames { folder, unnumbered } => {
                write!(f, "there are no numbered images in {folder}")?;
                if !is_of_frames(folder) {
                    write!(f, ", nor in a folder {FRAMES_DIR} below it")?;
                }
                match unnumbered.as_slice() {
                    [] => Ok(()),
                    [name] => write!(f, "; the name of {name} has no number at its end"),
                    [name, more @ ..] => write!(
                        f,
                        "; the names of {name} and {} more images have no number at their end",
                        more.len()
                    ),
                }
            }
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
        if let Some(advice) = self.advice_to_who_asked().or_else(|| self.advice_on_storage()) {
            return advice;
        }
        match self.exit() {
            Exit::Success => "",
            Exit::Internal => "this is a bug in render-worker: report it with this log",
            Exit::Usage => "correct the flags or variables of the job",
            Exit::Unusable if matches!(self, Self::UnusableFrames { folder, .. } if !is_of_frames(folder)) => {
                "mend or replace the images that are named, or take them out of this folder"
            }
            Exit::Unusable if matches!(self, Self::UnusableFrames { .. } | Self::Ffmpeg { .. }) => {
                "render the frames that are named again, or replace them"
            }
            Exit::Unusable
                if matches!(self, Self::SceneFile { source: SceneFileError::Instead(_), .. }) =>
            {
                "put the file itself in its place"
            }
            Exit::Unusable => "open the scene in Blender, mend it and upload it again",
            Exit::Missing if matches!(self, Self::MissingFrames { folder, .. } if !is_of_frames(folder)) => {
                "put the images there that are missing, or hold the one before with --allow-gaps"
            }
            Exit::Missing if matches!(self, Self::NoFrames { .. }) => {
                "check the URI, and that the names of the images end in their numbers"
            }
            Exit::Missing if matches!(self, Self::MissingFrames { .. }) => {
                "run the render jobs that make them, or hold the frame before with --allow-gaps"
            }
            Exit::Missing => "check the URI",
            Exit::Unavailable if matches!(self, Self::Sandbox(_)) => {
                "run the job where the kernel has both, or settle for what there is: --sandbox auto"
            }
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

    /// The same of a store, where its failure says more than the exit code.
    fn advice_on_storage(&self) -> Option<&'static str> {
        let (Self::Storage(source) | Self::NotStored { source, .. }) = self else { return None };
        match source.failure() {
            Failure::Archived(_) => Some(
                "restore the object (aws s3api restore-object, or from the console), then run the \
                 job again",
            ),
            Failure::Unrecognised(_) => Some(WHO_WE_ARE),
            Failure::Refused(_) => {
                Some("see what the store says, and check that it is the store you mean")
            }
            Failure::Misconfigured(_) => Some(SETTINGS),
            Failure::Lacking(_) => Some(MACHINE),
            Failure::Denied(_) if !self.is_about_a_file() => Some(
                "give the job's role or user the right to do this; if requesters pay for this \
                 bucket, also set --request-payer requester (REQUEST_PAYER)",
            ),
            Failure::Missing(_) | Failure::Denied(_) | Failure::Transient(_) | Failure::Io(_) => {
                None
            }
        }
    }

    /// The same where it is no job that ends, but what asked for jobs, or of them.
    fn advice_to_who_asked(&self) -> Option<&'static str> {
        Some(match self {
            Self::Batch(error) => match error.refused() {
                Refused::Request => "correct what it names",
                Refused::Settings => SETTINGS,
                Refused::Machine => MACHINE,
                Refused::Identity => WHO_WE_ARE,
                Refused::NoIdentity => {
                    "say who you are: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                }
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
