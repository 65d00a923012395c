//! The time and failure limits of an attempt.

use crate::cli::args::{Action, ProgramArgs};
use crate::cli::names::{BLENDER_ATTEMPTS, FRAME_TIMEOUT, JOB_TIMEOUT, STALL_TIMEOUT};
use crate::cli::setting::{Environment, UsageError};
use crate::request::Limits;

/// The limits that are set, or else their defaults.
pub(in crate::cli) fn resolve(
    action: &Action,
    common: &ProgramArgs,
    environment: &Environment,
) -> Result<Limits, UsageError> {
    let limits = Limits {
        stall: STALL_TIMEOUT.value_or_default(common.stall_timeout.as_deref(), environment)?,
        job: JOB_TIMEOUT.value_or_default(common.job_timeout.as_deref(), environment)?,
        ..Limits::default()
    };
    // Subcommands that start no Blender are not refused for variables that are meant for render.
    let Some(options) = action.render_options() else { return Ok(limits) };
    Ok(Limits {
        blender_attempts: BLENDER_ATTEMPTS
            .value_or_default(options.blender_attempts.as_deref(), environment)?,
        frame: FRAME_TIMEOUT.value_or_default(options.frame_timeout.as_deref(), environment)?,
        ..limits
    })
}
