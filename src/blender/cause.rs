//! Causes of Blender's failures, by who must act on them.

use std::fmt;
use std::time::Duration;

use super::description::{MOST_NAMED, MissingFeature, Refusal, UnusableFile};
use crate::ending::{Ending, Killer};
use crate::request::BlenderVersion;

/// Why Blender failed. The variants differ in who must act, and so in the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Blender cannot open the scene file or cannot render the scene in it, for this reason.
    Scene(&'static str),
    /// The file was saved by a newer Blender.
    NewerFile {
        /// The version that saved it, if the file records it.
        saved_by: Option<BlenderVersion>,
        /// The version that should render it, if Blender printed it.
        running: Option<BlenderVersion>,
    },
    /// This Blender lacks what the scene needs.
    Lacking {
        /// The missing features, and the parts of the scene that need them; not empty.
        lacking: Vec<MissingFeature>,
        /// The version of this Blender.
        running: String,
    },
    /// Files that the pictures need are missing, out of reach or damaged; not empty.
    UnusableFiles(Vec<UnusableFile>),
    /// The pictures would differ from those of Blender on a desktop, for these reasons; not empty.
    Differing(Vec<String>),
    /// The frames depend on frames before them that the job does not render, because these
    /// simulations are not baked; not empty.
    CutOff(Vec<String>),
    /// Simulations that cannot be baked, described with the reason; not empty.
    Unbakeable(Vec<String>),
    /// This Blender or this machine lacks something that the job needs, described here.
    Unavailable(&'static str),
    /// The setup script refuses to render.
    Refused(Refusal),
    /// The setup script failed.
    SetupFailed,
    /// Blender was killed from outside.
    Killed(Killer),
    /// Blender failed, and another launch may succeed.
    Failed {
        /// How it failed.
        failure: Failure,
        /// Whether the kernel killed one of its processes for lack of memory.
        short_of_memory: bool,
    },
}

/// A failure that another launch need not repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Blender crashed with this signal.
    Crashed(i32),
    /// Blender ended by itself, before all frames were rendered.
    Ended(Ending),
    /// Blender gave no sign of life for this long.
    Stalled(Duration),
    /// Blender took longer than this for a frame.
    Overtime(Duration),
    /// Blender saved a frame that is not whole. The text continues "its file".
    NotWhole(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |span: &Duration| humantime::format_duration(*span);
        match self {
            Self::Crashed(signal) => write!(f, "Blender crashed (signal {signal})"),
            Self::Ended(Ending::Code(0)) => {
                f.write_str("Blender ended with exit status 0, but frames are missing")
            }
            Self::Ended(ending) => write!(f, "Blender ended with {ending}"),
            Self::Stalled(limit) => write!(
                f,
                "Blender stalled: no line printed, no CPU time used and no file written for {} \
                 (--stall-timeout, STALL_TIMEOUT)",
                span(limit)
            ),
            Self::Overtime(limit) => write!(
                f,
                "Blender took longer than {} for the frame (--frame-timeout, FRAME_TIMEOUT)",
                span(limit)
            ),
            Self::NotWhole(damage) => {
                write!(f, "not whole after Blender saved it: its file {damage}")
            }
        }
    }
}

impl From<Failure> for Cause {
    fn from(failure: Failure) -> Self {
        Self::Failed { failure, short_of_memory: false }
    }
}

