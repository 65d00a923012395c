//! The command line: argv and environment in, a validated [`Command`] out.
//!
//! Raw text never leaves this module. Unknown, contradictory and out-of-range values are refused
//! here, before anything is touched. The message names the flag and the variable.

mod args;
mod command;
mod config;
mod manual;
mod names;
mod resolver;
mod setting;
#[cfg(test)]
mod tests;
mod tips;

use std::ffi::OsString;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;

pub use command::{Command, JobRequest, Refusal};
pub use setting::{Environment, UsageError};

use crate::request::SubmitJob;
use args::Cli;
use command::provenance;
use config::Config;
use names::LOG_FORMAT;
use resolver::Resolver;
use setting::unset_parameter;

/// Parses a command line, which begins with the program's name.
///
/// # Errors
/// [`Refusal::Usage`] if it is invalid, [`Refusal::Answer`] if it asks for help or another text.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &Environment,
) -> Result<Command, Refusal> {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let words: Vec<_> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let subcommand = words.get(1).copied().unwrap_or_default();
    let format = LOG_FORMAT.value(tips::log_format(&words), environment).ok().flatten();
    let refuse = |error: UsageError| {
        let text = format!("{error}\n\n{}\n", tips::help(subcommand));
        Refusal::Usage { error, text, format }
    };
    if let Some(argument) = words.iter().skip(1).find(|word| word.starts_with("Ref::")) {
        return Err(refuse(unset_parameter(argument, "the command line")));
    }
    let refused = |mut error: clap::Error| match error.kind() {
        ErrorKind::DisplayHelp => Refusal::Answer(error.to_string()),
        ErrorKind::DisplayVersion => Refusal::Answer(format!("{}\n", provenance(environment))),
        _ => {
            tips::add(&mut error, subcommand);
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text).to_owned();
            // A log event is one line.
            let lines: Vec<_> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
            Refusal::Usage { error: UsageError(lines.join("; ")), text, format }
        }
    };
    let matches = manual::command().try_get_matches_from(&arguments).map_err(refused)?;
    if let Some(text) = manual::print(&matches) {
        return Err(Refusal::Answer(text));
    }
    let cli = Cli::from_arg_matches(&matches).map_err(refused)?;
    let file = cli.action.general().1.config.as_deref();
    let config = Config::of(file, environment).map_err(refuse)?;
    let environment = &config.beneath(environment);
    let command = Resolver { environment }.command(&cli.action);
    let command = command.map_err(|error| refuse(config.located(error)))?;
    if let JobRequest::Submit { job, .. } = &command.action {
        try_on(job).map_err(|error| refuse(config.located(error)))?;
    }
    Ok(command)
}

/// Parses the command lines and variables that the containers of a submission would get, so that
/// nothing is submitted that they would refuse.
fn try_on(job: &SubmitJob) -> Result<(), UsageError> {
    let (scene, output) = (job.input().to_string(), job.output.to_string());
    let render = ("render", &scene, Some(&job.render));
    for (action, input, template) in [render, ("stitch", &output, job.stitch.as_ref())] {
        let Some(template) = template else { continue };
        let words =
            ["render-worker", action, "-i", input, "-o", &output, "-f", "1"].map(OsString::from);
        let environment: Environment = template.variables.clone().into_iter().collect();
        if let Err(Refusal::Usage { error, .. }) = parse(words, &environment) {
            return Err(UsageError(format!("the {action} job would refuse this: {error}")));
        }
    }
    Ok(())
}
