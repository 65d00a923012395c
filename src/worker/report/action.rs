//! The subcommands that write a report.

use serde::{Deserialize, Serialize};

/// The subcommands that write a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// `render`.
    Render,
    /// `stitch`.
    Stitch,
    /// `bake`.
    Bake,
}

impl Action {
    /// Returns the name as it is typed on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Render => "render",
            Self::Stitch => "stitch",
            Self::Bake => "bake",
        }
    }
}
