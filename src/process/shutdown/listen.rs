//! Signal handlers.

use std::io;

use nix::libc::{self, c_int};
use nix::sys::signal::Signal;
use tokio::signal::unix::{self as tokio_unix, SignalKind, signal};

use super::{Interrupt, Shutdown};
use crate::process::guard;
use crate::process::guard::Guard;
use crate::request::StopGrace;

impl Shutdown {
    /// Installs the signal handlers and starts to listen. `ignored` signals get no handler.
    ///
    /// SIGUSR1, SIGUSR2 and the real-time signals would end the process by default. Their handlers
    /// log a warning instead, except for the signal that reports the loss of the `guard`.
    ///
    /// With `has_results`, the first signal logs that results are being stored, because that takes
    /// time.
    ///
    /// # Errors
    /// If the kernel refuses a handler.
    pub fn listen(
        grace: StopGrace,
        has_results: bool,
        guard: Option<Guard>,
        ignored: &[Signal],
    ) -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut keyboard = unless_ignored(Signal::SIGINT, ignored)?;
        let mut hang_up = unless_ignored(Signal::SIGHUP, ignored)?;
        let mut user1 = signal(SignalKind::user_defined1())?;
        let mut user2 = signal(SignalKind::user_defined2())?;
        let shutdown = Self { has_results, ..Self::quiet(grace) };
        for number in libc::SIGRTMIN()..=libc::SIGRTMAX() {
            let mut signals = signal(SignalKind::from_raw(number))?;
            let shutdown = shutdown.clone();
            let guard = guard.filter(|_| number == guard::loss_signal());
            tokio::spawn(async move {
                while let Some(()) = signals.recv().await {
                    if guard.is_some_and(|guard| !guard.is_alive()) {
                        shutdown.guard_lost();
                    } else {
                        warn_unused(&format!("SIGRTMIN+{}", number - libc::SIGRTMIN()));
                    }
                }
            });
        }
        if guard.is_some_and(|guard| !guard.is_alive()) {
            shutdown.guard_lost();
        }
        let notified = shutdown.clone();
        tokio::spawn(async move {
            loop {
                let interrupt = tokio::select! {
                    Some(()) = terminate.recv() => Interrupt::Terminate,
                    Some(()) = next(&mut keyboard) => Interrupt::Keyboard,
                    Some(()) = next(&mut hang_up) => Interrupt::HangUp,
                    Some(()) = user1.recv() => { warn_unused("SIGUSR1"); continue }
                    Some(()) = user2.recv() => { warn_unused("SIGUSR2"); continue }
                    else => return,
                };
                notified.signalled(interrupt);
            }
        });
        Ok(shutdown)
    }
}

fn warn_unused(signal: &str) {
    tracing::warn!("{signal} received: it has no meaning here; send SIGTERM to stop the worker");
}

/// Installs a handler, unless the signal is ignored.
fn unless_ignored(which: Signal, ignored: &[Signal]) -> io::Result<Option<tokio_unix::Signal>> {
    if ignored.contains(&which) {
        return Ok(None);
    }
    signal(SignalKind::from_raw(which as c_int)).map(Some)
}

/// Waits for the next signal: forever, if it is ignored.
async fn next(signals: &mut Option<tokio_unix::Signal>) -> Option<()> {
    match signals {
        Some(signals) => signals.recv().await,
        None => std::future::pending().await,
    }
}
