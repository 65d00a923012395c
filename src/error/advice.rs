//! Advice for each error: what its reader should do next.

use std::borrow::Cow;

use super::{Error, farm_advice, is_frames_folder, local_advice};
use crate::batch::BatchErrorKind;
use crate::blender::{
    Failure, FileProblem, MissingFeature, RefusalKind, SceneFileError, UnusableFile,
};
use crate::container::Container;
use crate::ending::Killer;
use crate::exit::Exit;
use crate::process::shutdown::Interrupt;
use crate::project::ProjectError;
use crate::request::{BlenderVersion, Feature, ImageFormat, Location};
use crate::storage::{self, StorageError};
use crate::{blender, ffmpeg};

const CREDENTIALS: &str = "use valid credentials: those of a role, of AWS_PROFILE, or \
                           AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN";

const SETTINGS: &str = "correct the value that the message names";

const ANY_NAMES: &str = "take every image in the order of names: --in-order name (IN_ORDER)";

const MACHINE: &str = "install what is missing on this machine or in the image";

const LACKING: &str = "correct the flag if the message names one; otherwise install what is missing \
                       in the image, or use the default image, which contains the complete Blender";

const MORE_MEMORY: &str = "give the container more memory";

const UNKNOWN_KILLER: &str =
    "find out what killed it; if the machine ran out of memory, give it more memory";

