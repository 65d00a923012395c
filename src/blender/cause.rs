//! Why Blender did not deliver, in terms of who must act.

use std::fmt;
use std::time::Duration;

use super::Lack;
use crate::ending::{Ending, Killer};
use crate::request::BlenderVersion;

/// Why Blender failed, in terms of who must act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It cannot open the scene file, or there is nothing in it to render.
    Scene(&'static str),
    /// The file is of a newer Blender.
    NewerFile {
        /// The Blender that saved it, where the file tells.
        saved_by: Option<BlenderVersion>,
        /// The Blender that should render it, where it says so.
        running: Option<BlenderVersion>,
    },
    /// This Blender lacks what the scene needs.
    Lacking {
        /// What, and what in the scene needs it; not empty.
        lacking: Vec<Lack>,
        /// Its version.
        running: String,
    },
    /// This Blender, or this machine, lacks what was asked for.
    Unavailable(&'static str),
    /// The script that prepares the scene failed in it.
    Unprepared,
    /// It was killed from outside.
    Killed(Killer),
    /// It did not come to its end, or ended without all its frames.
    Failed {
        /// How.
        failure: Failure,
        /// Whether the system killed one of its processes for lack of memory meanwhile.
        short_of_memory: bool,
    },
}

/// How Blender failed where nothing says that another launch must fail, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It died of this signal.
    Crashed(i32),
    /// It ended by itself, without all its frames.
    Ended(Ending),
    /// It gave no sign of life for so long.
    Stalled(Duration),
    /// It took longer than this for a frame.
    Overtime(Duration),
    /// The frame was not whole after it was saved, and what is wrong with its file.
    NotWhole(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = |span: &Duration| humantime::format_duration(*span);
        match self {
            Self::Crashed(signal) => write!(f, "Blender crashed (signal {signal})"),
            Self::Ended(Ending::Code(0)) => f.write_str("Blender ended as if all was well"),
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
    /// Whether another launch may go better.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Scene(_)
            | Self::NewerFile { .. }
            | Self::Lacking { .. }
            | Self::Unavailable(_)
            | Self::Unprepared => false,
            Self::Killed(_) | Self::Failed { .. } => true,
        }
    }

    /// Whether two launches failed in the same way: of files that are not whole, what is wrong
    /// differs from frame to frame.
    pub fn is_like(&self, other: &Self) -> bool {
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
                let lacks = lacking.iter().map(|Lack { feature, needed_by }| {
                    format!("{}, which is needed by {}", feature.described(), listed(needed_by))
                });
                let lacks = lacks.collect::<Vec<_>>().join("; and no ");
                write!(f, "this Blender ({running}) has no {lacks}")
            }
            Self::Unprepared => f.write_str("the script that prepares the scene failed in Blender"),
            Self::Killed(killer) => write!(f, "Blender was {killer}"),
            Self::Failed { failure, short_of_memory } => {
                write!(f, "{failure}")?;
                if *short_of_memory {
                    f.write_str(", after the system had killed a process for lack of memory")?;
                }
                Ok(())
            }
        }
    }
}

/// Names for people: all of a few, or the first ones and how many more.
fn listed(names: &[String]) -> String {
    const MOST: usize = 5;
    match names.len() {
        0..=MOST => names.join(", "),
        count => {
            let first: Vec<_> = names.iter().take(MOST).map(String::as_str).collect();
            format!("{} and {} more", first.join(", "), count - MOST)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Feature;

    #[test]
    fn what_is_lacking_is_told_with_what_needs_it() {
        let names = |count| (1..=count).map(|n| format!("volume {n}")).collect::<Vec<_>>();
        let lacking = vec![
            Lack { feature: Feature::Openvdb, needed_by: names(7) },
            Lack { feature: Feature::Denoiser, needed_by: vec!["the compositor".to_owned()] },
        ];
        let cause = Cause::Lacking { lacking, running: "4.3.2".to_owned() };
        assert_eq!(
            cause.to_string(),
            "this Blender (4.3.2) has no OpenVDB, which is needed by volume 1, volume 2, \
             volume 3, volume 4, volume 5 and 2 more; and no denoiser (Open Image Denoise), which \
             is needed by the compositor"
        );
        assert!(!cause.may_pass());
    }

    #[test]
    fn failures_are_alike_if_they_are_of_one_kind() {
        let not_whole = |why: &str| Cause::from(Failure::NotWhole(why.to_owned()));
        assert!(not_whole("is empty").is_like(&not_whole("ends at byte 7")));
        assert!(!not_whole("is empty").is_like(&Failure::Crashed(11).into()));
        assert!(!Cause::from(Failure::Crashed(6)).is_like(&Failure::Crashed(11).into()));
        let killed = Cause::Failed { failure: Failure::Crashed(11), short_of_memory: true };
        assert!(!killed.is_like(&Failure::Crashed(11).into()));
    }
}
