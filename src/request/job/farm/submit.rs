//! Requests to `submit` jobs to AWS Batch, and for their `status`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::poll_interval::PollInterval;
use super::slices::{PricePerHour, Slices};
use crate::request::{
    AnimationRange, BlenderVersion, DataName, FrameRange, FrameSet, Location, PackJob, ProjectPath,
    SelectionError, ValueError,
};

/// A validated `submit` request.
#[derive(Clone, Debug)]
pub struct SubmitJob {
    /// The scene file.
    pub scene: Location,
    /// How the scene is packed before it is submitted; `None` if the jobs read it where it is.
    pub project: Option<Box<PackJob>>,
    /// The scene file in it, if it is an archive or a folder.
    pub main: Option<ProjectPath>,
    /// The name of the scene in it that is rendered; `None` for the active one.
    pub scene_name: Option<DataName>,
    /// The location for frames and video.
    pub output: Location,
    /// The version of Blender in the image, if it is known. A newer one must not have saved the
    /// scene.
    pub renderer: Option<BlenderVersion>,
    /// The frames that all children render together.
    pub frames: Animation,
    /// How they are dealt among the children.
    pub slices: Slices,
    /// Whether only those of the frames are rendered that the output does not have.
    pub missing: bool,
    /// The name of the jobs.
    pub name: JobName,
    /// The job queue.
    pub queue: String,
    /// The share identifier, for a queue with a scheduling policy.
    pub share_identifier: Option<String>,
    /// The job that renders.
    pub render: JobTemplate,
    /// The job that makes the video, if one is wanted.
    pub stitch: Option<JobTemplate>,
    /// The tags of both jobs.
    pub tags: BTreeMap<String, String>,
    /// What to do with the jobs.
    pub mode: SubmitMode,
    /// Where what the jobs store comes while they are followed; `None` for nowhere.
    pub download: Option<PathBuf>,
    /// Whether the output is JSON.
    pub json: bool,
}

impl SubmitJob {
    /// What the jobs are told to render: the scene, or the manifest of its project.
    pub fn input(&self) -> Location {
        self.project.as_ref().map_or_else(|| self.scene.clone(), |project| project.manifest())
    }
}

/// The frames of an animation, as requested. Some depend on the scene's own range.
#[derive(Clone, Debug)]
pub enum Animation {
    /// Exactly these frames.
    Exactly(NamedFrames),
    /// Consecutive frames.
    Range(AnimationRange),
}

impl Animation {
    /// Whether [`Animation::resolve`] needs the scene's own range.
    pub fn needs_scene_range(&self) -> bool {
        match self {
            Self::Exactly(_) => false,
            Self::Range(range) => range.needs_scene_range(),
        }
    }

    /// The frames, given the scene's own range.
    ///
    /// # Errors
    /// Those of [`AnimationRange::resolve`].
    pub fn resolve(&self, scene: Option<FrameRange>) -> Result<AnimationFrames, SelectionError> {
        match self {
            Self::Exactly(frames) => Ok(AnimationFrames::Exactly(frames.clone())),
            Self::Range(range) => range.resolve(scene).map(AnimationFrames::Range),
        }
    }
}

/// Frames that were given as a frame set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFrames {
    /// The frames.
    pub frames: FrameSet,
    /// The text of the set, as the user wrote it: `1-10000x2` is short, but the same frames as a
    /// list are longer than Batch accepts.
    pub text: String,
}

/// The frames of an animation, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnimationFrames {
    /// Exactly these frames.
    Exactly(NamedFrames),
    /// Consecutive frames.
    Range(FrameRange),
}

impl AnimationFrames {
    /// The frames as a set.
    pub fn set(&self) -> FrameSet {
        match self {
            Self::Exactly(named) => named.frames.clone(),
            Self::Range(range) => (*range).into(),
        }
    }

    /// The number of frames.
    pub fn count(&self) -> u32 {
        match self {
            // Never saturates: Blender supports fewer frames.
            Self::Exactly(named) => u32::try_from(named.frames.len()).unwrap_or(u32::MAX),
            Self::Range(range) => range.len(),
        }
    }
}

/// The settings in which the jobs of a request differ.
#[derive(Clone, Debug)]
pub struct JobTemplate {
    /// The job definition.
    pub definition: String,
    /// The environment variables of the container.
    pub variables: BTreeMap<String, String>,
    /// The number of vCPUs; `None` for that of the definition.
    pub vcpus: Option<u32>,
    /// The memory in MiB; `None` for that of the definition.
    pub memory: Option<u32>,
}

/// What `submit` does with the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitMode {
    /// Prints the requests, and submits nothing.
    DryRun,
    /// Submits the jobs.
    Submit,
    /// Submits the jobs, and waits until the last one has ended.
    SubmitAndWait(PollInterval),
}