impl Error {
    /// Returns what the reader of this error should do next. `container` is the one that this
    /// process runs in, if it does.
    pub fn advice(&self, container: Option<&Container>) -> Cow<'static, str> {
        match self {
            Self::Blender { cause: blender::Cause::UnusableFiles(files), scene, .. }
            | Self::NotBaked { cause: blender::Cause::UnusableFiles(files), scene, .. }
            | Self::NotPacked { cause: blender::Cause::UnusableFiles(files), scene } => {
                unusable_files_advice(files, scene).into()
            }
            Self::Blender { cause, command, .. } | Self::NotDescribed { cause, command, .. } => {
                blender_advice(cause, command)
            }
            Self::NotBaked { cause, scene, .. } => {
                blender_advice(cause, &format!("blender {scene}"))
            }
            Self::NotPacked { cause, .. } | Self::NotSubmitted { cause, .. } => {
                blender_advice(cause, "")
            }
            Self::SceneFile { source: SceneFileError::Newer { saved_by, .. }, .. } => {
                newer_file_advice(Some(*saved_by)).into()
            }
            Self::FramesSkipped { skipped, command, .. } => {
                let killed = self.exit() == Exit::ChildKilled;
                let mut causes = skipped.iter().map(|skipped| &skipped.cause);
                let cause = causes.find(|c| killed || !matches!(c, blender::Cause::Killed(_)));
                cause.map_or(Cow::Borrowed(""), |cause| blender_advice(cause, command))
            }
            Self::Batch(error) => batch_advice(error.kind()).into(),
            Self::Storage(error)
            | Self::NotStored { source: error, .. }
            | Self::UserCode { source: error, .. } => {
                let local = || local_advice::of(error, container);
                let other = || storage_advice(error).unwrap_or_else(|| exit_advice(self.exit()));
                local().map_or_else(|| other().into(), Into::into)
            }
            Self::NoFrames { unnumbered, .. } if !unnumbered.is_empty() => ANY_NAMES.into(),
            Self::NoFrames { folder, .. } => no_frames_advice(folder).into(),
            Self::NoPictures { .. } => format!(
                "check the path, and in a container what is mounted there; pictures are {}, and those \
                 in folders below it do not count",
                ImageFormat::ALL.map(|format| format.to_string()).join(", ")
            )
            .into(),
            Self::MissingFrames { folder, frames } if is_frames_folder(folder) => format!(
                "render them (render --frames {frames}), or repeat the previous frame with \
                 --allow-gaps"
            )
            .into(),
            _ => self.specific_advice().unwrap_or_else(|| exit_advice(self.exit())).into(),
        }
    }

    /// Returns advice for errors whose exit code does not say enough.
    fn specific_advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnusableFrames { problems, .. }
                if problems.iter().any(|it| it.contains("--")) =>
            {
                "use the flag that is named above, or other images"
            }
            Self::UnusableFrames { folder, .. } if !is_frames_folder(folder) => {
                "repair or replace the images named above, or remove them from this folder"
            }
            Self::UnusableFrames { .. } => "render the frames named above again, or replace them",
            Self::Ffmpeg { cause: ffmpeg::Cause::Sound | ffmpeg::Cause::NoSound, .. } => {
                "give another sound file (--audio, AUDIO), or none (--no-audio, NO_AUDIO)"
            }
            Self::Ffmpeg { cause: ffmpeg::Cause::FrameRate, .. } => {
                "give a usual frame rate, such as 24, 25 or 30 (--fps, FPS), or a video whose \
                 name ends in .mov (--output-name, OUTPUT_NAME)"
            }
            Self::Ffmpeg { cause: ffmpeg::Cause::Killed(Killer::OutOfMemory { .. }), .. } => {
                MORE_MEMORY
            }
            Self::SceneFile { source: SceneFileError::Placeholder(_), .. } => {
                "replace it with the real file"
            }
            Self::SceneFile { source: SceneFileError::NotABlend, .. } => {
                "give a .blend file; one in an archive has to be unpacked first"
            }
            Self::SceneFile { source: SceneFileError::Empty, .. } => {
                "save the scene in Blender again, or copy its file again"
            }
            Self::Program { .. } => {
                "install it, give its path with this flag, or use the image, which contains it"
            }
            Self::MissingFrames { .. } => {
                "add the missing images, repeat the previous one with --allow-gaps, or take those \
                 that are there with --in-order name (IN_ORDER)"
            }
            Self::OutputUnknown => "leave out --download, and fetch the files with another program",
            Self::NotDownloaded { .. } => {
                "run it again, and only these files are fetched: render-worker status JOB-ID --wait \
                 --download DIR"
            }
            Self::NotInProject { .. } => "give a folder that the scene is in",
            Self::OtherProject { .. } => {
                "give this one another name (--name, PROJECT_NAME), or store it elsewhere"
            }
            Self::FilesChanged { .. } => {
                "run this again when no other program writes to these files: what is stored is not \
                 sent again"
            }
            Self::Project(ProjectError::Manifest { .. } | ProjectError::Content { .. }) => {
                "pack the project again: render-worker pack"
            }
            Self::Project(ProjectError::Archive { .. }) => {
                "make the archive again, as zip or tar, with files and folders only"
            }
            Self::Project(ProjectError::TooLarge { .. }) => {
                "give a smaller prefix, or pack the scene with what it needs: render-worker pack"
            }
            Self::Project(ProjectError::NoMain { .. }) => {
                "name the scene file as it is listed above"
            }
            Self::PackedFile { .. } => {
                "make the file readable, or leave it out: --exclude (EXCLUDE)"
            }
            Self::ViewLut { .. } => "choose a view: --view (VIEW)",
            Self::NoFrameRate { .. } => "set the frame rate: --fps (FPS)",
            Self::Sandbox(_) => {
                "run the job on a kernel with Landlock and seccomp, or accept the protection that \
                 this one has: --sandbox auto"
            }
            Self::Machine(_) => "raise this limit",
            Self::Listen { .. } => {
                "choose an address of this machine and a port that no other program uses, above 1023 \
                 unless the worker runs as root"
            }
            Self::DataFolder { .. } => {
                "give a folder that this user may write to and no other server uses; in a container, \
                 mount one"
            }
            Self::NoGpu => {
                "give the container its GPUs (docker run --gpus all), or use --processes (PROCESSES)"
            }
            Self::Interrupted { by: Interrupt::OutOfTime, .. } => {
                "give the job more time, or run it again to finish the rest"
            }
            Self::Output { .. } => "make sure that standard output can be written",
            _ => return farm_advice::of(self),
        })
    }
}

/// Returns advice that follows from the exit code alone.
fn exit_advice(exit: Exit) -> &'static str {
    match exit {
        Exit::Success => "",
        Exit::Internal => "this is a bug in render-worker: report it with this log",
        Exit::Usage => "correct the flags or variables of the job",
        Exit::Unusable => "open the scene in Blender, fix it, and render the new file",
        Exit::Missing => "check the URI",
        Exit::Unavailable => "install what is missing in the image, or choose another program",
        Exit::ChildFailed => "run the job again; if it fails again, report it with this log",
        Exit::LocalIo => {
            "give the container a writable scratch folder with enough space: --scratch-dir \
             (SCRATCH_DIR) or docker run --tmpfs /tmp"
        }
        Exit::Transient => "run the job again: the problem is probably temporary",
        Exit::Denied => "grant the job's role or user this permission",
        Exit::Keyboard | Exit::Terminated => "run the same command again",
        Exit::ChildKilled => UNKNOWN_KILLER,
    }
}

