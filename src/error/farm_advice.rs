//! Advice for errors about jobs on AWS Batch and their logs.

use super::Error;
use crate::aws::Blame;
use crate::cloudwatch::LogsErrorKind;

/// Advice for an error whose exit code does not say enough; `None` if there is none.
pub(super) fn of(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::HalfSubmitted { .. } => {
            "check whether AWS Batch has the stitch job; if not, submit it as shown on \
             standard output, with what the message names corrected"
        }
        Error::ArrayTooLarge { .. } => "render more frames per child, or use --auto",
        Error::NoSuchJob { .. } => {
            "check the id and the region (AWS_REGION); AWS Batch deletes jobs some days after \
             they end"
        }
        Error::Logs(error) => match error.kind() {
            LogsErrorKind::Missing => {
                "the log group may have deleted it, after the days that it keeps messages, or the \
                 container has said nothing; status shows the cause of a failure without the log"
            }
            LogsErrorKind::Trouble(Blame::Access) => {
                "allow the action logs:GetLogEvents on this log group (docs/iam.md)"
            }
            LogsErrorKind::InvalidRequest | LogsErrorKind::Trouble(_) => return None,
        },
        Error::NoLog { .. } => "look at the job with status, which names its failed children",
        Error::PaceUnknown { .. } => {
            "render some frames first with --test-frames 3, which --dry-run does not do, or say \
             with -f how many frames a child renders"
        }
        Error::NotRetried { .. } => {
            "look at it with status, or submit what is missing: submit --missing"
        }
        Error::JobsFailed { .. } | Error::FramesLeft { .. } => {
            "fix the cause, and submit the same again: stored frames are not rendered again"
        }
        Error::NoLongerFollowed { .. } => "run that command to follow the jobs again",
        _ => return None,
    })
}
