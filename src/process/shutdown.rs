//! Being told to stop: signals become one value that everybody can wait for.

use std::fmt;
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Who told us to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGTERM: `docker stop`, a Batch termination, time-out or Spot loss.
    Terminate,
    /// SIGINT: ctrl-C.
    Keyboard,
    /// SIGHUP: the terminal is gone.
    HangUp,
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "SIGTERM",
            Self::Keyboard => "SIGINT (ctrl-C)",
            Self::HangUp => "SIGHUP",
        })
    }
}

fn without_meaning(signal: &str) {
    tracing::warn!("{signal} received: it has no meaning here and changes nothing");
}

/// Whether, and by whom, we have been told to stop. Clones see the same.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<Option<Interrupt>>);

impl Shutdown {
    /// Installs the handlers and begins to listen. The signals that are left to a program
    /// to define would end it if it did not: these get a handler that says so.
    ///
    /// # Errors
    /// If the kernel refuses a handler.
    pub fn listen() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut keyboard = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut user1 = signal(SignalKind::user_defined1())?;
        let mut user2 = signal(SignalKind::user_defined2())?;
        let (told, shutdown) = watch::channel(None);
        tokio::spawn(async move {
            loop {
                let interrupt = tokio::select! {
                    Some(()) = terminate.recv() => Interrupt::Terminate,
                    Some(()) = keyboard.recv() => Interrupt::Keyboard,
                    Some(()) = hang_up.recv() => Interrupt::HangUp,
                    Some(()) = user1.recv() => { without_meaning("SIGUSR1"); continue }
                    Some(()) = user2.recv() => { without_meaning("SIGUSR2"); continue }
                    else => return,
                };
                // The first one counts; the rest change nothing.
                told.send_if_modified(|value| {
                    let first = value.is_none();
                    value.get_or_insert(interrupt);
                    first
                });
            }
        });
        Ok(Self(shutdown))
    }

    /// Who told us to stop, if anybody has.
    pub fn requested(&self) -> Option<Interrupt> {
        *self.0.borrow()
    }

    /// Waits until somebody tells us to stop. Cancel safe.
    pub async fn wait(&self) -> Interrupt {
        let mut told = self.0.clone();
        let interrupt = told.wait_for(Option::is_some).await.ok().and_then(|told| *told);
        match interrupt {
            Some(interrupt) => interrupt,
            // The listener lives as long as the runtime: nobody can tell us any more.
            None => std::future::pending().await,
        }
    }

    /// Does `work` unless told to stop, before or meanwhile: then it is dropped.
    ///
    /// # Errors
    /// Who told us to stop.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupt> {
        tokio::select! {
            biased;
            interrupt = self.wait() => Err(interrupt),
            result = work => Ok(result),
        }
    }
}
