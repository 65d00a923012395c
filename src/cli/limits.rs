//! What bounds an attempt.

use super::args::{Action, CommonArgs};
use super::names::{BLENDER_ATTEMPTS, FRAME_TIMEOUT, JOB_TIMEOUT, STALL_TIMEOUT};
use super::setting::{Environment, UsageError};
use crate::request::Limits;

/// The limits that were set, or else the usual ones.
pub(super) fn resolve(
    action: &Action,
    common: &CommonArgs,
    environment: &Environment,
) -> Result<Limits, UsageError> {
    let stall = STALL_TIMEOUT.value(common.stall_timeout.as_deref(), environment)?;
    let job = JOB_TIMEOUT.value(common.job_timeout.as_deref(), environment)?;
    let (attempts, frame) = match action {
        Action::Render(args) => (
            BLENDER_ATTEMPTS.value(args.blender_attempts.as_deref(), environment)?,
            FRAME_TIMEOUT.value(args.frame_timeout.as_deref(), environment)?,
        ),
        Action::Stitch(_) | Action::Inspect(_) | Action::Submit(_) | Action::Status(_) => {
            (None, None)
        }
    };
    Ok(Limits {
        blender_attempts: attempts.unwrap_or_default(),
        stall: stall.unwrap_or_default(),
        frame: frame.unwrap_or_default(),
        job: job.unwrap_or_default(),
    })
}
