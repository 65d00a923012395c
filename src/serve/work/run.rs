//! Runs a subcommand for an item: its log is kept, its progress is shown, and its end is understood.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use super::child;
use crate::ending::Ending;
use crate::exit::Exit;
use crate::process::shutdown::Shutdown;
use crate::process::supervisor::End;
use crate::serve::store::item::Kind;
use crate::serve::store::making::{LOG, Making, Outcome};

/// What a line has that is only there for the progress: the log of a long render stays short.
const DEBUG: &str = r#""level":"DEBUG""#;

/// A subcommand that works for an item.
pub trait Work: Send + 'static {
    /// The kind of item.
    type Kind: Kind + Send + Sync + 'static;

    /// Prepares the command line.
    ///
    /// # Errors
    /// The error of the system.
    fn prepare(&mut self, item: &Self::Kind) -> io::Result<Command>;

    /// Keeps what a successful run has made.
    ///
    /// # Errors
    /// The error of the system.
    fn keep(&self, item: &Self::Kind) -> io::Result<()>;
}

/// Runs the subcommand until its end, or until `stop` is notified or the server is stopped. What has
/// become of it is in the log of the item as well, for the time after a restart.
pub async fn run<W: Work>(
    work: W,
    item: &Arc<W::Kind>,
    stop: &Notify,
    shutdown: &Shutdown,
) -> Making {
    let mut outcome = Outcome::of(item.item().folder());
    if let Err(message) = attempt(work, item, stop, shutdown, &mut outcome).await {
        let line = json!({
            "level": "ERROR",
            "message": message,
            "exit_code": Exit::LocalIo.code(),
        });
        outcome.read(&line.to_string());
        let log = item.item().folder().join(LOG);
        let log = fs::File::options().append(true).create(true).open(log);
        // A log that cannot be written says nothing after a restart.
        _ = log.and_then(|mut log| writeln!(log, "{line}"));
    }
    outcome.making()
}

async fn attempt<W: Work>(
    mut work: W,
    item: &Arc<W::Kind>,
    stop: &Notify,
    shutdown: &Shutdown,
    outcome: &mut Outcome,
) -> Result<(), String> {
    let noun = W::Kind::NOUN;
    let cannot_begin = |error: &dyn Display| format!("the {noun} cannot be made: {error}");
    let of = Arc::clone(item);
    let prepared = spawn_blocking(move || {
        let command = work.prepare(&of)?;
        let log = fs::File::create(of.item().folder().join(LOG))?;
        Ok::<_, io::Error>((work, command, log))
    });
    let prepared = prepared.await.map_err(io::Error::other).and_then(|prepared| prepared);
    let (work, command, mut log) = prepared.map_err(|error| cannot_begin(&error))?;
    let ended = child::run(command, stop, shutdown, |_, line| {
        if let Some(progress) = Making::progress(line) {
            item.item().set_making(progress);
        } else if !line.contains(DEBUG) {
            outcome.read(line);
            // The disk may be full: then the program says so, too.
            _ = writeln!(log, "{line}");
        }
    });
    match ended.await.map_err(|error| cannot_begin(&error))? {
        End::Own(Ending::Code(0)) => {
            let of = Arc::clone(item);
            let kept = spawn_blocking(move || work.keep(&of)).await;
            let kept = kept.map_err(io::Error::other).and_then(|kept| kept);
            kept.map_err(|error| format!("the {noun} cannot be stored: {error}"))
        }
        End::Own(Ending::Signal(signal)) => Err(format!(
            "the program that makes the {noun} was killed by signal {signal}; there may be too little \
             memory"
        )),
        End::Own(Ending::Code(_)) | End::Stopped => Ok(()),
    }
}