/// A validated `status` request.
#[derive(Clone, Debug)]
pub struct StatusJob {
    /// What is looked at.
    pub of: StatusOf,
    /// How often to look until the end; `None` to look once.
    pub wait: Option<PollInterval>,
    /// What an hour of one container costs.
    pub price: Option<PricePerHour>,
    /// Whether the output is JSON.
    pub json: bool,
}

/// What `status` looks at.
#[derive(Clone, Debug)]
pub enum StatusOf {
    /// A job on AWS Batch.
    Job {
        /// The job. The jobs that it depends on are shown as well.
        job: JobId,
        /// Where what the jobs store comes meanwhile; `None` for nowhere.
        download: Option<PathBuf>,
    },
    /// An output, whoever has made it.
    Output(Location),
}

/// A validated `retry` request.
#[derive(Clone, Debug)]
pub struct RetryJob {
    /// The job that has failed: the one that stitches, or the one that renders.
    pub job: JobId,
    /// The job definition; `None` for the same.
    pub definition: Option<String>,
    /// The number of vCPUs of a child; `None` for the same.
    pub vcpus: Option<u32>,
    /// The memory of a child in MiB; `None` for the same.
    pub memory: Option<u32>,
    /// What to do with the jobs.
    pub mode: SubmitMode,
    /// Where what the jobs store comes while they are followed; `None` for nowhere.
    pub download: Option<PathBuf>,
    /// Whether the output is JSON.
    pub json: bool,
}

/// The name of a job.
///
/// Source: `jobName` of `SubmitJob` in the AWS Batch API reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobName(String);

impl JobName {
    const LONGEST: usize = 128;

    /// The file name of a scene without its extension. Characters that Batch refuses are replaced.
    pub fn of_scene(scene: &Location) -> Self {
        let path = scene.to_string();
        let file = path.rsplit('/').next().unwrap_or_default();
        let file = file.strip_suffix(".project.json").unwrap_or(file);
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        let plain = |c: char| if allowed(c) { c } else { '-' };
        let name: String = stem.chars().map(plain).collect();
        let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        // The name is ASCII by now, so every index is a character boundary.
        let name = name.get(..Self::LONGEST).unwrap_or(name);
        Self(if name.is_empty() { "render".to_owned() } else { name.to_owned() })
    }

    /// This name with a suffix, shortened if necessary.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let room = Self::LONGEST.saturating_sub(suffix.len());
        Self(format!("{}{suffix}", self.0.get(..room).unwrap_or(&self.0)))
    }
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins && text.len() <= Self::LONGEST && text.chars().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(ValueError::new(
            text,
            "up to 128 letters, digits, `-` and `_`, beginning with a letter or digit",
        ))
    }
}

/// The id of a job in AWS Batch: `ID`, or `ID:INDEX` for a child of an array job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobId(String);

impl JobId {
    /// The index of a child of an array job.
    pub fn array_index(&self) -> Option<u32> {
        self.0.split_once(':').and_then(|(_, index)| index.parse().ok())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobId {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b':');
        if plain && (1..=128).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(ValueError::new(text, "the id of a job, such as 01234567-89ab-cdef-0123-456789abcdef"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_after_its_scene() {
        for (scene, name) in [
            ("s3://bucket/scenes/pottery.blend", "pottery"),
            ("/work/Mein Ofen (2).blend", "Mein-Ofen--2-"),
            ("s3://bucket/_final.v2.blend", "final-v2"),
            ("s3://bucket/сцена.blend", "render"),
            ("s3://bucket/noextension", "noextension"),
            ("s3://bucket/shot_010.project.json", "shot_010"),
        ] {
            assert_eq!(JobName::of_scene(&scene.parse().unwrap()).to_string(), name, "{scene}");
        }
        let long = JobName::of_scene(&Location::Local("x".repeat(500).into()));
        assert_eq!(long.to_string().len(), 128);
        let with = long.with_suffix("-stitch").to_string();
        assert_eq!((with.len(), with.ends_with("x-stitch")), (128, true));
        assert!(with.parse::<JobName>().is_ok());
    }

    #[test]
    fn names_and_ids_follow_the_rules_of_batch() {
        for good in ["a", "Job_1-b", &"x".repeat(128)] {
            assert!(good.parse::<JobName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a b", "a.b", "ä", &"x".repeat(129)] {
            assert!(bad.parse::<JobName>().is_err(), "{bad}");
        }
        for good in ["01234567-89ab-cdef-0123-456789abcdef", "0a:9999"] {
            assert_eq!(good.parse::<JobId>().unwrap().to_string(), good);
        }
        assert_eq!("0a:9999".parse::<JobId>().unwrap().array_index(), Some(9999));
        assert_eq!("0a".parse::<JobId>().unwrap().array_index(), None);
        for bad in ["", "a/b", "arn:aws:batch:eu-west-1:1:job/0a"] {
            assert!(bad.parse::<JobId>().is_err(), "{bad}");
        }
    }
}
