//! From words to validated requests: argv and environment in, a [`Command`] out.
//!
//! Raw text never leaves this module. Everything unknown, contradictory or out of
//! range is refused here, before anything is touched, in words that name the flag
//! and the variable.

mod args;
mod batch;
mod children;
mod command;
mod limits;
mod names;
mod resolver;
mod setting;
#[cfg(test)]
mod tests;

use std::ffi::OsString;

use clap::Parser as _;
use clap::error::ErrorKind;

pub use command::{Command, JobRequest, Refusal};
pub use setting::{Environment, Setting, UsageError};

use crate::request::SubmitJob;
use args::Cli;
use command::provenance;
use names::LOG_FORMAT;
use resolver::Resolver;
use setting::unset_parameter;

/// Reads a command line, the program's name first.
///
/// # Errors
/// If it is none that can be carried out, or if it asks for help or the version.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Result<Command, Refusal> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let format_unless_wrong = |flag| LOG_FORMAT.value(flag, environment).ok().flatten();
    for argument in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        if argument.starts_with("Ref::") {
            let error = unset_parameter(argument, "the command line");
            return Err(Refusal::Usage(error, format_unless_wrong(None)));
        }
    }
    let cli = Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp => Refusal::Answer(error.to_string()),
        ErrorKind::DisplayVersion => Refusal::Answer(format!("{}\n", provenance(environment))),
        _ => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            // One event, one line.
            let lines: Vec<_> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
            Refusal::Usage(UsageError(lines.join("; ")), format_unless_wrong(None))
        }
    })?;
    let log_format = format_unless_wrong(cli.action.log().log_format.as_deref());
    let refuse = |error| Refusal::Usage(error, log_format);
    let command = Resolver { environment }.command(&cli.action).map_err(refuse)?;
    if let JobRequest::Submit(job) = &command.action {
        try_on(job).map_err(refuse)?;
    }
    Ok(command)
}

/// Reads what the containers would be given as they would: what they would refuse is not
/// submitted.
fn try_on(job: &SubmitJob) -> Result<(), UsageError> {
    let per_job = job.frames_per_job.get().to_string();
    let (scene, output) = (job.scene.to_string(), job.output.to_string());
    let render = ("render", &scene, Some(&job.render));
    for (action, input, template) in [render, ("stitch", &output, job.stitch.as_ref())] {
        let Some(template) = template else { continue };
        let words = ["render-worker", action, "-i", input, "-o", &output, "-f", &per_job]
            .map(OsString::from);
        let environment: Environment = template.variables.clone().into_iter().collect();
        if let Err(Refusal::Usage(error, _)) = parse(words, &environment) {
            return Err(UsageError(format!("the {action} job would refuse this: {error}")));
        }
    }
    Ok(())
}