/// Returns advice for a failure of storage, where it depends on more than the exit code.
fn storage_advice(error: &StorageError) -> Option<&'static str> {
    match error.failure() {
        storage::Failure::Archived(_) => Some(
            "restore the object (aws s3api restore-object, or from the console), then run the job \
             again",
        ),
        storage::Failure::Unrecognised(_) => Some(CREDENTIALS),
        storage::Failure::Refused(_) => {
            Some("read the store's message above, and check that this is the store you mean")
        }
        storage::Failure::Misconfigured(_) => Some(SETTINGS),
        storage::Failure::Lacking(_) => Some(MACHINE),
        storage::Failure::Denied(_) => Some(
            "grant the job's role or user this permission; for a Requester Pays bucket, also set \
             --request-payer requester (REQUEST_PAYER)",
        ),
        storage::Failure::Missing(_)
        | storage::Failure::Mistaken(_)
        | storage::Failure::Transient(_)
        | storage::Failure::Io(_) => None,
    }
}

/// Returns advice for a failure of AWS Batch.
fn batch_advice(kind: BatchErrorKind) -> &'static str {
    match kind {
        BatchErrorKind::InvalidRequest | BatchErrorKind::Misconfigured => SETTINGS,
        BatchErrorKind::Machine => MACHINE,
        BatchErrorKind::InvalidCredentials => CREDENTIALS,
        BatchErrorKind::NoCredentials => {
            "set AWS credentials: AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        }
        BatchErrorKind::AccessDenied => {
            "grant your role or user this permission, or use other credentials"
        }
        BatchErrorKind::Throttled | BatchErrorKind::Transient => {
            "check the network connection, and run this again"
        }
        BatchErrorKind::OutcomeUnknown => {
            "look for the job in its queue before submitting it again: it may be there"
        }
    }
}

/// Returns advice for a video without frames.
fn no_frames_advice(folder: &Location) -> String {
    match folder {
        _ if is_frames_folder(folder) => "render the scene first".to_owned(),
        Location::Local(path) => format!(
            "{}; for images from elsewhere, check the path",
            local_advice::render_first(path)
        ),
        Location::S3 { .. } => "check the URI; frames have to be rendered to it first".to_owned(),
    }
}

/// Returns advice for a scene file of a newer Blender.
fn newer_file_advice(saved_by: Option<BlenderVersion>) -> String {
    let version = saved_by.map_or_else(|| "that version".to_owned(), |v| v.to_string());
    format!(
        "use an image with Blender {version} or later (BLENDER_VERSION when the image is built), \
         or save the scene for an older version; --allow-missing {} (ALLOW_MISSING) renders what \
         an older version can open",
        Feature::NewerBlender
    )
}

