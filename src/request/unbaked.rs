//! Simulations that are not baked, and what a job does about them.

use serde::Serialize;

/// What a job does about simulations whose results are neither in the scene file nor beside it. The
/// setup script uses the same names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unbaked {
    /// Simulates them if the job begins where they begin, and is refused if it does not.
    #[default]
    Refuse,
    /// Simulates them in any case, also the frames before those of the job.
    Simulate,
    /// Renders the scene without simulating them.
    Allow,
}

impl Unbaked {
    /// The variable that chooses [`Unbaked::Simulate`].
    pub const SIMULATE: &str = "SIMULATE";

    /// The variable that chooses [`Unbaked::Allow`].
    pub const ALLOW: &str = "ALLOW_UNBAKED";
}