impl Cause {
    /// Whether another launch may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Scene(_)
            | Self::NewerFile { .. }
            | Self::Lacking { .. }
            | Self::UnusableFiles(_)
            | Self::Differing(_)
            | Self::CutOff(_)
            | Self::Unbakeable(_)
            | Self::Unavailable(_)
            | Self::Refused(_)
            | Self::SetupFailed => false,
            Self::Killed(_) | Self::Failed { .. } => true,
        }
    }

    /// Whether two launches failed in the same way. All frames that are not whole count as the
    /// same, because the damage differs from frame to frame.
    pub fn is_same_kind(&self, other: &Self) -> bool {
        let not_whole =
            |cause: &Self| matches!(cause, Self::Failed { failure: Failure::NotWhole(_), .. });
        self == other || (not_whole(self) && not_whole(other))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scene(why) | Self::Unavailable(why) => f.write_str(why),
            Self::NewerFile { saved_by, running } => {
                let version = |version: &Option<BlenderVersion>, unknown: &str| {
                    version.map_or_else(|| unknown.to_owned(), |v| format!("Blender {v}"))
                };
                let (saved_by, running) =
                    (version(saved_by, "a newer Blender"), version(running, "an older one"));
                write!(f, "the file was saved by {saved_by}, and this is {running}")
            }
            Self::Lacking { lacking, running } => {
                let missing = lacking.iter().map(|MissingFeature { feature, needed_by }| {
                    format!("{}, which is needed by {}", feature.described(), listed(needed_by))
                });
                let missing = missing.collect::<Vec<_>>().join("; and no ");
                write!(f, "this Blender ({running}) has no {missing}")
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::UnusableFiles(files) => {
                let named = files.iter().take(MOST_NAMED).map(UnusableFile::short);
                let named = named.collect::<Vec<_>>().join(", ");
                match files.len() {
                    1 => write!(f, "a file that the scene needs cannot be used: {named}"),
                    count => {
                        write!(f, "{count} files that the scene needs cannot be used: {named}")
                    }
                }?;
                match files.len().saturating_sub(MOST_NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more, which the report names"),
                }
            }
            Self::Differing(reasons) => {
                write!(f, "the pictures would differ (--strict): {}", reasons.join("; "))
            }
            Self::CutOff(simulations) => write!(
                f,
                "they depend on frames before them, because these simulations are not baked: {}",
                listed(simulations)
            ),
            Self::Unbakeable(problems) => f.write_str(&problems.join("; ")),
            Self::SetupFailed => {
                f.write_str("the script that prepares the scene failed in Blender")
            }
            Self::Killed(killer) => write!(f, "Blender was {killer}"),
            Self::Failed { failure, short_of_memory } => {
                write!(f, "{failure}")?;
                if *short_of_memory {
                    f.write_str(
                        ", after the system killed one of its processes for lack of memory",
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// `a, b and 2 more`: at most five names, and the number of the others.
fn listed(names: &[String]) -> String {
    const MAX_NAMES: usize = 5;
    match names.len() {
        0..=MAX_NAMES => names.join(", "),
        count => {
            let first: Vec<_> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
            format!("{} and {} more", first.join(", "), count - MAX_NAMES)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Feature;

    #[test]
    fn missing_features_are_listed_with_the_parts_that_need_them() {
        let names = |count| (1..=count).map(|n| format!("volume {n}")).collect::<Vec<_>>();
        let lacking = vec![
            MissingFeature { feature: Feature::Openvdb, needed_by: names(7) },
            MissingFeature {
                feature: Feature::Denoiser,
                needed_by: vec!["the compositor".to_owned()],
            },
        ];
        let cause = Cause::Lacking { lacking, running: "4.3.2".to_owned() };
        assert_eq!(
            cause.to_string(),
            "this Blender (4.3.2) has no OpenVDB, which is needed by volume 1, volume 2, \
             volume 3, volume 4, volume 5 and 2 more; and no denoiser (Open Image Denoise), which \
             is needed by the compositor"
        );
        assert!(!cause.is_retryable());
    }

    #[test]
    fn frames_that_are_not_whole_are_failures_of_the_same_kind() {
        let not_whole = |why: &str| Cause::from(Failure::NotWhole(why.to_owned()));
        assert!(not_whole("is empty").is_same_kind(&not_whole("ends at byte 7")));
        assert!(!not_whole("is empty").is_same_kind(&Failure::Crashed(11).into()));
        assert!(!Cause::from(Failure::Crashed(6)).is_same_kind(&Failure::Crashed(11).into()));
        let killed = Cause::Failed { failure: Failure::Crashed(11), short_of_memory: true };
        assert!(!killed.is_same_kind(&Failure::Crashed(11).into()));
    }
}
