//! The document that a webhook gets.

use std::time::SystemTime;

use serde::Serialize;

use crate::error::Error;
use crate::error_chain::chain;
use crate::exit::Exit;
use crate::request::Notify;

/// The version of the format, raised when a field changes its meaning.
const SCHEMA: u32 = 1;

/// What `--notify` posts when a run or a wait has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Notification {
    /// The version of the format. It is raised when a field changes its meaning, but not when one
    /// is added.
    #[cfg_attr(test, schemars(extend("const" = SCHEMA)))]
    schema: u32,
    /// What has happened, in a sentence; chats such as Slack show it.
    text: String,
    /// The subcommand: run, submit, retry or status.
    action: &'static str,
    /// Whether everything that was asked for is done.
    succeeded: bool,
    /// The exit code.
    exit_code: u8,
    /// The error and its causes; null after a success.
    cause: Option<String>,
    /// The URI or path of the scene; null if the subcommand takes none.
    input: Option<String>,
    /// The URI or path of the output; null if the subcommand takes none.
    output: Option<String>,
    /// The id of the job on AWS Batch that was given; null if none was.
    job_id: Option<String>,
    /// When the run or the wait began, in UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    started: String,
    /// When it ended, in UTC.
    #[cfg_attr(test, schemars(extend("format" = "date-time")))]
    finished: String,
}

impl Notification {
    /// The document about the end of a job that began at the time `started`.
    pub fn of(notify: &Notify, started: SystemTime, result: Result<(), &Error>) -> Self {
        let Notify { webhook: _, action, input, output, job_id } = notify.clone();
        let (exit, cause) = match result {
            Ok(()) => (Exit::Success, None),
            Err(error) => (error.exit(), Some(chain(error))),
        };
        let about = output.as_ref().or(job_id.as_ref()).or(input.as_ref());
        let about = about.map(|about| format!(" ({about})")).unwrap_or_default();
        let text = match &cause {
            None => format!("render-worker {action} has succeeded{about}"),
            Some(cause) => format!(
                "render-worker {action} has failed with exit code {}{about}: {cause}",
                exit.code()
            ),
        };
        let time = |time| humantime::format_rfc3339_millis(time).to_string();
        Self {
            schema: SCHEMA,
            text,
            action,
            succeeded: exit == Exit::Success,
            exit_code: exit.code(),
            cause,
            input,
            output,
            job_id,
            started: time(started),
            finished: time(SystemTime::now()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_what_has_happened() {
        let notify = Notify {
            webhook: "https://example.org/secret".parse().unwrap(),
            action: "run",
            input: Some("scene.blend".to_owned()),
            output: Some("out".to_owned()),
            job_id: None,
        };
        let told =
            |result: Result<(), &Error>| Notification::of(&notify, SystemTime::now(), result);
        assert_eq!(told(Ok(())).text, "render-worker run has succeeded (out)");
        let failed = told(Err(&Error::JobsFailed { jobs: "demo: failed".to_owned() }));
        assert_eq!(
            (failed.text.as_str(), failed.exit_code, failed.succeeded),
            ("render-worker run has failed with exit code 70 (out): demo: failed", 70, false)
        );
    }
}
