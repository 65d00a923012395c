//! Blender and FFmpeg: whether they are there and run in the sandbox, and what they can do.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::time::Duration;

use tokio::time::sleep;

use super::Checked;
use super::findings::Findings;
use crate::blender::{Capabilities, probe_answer, probe_command, probe_files};
use crate::ending::Ending;
use crate::error::Error;
use crate::ffmpeg::{Encoders, list_encoders};
use crate::process::shutdown::Stage;
use crate::process::supervisor::{End, Event, Running, Stdin, shell_line};
use crate::request::{Codec, Feature};
use crate::worker::programs::{BLENDER, FFMPEG, FFPROBE};
use crate::worker::scratch::Scratch;
use crate::worker::untrusted_file;
use crate::worker::{Worker, sandbox_policy};

/// How long a program may take to answer. Blender takes seconds, and minutes from a network volume
/// with a cold cache.
const TIMEOUT: Duration = Duration::from_mins(5);

/// A size in bytes that no answer of Blender exceeds.
const LARGEST_ANSWER: u64 = 1024 * 1024;

/// How many of the last lines of a program are kept.
const EXCERPT: usize = 5;

/// Asks Blender what it can do. The result is its version, if it has answered.
///
/// # Errors
/// [`Error::Interrupted`] if the worker is stopped meanwhile.
pub async fn check_blender(
    worker: &Worker,
    name: &Path,
    findings: &mut Findings,
) -> Result<Option<String>, Error> {
    let answer = async {
        let blender = worker.programs.find(name, BLENDER)?;
        let scratch = Scratch::create(worker)?;
        let folder = scratch.path();
        for (file, content) in probe_files() {
            std::fs::write(folder.join(file), content)
                .map_err(|source| Error::Scratch { path: folder.to_owned(), source })?;
        }
        let command = probe_command(&blender, folder, &worker.confinement.environment);
        let lines = run(worker, command, BLENDER, &blender, folder).await?;
        let answer = read_answer(&probe_answer(folder));
        answer.map(|answer| (blender.clone(), answer)).map_err(|why| {
            let said = lines.last().map(|line| format!("; it said: {line}")).unwrap_or_default();
            no_answer(&blender, BLENDER, format!("{why}{said}"))
        })
    };
    let (blender, answer) = match answer.await {
        Ok(answer) => answer,
        Err(error @ Error::Interrupted { .. }) => return Err(error),
        Err(error) => {
            findings.fail("Blender", error);
            return Ok(None);
        }
    };
    findings.ok("Blender", format!("{} ({})", answer.version, blender.display()));
    let lacking: Vec<_> = answer.lacking().map(Feature::described).collect();
    if lacking.is_empty() {
        findings.ok("features", "all that a scene can need");
    } else {
        findings.warn(
            "features",
            format!("this Blender has no {}", lacking.join(", no ")),
            "use the default image, which has the complete Blender, for scenes that need them; \
             --allow-missing (ALLOW_MISSING) renders these without",
        );
    }
    let gpus = answer.gpus.iter().map(|(kind, names)| format!("{} ({kind})", names.join(", ")));
    let gpus: Vec<_> = gpus.collect();
    let none = "no GPU that Cycles can use, so it renders on the CPU".to_owned();
    findings.ok("devices", if gpus.is_empty() { none } else { gpus.join("; ") });
    Ok(Some(answer.version))
}

/// Reads the answer of Blender.
fn read_answer(file: &Path) -> Result<Capabilities, String> {
    let text = untrusted_file::read(file, LARGEST_ANSWER)
        .map_err(|why| format!("it has left no answer ({why})"))?;
    serde_json::from_slice(&text).map_err(|why| format!("its answer is damaged ({why})"))
}

/// Asks FFmpeg for its encoders, and looks for `FFprobe`.
///
/// # Errors
/// [`Error::Interrupted`] if the worker is stopped meanwhile.
pub async fn check_ffmpeg(
    worker: &Worker,
    programs: Checked<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let answer = async {
        let ffmpeg = worker.programs.find(programs.ffmpeg, FFMPEG)?;
        worker.programs.find(programs.ffprobe, FFPROBE)?;
        let scratch = Scratch::create(worker)?;
        let command = list_encoders(&ffmpeg, &worker.confinement.environment);
        let lines = run(worker, command, FFMPEG, &ffmpeg, scratch.path()).await?;
        let mut encoders = Encoders::default();
        for line in &lines {
            encoders.push(line);
        }
        match encoders.version.clone() {
            Some(version) => Ok((ffmpeg, version, encoders)),
            None => Err(no_answer(&ffmpeg, FFMPEG, "it does not print its version".to_owned())),
        }
    };
    let (ffmpeg, version, encoders) = match answer.await {
        Ok(answer) => answer,
        Err(error @ Error::Interrupted { .. }) => return Err(error),
        Err(error) => {
            findings.fail("FFmpeg", error);
            return Ok(());
        }
    };
    findings.ok("FFmpeg", format!("{version} ({})", ffmpeg.display()));
    let lacking: Vec<_> = encoders.lacking().map(|codec| codec.to_string()).collect();
    let all: Vec<_> = Codec::ALL.iter().map(ToString::to_string).collect();
    if lacking.is_empty() {
        findings.ok("encoders", all.join(", "));
    } else {
        findings.warn(
            "encoders",
            format!("this FFmpeg has none for {}", lacking.join(", ")),
            "choose another codec (--codec, CODEC), or use the FFmpeg of the default image",
        );
    }
    Ok(())
}

/// Runs a program in the sandbox, in which it may write to `folder`. The result is what it prints.
async fn run(
    worker: &Worker,
    command: Command,
    setting: &'static str,
    program: &Path,
    folder: &Path,
) -> Result<Vec<String>, Error> {
    tracing::debug!("starting {}", shell_line(&command));
    let policy = sandbox_policy::for_version(worker, program, folder);
    let mut child = Running::start(command, Stdin::Null, &worker.sandbox, policy)
        .map_err(|error| Error::spawn(error, program.to_owned(), setting))?;
    let mut lines = Vec::new();
    let mut overdue = pin!(sleep(TIMEOUT));
    let mut is_stopped = false;
    // Always wait for its end: the supervisor would take a program that is started meanwhile for a
    // descendant of this one.
    let end = loop {
        tokio::select! {
            event = child.next() => match event {
                Event::Line(_, line) => lines.push(line),
                Event::Ended(end) => break end,
            },
            () = overdue.as_mut(), if !is_stopped => {
                is_stopped = true;
                child.stop(Duration::ZERO);
            }
            _ = worker.shutdown.beyond(Stage::Noticed), if !is_stopped => {
                is_stopped = true;
                child.stop(Duration::ZERO);
            }
        }
    };
    if worker.shutdown.requested().is_some() {
        return Err(worker.interrupted("the checks are not finished".to_owned()));
    }
    let why = match end {
        End::Own(Ending::Code(0)) => return Ok(lines),
        End::Own(ending) => format!("it ended with {ending}"),
        End::Stopped => format!("it did not answer within {} minutes", TIMEOUT.as_secs() / 60),
    };
    let said = lines.len().saturating_sub(EXCERPT);
    let said = lines.get(said..).unwrap_or_default().join(" | ");
    Err(no_answer(program, setting, format!("{why}; last output: {said}")))
}

/// The error of a program that does not answer.
fn no_answer(program: &Path, setting: &'static str, why: String) -> Error {
    Error::Program { program: PathBuf::from(program), setting, source: why.into() }
}
