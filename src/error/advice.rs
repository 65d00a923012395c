//! What an error says: what happened, to which frame or URI, and what to do next.

use std::borrow::Cow;
use std::fmt;

use super::{Error, Rest, frames};
use crate::batch::Refused;
use crate::blender::{Failure, Lack, SceneFileError, SkippedFrame};
use crate::ending::{Killer, Size};
use crate::error_chain::chain;
use crate::exit::Exit;
use crate::request::{FRAMES_DIR, Feature, LARGEST_ARRAY, Location};
use crate::storage;
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
            Self::NoFrameRate { reports } => {
                write!(f, "no report in {reports} tells the frame rate of the scene")
            }
            Self::Program { program, setting, .. } => {
                write!(f, "cannot start {} ({setting})", program.display())
            }
            Self::Sandbox(error) => write!(f, "{error}"),
            Self::Machine(lack) => write!(f, "{lack}"),
            Self::Blender { cause, missing, scene, .. } => {
                write!(f, "{scene}: {} not rendered: {cause}", frames(missing))
            }
            Self::FramesSkipped { scene, missing, skipped, rest, .. } => {
                let (times, reasons) =
                    (SkippedFrame::how_often(skipped), SkippedFrame::reasons(skipped));
                write!(f, "{scene}: {} not rendered: ", frames(missing))?;
                write!(f, "Blender failed {times} at {reasons}")?;
                match rest {
                    _ if skipped.len() == missing.len() => Ok(()),
                    Rest::NotOpened => f.write_str("; then it no longer opened the scene"),
                    Rest::NotTried => f.write_str(
                        "; no frame was ever stored, so the others are not tried: they would fail \
                         in the same way",
                    ),
                }
            }
            Self::ScratchUnwritable { scene, missing, path, .. } => {
                let missing = frames(missing);
                write!(f, "{scene}: {missing} not rendered: cannot write to {}", path.display())
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
    pub fn advice(&self) -> Cow<'static, str> {
        match self {
            Self::Blender { cause, .. } => of_blender(cause),
            Self::SceneFile { source: SceneFileError::Newer { saved_by, .. }, .. } => {
                of_blender(&blender::Cause::NewerFile { saved_by: Some(*saved_by), running: None })
            }
            Self::FramesSkipped { skipped, .. } => {
                let killed = self.exit() == Exit::ChildKilled;
                let mut causes = skipped.iter().map(|skipped| &skipped.cause);
                let cause = causes.find(|c| killed || !matches!(c, blender::Cause::Killed(_)));
                cause.map_or(Cow::Borrowed(""), of_blender)
            }
            _ => {
                let specific = self.advice_to_who_asked().or_else(|| self.advice_on_storage());
                specific.unwrap_or_else(|| self.advice_by_code()).into()
            }
        }
    }

    /// The same where the exit code says enough of the cause.
    fn advice_by_code(&self) -> &'static str {
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
            Exit::Missing if matches!(self, Self::NoFrameRate { .. }) => {
                "say how many frames a second the video has: --fps (FPS)"
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
            Exit::ChildFailed => "run the job again; if it fails again, report it with this log",
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
            Exit::ChildKilled if self.is_out_of_memory() => MORE_MEMORY,
            Exit::ChildKilled => WHO_KILLED_IT,
        }
    }

    /// The same of a store, where its failure says more than the exit code.
    fn advice_on_storage(&self) -> Option<&'static str> {
        let (Self::Storage(source) | Self::NotStored { source, .. }) = self else { return None };
        match source.failure() {
            storage::Failure::Archived(_) => Some(
                "restore the object (aws s3api restore-object, or from the console), then run the \
                 job again",
            ),
            storage::Failure::Unrecognised(_) => Some(WHO_WE_ARE),
            storage::Failure::Refused(_) => {
                Some("see what the store says, and check that it is the store you mean")
            }
            storage::Failure::Misconfigured(_) => Some(SETTINGS),
            storage::Failure::Lacking(_) => Some(MACHINE),
            storage::Failure::Denied(_) if !self.is_about_a_file() => Some(
                "give the job's role or user the right to do this; if requesters pay for this \
                 bucket, also set --request-payer requester (REQUEST_PAYER)",
            ),
            storage::Failure::Missing(_)
            | storage::Failure::Denied(_)
            | storage::Failure::Transient(_)
            | storage::Failure::Io(_) => None,
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
        matches!(self, Self::Ffmpeg { cause: ffmpeg::Cause::Killed(killer), .. } if is_that(killer))
    }

    fn is_about_a_file(&self) -> bool {
        let (Self::Storage(source) | Self::NotStored { source, .. }) = self else { return false };
        matches!(source.location(), Location::Local(_))
    }
}

const MORE_MEMORY: &str = "give the container more memory";

const WHO_KILLED_IT: &str =
    "find out who killed it; if the machine ran out of memory, give it more memory";

/// What to do about a failure of Blender's.
fn of_blender(cause: &blender::Cause) -> Cow<'static, str> {
    use blender::Cause;

    let advice = match cause {
        Cause::Scene(_) => "open the scene in Blender, mend it and upload it again",
        Cause::NewerFile { saved_by, .. } => {
            let version = saved_by.map_or_else(|| "that version".to_owned(), |v| v.to_string());
            return format!(
                "take an image with Blender {version} or later (BLENDER_VERSION when the image is \
                 built), or save the scene for an older one; --allow-missing {} (ALLOW_MISSING) \
                 renders what an older one can open",
                Feature::NewerBlender
            )
            .into();
        }
        Cause::Lacking { lacking, .. } => return what_is_lacking(lacking).into(),
        Cause::Unavailable(_) => {
            "install what is lacking in the image, or name another program; the default image has \
             a whole Blender"
        }
        Cause::Unprepared => "report it with this log: the script is a part of render-worker",
        Cause::Killed(Killer::OutOfMemory { .. }) | Cause::Failed { short_of_memory: true, .. } => {
            MORE_MEMORY
        }
        Cause::Killed(Killer::Unknown) => WHO_KILLED_IT,
        Cause::Failed { failure, .. } => match failure {
            Failure::Crashed(_) => {
                "start Blender with the command above on one of these frames; if it crashes there, \
                 too, another version of Blender may not (BLENDER, or the image's BLENDER_VERSION)"
            }
            Failure::Ended(_) => {
                "mend what Blender says, or see with the command above why it ends"
            }
            Failure::Stalled(_) => {
                "if the scene only waits for long, give it longer (--stall-timeout, \
                 STALL_TIMEOUT); else see with the command above what it waits for"
            }
            Failure::Overtime(_) => {
                "give a frame longer (--frame-timeout, FRAME_TIMEOUT), or the container more cores"
            }
            Failure::NotWhole(_) => {
                "see whether the disk of the folder for temporary files is sound (--scratch-dir, \
                 SCRATCH_DIR), and render one of these frames with the command above"
            }
        },
    };
    advice.into()
}

fn what_is_lacking(lacking: &[Lack]) -> String {
    let names: Vec<_> = lacking.iter().map(|lack| lack.feature.name()).collect();
    let has = |feature| lacking.iter().any(|lack| lack.feature == feature);
    let mut advice = if has(Feature::Engine) {
        "take an image with the add-on, or another engine (--engine, ENGINE)".to_owned()
    } else {
        "take the default image, which has a whole Blender".to_owned()
    };
    if has(Feature::Denoiser) {
        advice.push_str("; --denoise off (DENOISE) renders without denoising");
    }
    format!(
        "{advice}; --allow-missing {} (ALLOW_MISSING) renders without what is lacking",
        names.join(",")
    )
}
