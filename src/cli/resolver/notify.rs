//! Who is told of the end, from flags and variables.

use super::Resolver;
use crate::cli::args::Action;
use crate::cli::command::JobRequest;
use crate::cli::names::NOTIFY;
use crate::cli::setting::UsageError;
use crate::request::{Notify, StatusOf, SubmitMode, Webhook};

impl Resolver<'_> {
    /// The webhook that is told of the end of a run or a wait.
    ///
    /// # Errors
    /// If the address is none, or nothing is waited for.
    pub fn notify(
        &self,
        action: &Action,
        request: &JobRequest,
    ) -> Result<Option<Notify>, UsageError> {
        let flag = match action {
            Action::Run(args) => &args.notify.notify,
            Action::Submit(args) => &args.follow.notify.notify,
            Action::Status(args) => &args.follow.notify.notify,
            Action::Retry(args) => &args.follow.notify.notify,
            _ => return Ok(None),
        };
        let waits = |mode| matches!(mode, SubmitMode::SubmitAndWait(_));
        let (action, input, output, job_id, waits) = match request {
            JobRequest::Run { job, .. } => {
                ("run", Some(&job.render.scene), Some(&job.render.output), None, true)
            }
            JobRequest::Submit { job, .. } => {
                ("submit", Some(&job.scene), Some(&job.output), None, waits(job.mode))
            }
            JobRequest::Status(job) => {
                let (output, id) = match &job.of {
                    StatusOf::Job { job, .. } => (None, Some(job)),
                    StatusOf::Output(output) => (Some(output), None),
                };
                ("status", None, output, id, job.wait.is_some())
            }
            JobRequest::Retry(job) => ("retry", None, None, Some(&job.job), waits(job.mode)),
            _ => return Ok(None),
        };
        if !waits {
            let why = "a webhook is told of the end of a wait; give --wait as well";
            return if flag.is_some() { Err(NOTIFY.refuse(why)) } else { Ok(None) };
        }
        let webhook: Option<Webhook> = NOTIFY.value(flag.as_deref(), self.environment)?;
        Ok(webhook.map(|webhook| Notify {
            webhook,
            action,
            input: input.map(ToString::to_string),
            output: output.map(ToString::to_string),
            job_id: job_id.map(ToString::to_string),
        }))
    }
}