/// Returns advice for a failure of Blender. `command` renders a frame at which it failed.
fn blender_advice(cause: &blender::Cause, command: &str) -> Cow<'static, str> {
    use blender::Cause;

    let advice = match cause {
        // A file that is out of reach is an error of the whole job, which knows where the scene is.
        Cause::Scene(_) | Cause::UnusableFiles(_) => exit_advice(Exit::Unusable),
        Cause::Differing(_) => {
            "change what the message names, or accept it: without --strict (STRICT) it is a warning"
        }
        Cause::NewerFile { saved_by, .. } => return newer_file_advice(*saved_by).into(),
        Cause::Lacking { lacking, .. } => return missing_features_advice(lacking).into(),
        Cause::CutOff(_) => {
            "bake them once for all jobs: in Blender, which those that say so need, and save the \
             file; or with render-worker bake -i SCENE; or simulate the frames before in each job: \
             --simulate (SIMULATE); --allow-unbaked (ALLOW_UNBAKED) renders without simulating"
        }
        Cause::Refused(refusal) => refusal_advice(refusal.kind),
        Cause::Unbakeable(_) => {
            "bake on a file system that the jobs mount (-i and -o as paths), or simulate in each job: \
             --simulate (SIMULATE)"
        }
        Cause::Unavailable(_) => LACKING,
        Cause::SetupFailed => "report it with this log: the script is a part of render-worker",
        Cause::Killed(Killer::OutOfMemory { .. }) | Cause::Failed { short_of_memory: true, .. } => {
            MORE_MEMORY
        }
        Cause::Killed(Killer::Unknown) => UNKNOWN_KILLER,
        Cause::Failed { failure, .. } => match failure {
            Failure::Crashed(_) => {
                return format!(
                    "render such a frame on a desktop: `{command}`; if it crashes there too, try \
                     another version of Blender (BLENDER, or the image's BLENDER_VERSION)"
                )
                .into();
            }
            Failure::Ended(_) => {
                return format!(
                    "fix the problem that Blender reports; if it reports none, render such a frame \
                     on a desktop: `{command}`"
                )
                .into();
            }
            Failure::Stalled(_) => {
                return format!(
                    "if the scene just waits for a long time, raise --stall-timeout \
                     (STALL_TIMEOUT); otherwise see on a desktop what it waits for: `{command}`"
                )
                .into();
            }
            Failure::Overtime(_) => {
                "raise --frame-timeout (FRAME_TIMEOUT), or give the container more cores"
            }
            Failure::NotWhole(_) => {
                return format!(
                    "check the scratch disk for errors (--scratch-dir, SCRATCH_DIR), and render \
                     such a frame on a desktop: `{command}`"
                )
                .into();
            }
        },
    };
    advice.into()
}

/// Returns advice for a job that the setup script refuses.
fn refusal_advice(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Usage => SETTINGS,
        RefusalKind::Unavailable => LACKING,
        RefusalKind::Script => {
            "correct the script, whose whole error is in the log; it runs in the sandbox, so \
             --allow-read (ALLOW_READ) names other files that it reads"
        }
        RefusalKind::Addon => {
            "correct the name of the add-on, or the add-on itself, whose whole error is in the log"
        }
    }
}

/// Returns advice for files that a scene needs and Blender cannot use.
fn unusable_files_advice(files: &[UnusableFile], scene: &Location) -> String {
    let mut advice = Vec::new();
    if let Some(value) = blender::allow_read(files) {
        let value = shell_words::quote(&value);
        advice.push(format!(
            "let Blender read what lies elsewhere: --allow-read {value} (ALLOW_READ)"
        ));
    }
    let has = |problem| files.iter().any(|file| file.problem == problem);
    if has(FileProblem::Missing) {
        advice.push(match scene {
            scene if scene.is_manifest() => {
                "put the files where the scene looks for them, and pack the project again"
            }
            Location::Local(_) => {
                "put missing files where the scene looks for them, or pack them into it (in \
                 Blender, File > External Data)"
            }
            Location::S3 { .. } => {
                "pack the scene with its files (render-worker pack), or pack the files into the \
                 scene (in Blender, File > External Data), or render it from a mounted folder: of a \
                 scene on S3, nothing else is fetched"
            }
        }.to_owned());
    }
    if has(FileProblem::Empty) || has(FileProblem::Damaged) || has(FileProblem::NotInLibrary) {
        advice.push("replace damaged files by whole ones".to_owned());
    }
    advice.push("--missing-files warn (MISSING_FILES) goes on without them".to_owned());
    advice.join("; ")
}

/// Returns advice for features that the scene needs and this Blender lacks.
fn missing_features_advice(missing: &[MissingFeature]) -> String {
    let names: Vec<_> = missing.iter().map(|lack| lack.feature.name()).collect();
    let lacks = |feature| missing.iter().any(|lack| lack.feature == feature);
    let mut advice = if lacks(Feature::Engine) {
        "bring the add-on (--addons-dir, ADDONS_DIR), or use an image with it, or another engine \
         (--engine, ENGINE)"
            .to_owned()
    } else {
        "use the default image, which contains the complete Blender".to_owned()
    };
    if lacks(Feature::Denoiser) {
        advice.push_str("; --denoise off (DENOISE) renders without denoising");
    }
    format!("{advice}; --allow-missing {} (ALLOW_MISSING) renders without these", names.join(","))
}
