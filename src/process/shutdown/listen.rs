//! Hearing signals.

use std::io;

use nix::libc::{self, c_int};
use nix::sys::signal::Signal;
use tokio::signal::unix::{self as tokio_unix, SignalKind, signal};

use super::{Interrupt, Shutdown};
use crate::process::guard;
use crate::process::guard::Guard;
use crate::request::StopGrace;

impl Shutdown {
    /// Installs the handlers and begins to listen, but not to signals that are `ignored`. The
    /// signals that are left to a program to define would end it if it did not: these get a
    /// handler that says so. What a signal begins is told where there are results, which
    /// storing takes time.
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
            let told = shutdown.clone();
            let guard = guard.filter(|_| number == guard::loss());
            tokio::spawn(async move {
                while let Some(()) = signals.recv().await {
                    if guard.is_some_and(|guard| !guard.is_there()) {
                        told.orphaned();
                    } else {
                        without_meaning(&format!("SIGRTMIN+{}", number - libc::SIGRTMIN()));
                    }
                }
            });
        }
        if guard.is_some_and(|guard| !guard.is_there()) {
            shutdown.orphaned();
        }
        let told = shutdown.clone();
        tokio::spawn(async move {
            loop {
                let interrupt = tokio::select! {
                    Some(()) = terminate.recv() => Interrupt::Terminate,
                    Some(()) = next(&mut keyboard) => Interrupt::Keyboard,
                    Some(()) = next(&mut hang_up) => Interrupt::HangUp,
                    Some(()) = user1.recv() => { without_meaning("SIGUSR1"); continue }
                    Some(()) = user2.recv() => { without_meaning("SIGUSR2"); continue }
                    else => return,
                };
                told.signalled(interrupt);
            }
        });
        Ok(shutdown)
    }
}

fn without_meaning(signal: &str) {
    tracing::warn!(
        "{signal} received: it has no meaning here and changes nothing; SIGTERM stops the worker"
    );
}

/// Signals of one kind, unless they are ignored.
fn unless_ignored(which: Signal, ignored: &[Signal]) -> io::Result<Option<tokio_unix::Signal>> {
    if ignored.contains(&which) {
        return Ok(None);
    }
    signal(SignalKind::from_raw(which as c_int)).map(Some)
}

/// The next one of signals that may be ignored: then there is none.
async fn next(signals: &mut Option<tokio_unix::Signal>) -> Option<()> {
    match signals {
        Some(signals) => signals.recv().await,
        None => std::future::pending().await,
    }
}
