//! This very program as a child process: what goes wrong there stays there, and its memory is its own.

use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::time::Duration;

use tokio::sync::Notify;

use crate::process::sandbox::{Sandbox, SandboxPolicy};
use crate::process::shutdown::{Shutdown, Stage};
use crate::process::supervisor::{End, Event, Running, SpawnError, Stdin, Stream};
use crate::request::{SandboxMode, ServeJob};

/// How long the program may take to stop. It stops Blender or FFmpeg, stores what is finished and a
/// report.
const GRACE: Duration = Duration::from_secs(28);

/// The log in a form for programs, with the progress.
pub const LOG_FLAGS: [&str; 4] = ["--log-format", "json", "--log-level", "debug"];

/// The command line of this program, with the variables of the server.
///
/// # Errors
/// If the system does not know where the program is.
pub fn command(
    job: &ServeJob,
    arguments: impl IntoIterator<Item = OsString>,
) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).env_clear().envs(&job.environment);
    Ok(command)
}

/// The same for a subcommand that opens a scene. Scenes of the page come from anybody: they are opened
/// in the sandbox or not at all, unless the operator of the server says otherwise.
///
/// # Errors
/// As above.
pub fn scene_command(job: &ServeJob, mut arguments: Vec<OsString>) -> io::Result<Command> {
    if !job.environment.contains_key("SANDBOX") {
        arguments.push("--sandbox=require".into());
    }
    command(job, arguments)
}

/// Runs a command to its end, or until `stop` is notified or the server is stopped. `line` gets what it
/// prints.
///
/// # Errors
/// If it cannot be started.
pub async fn run(
    command: Command,
    stop: &Notify,
    shutdown: &Shutdown,
    mut line: impl FnMut(Stream, &str),
) -> Result<End, SpawnError> {
    // The program has a sandbox of its own for its programs.
    let sandbox = Sandbox::detect(SandboxMode::Off);
    let mut child = Running::start(command, Stdin::Null, &sandbox, SandboxPolicy::default())?;
    let mut stage = Stage::Working;
    loop {
        tokio::select! {
            event = child.next() => match event {
                Event::Line(stream, text) => line(stream, &text),
                Event::Ended(end) => return Ok(end),
            },
            () = stop.notified() => child.stop(GRACE),
            reached = shutdown.beyond(stage) => {
                stage = reached;
                child.stop(if stage == Stage::AtOnce {
                    Duration::ZERO
                } else {
                    shutdown.grace().child()
                });
            }
        }
    }
}
