//! Being told to stop: signals and the Spot notice become one value that everybody can
//! wait for.
//!
//! It goes through [stages](Stage), in this order and never back, and may pass over any
//! of the first ones:
//!
//! 1. *Noticed*: the instance goes at a certain time. Nothing is begun any more; what is
//!    in hand is finished if there is time for it.
//! 2. *Stopping*: a signal came; the time of the job is over; or, after a notice, what
//!    was in hand is finished, or the time that is left is the grace. Children are ended,
//!    what is saved is stored.
//! 3. *At once*: a second signal, or our parent was killed. Children are killed, nothing is
//!    stored any more.
//!
//! From *stopping* on there is one deadline, at which the process is gone. Everybody's
//! share of the time is counted back from there, so no two waits can add up to more.

mod listen;
pub mod spot;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::request::StopGrace;

/// The first signal, if it comes so soon again, was sent once: `timeout(1)` sends it to
/// its child and then to the child's group, a terminal that goes away and its shell send
/// a SIGHUP each.
const ECHO: Duration = Duration::from_millis(50);

/// A Spot notice is given two minutes ahead. One that says more is of a clock that is
/// wrong, and must not make us wait for hours.
const LONGEST_NOTICE: Duration = Duration::from_mins(10);

/// How long stopping may take at least when the time of the job is over: nobody waits
/// with SIGKILL.
const OUT_OF_TIME: Duration = Duration::from_mins(1);

/// How long the job may take to end after a second signal.
const AT_ONCE: Duration = Duration::from_millis(400);

/// How long tidying up may take at most, and when there is no time for that.
const TIDYING: Duration = Duration::from_secs(30);
const TIDYING_AT_ONCE: Duration = Duration::from_millis(200);

/// Who told us to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGTERM: `docker stop`, a Batch termination, time-out or Spot loss.
    Terminate,
    /// SIGINT: ctrl-C.
    Keyboard,
    /// SIGHUP: the terminal is gone.
    HangUp,
    /// The Spot notice of an instance.
    Spot {
        /// When the instance goes.
        goes: SystemTime,
    },
    /// The time that the attempt may take is over.
    OutOfTime,
    /// The [guard](super::guard) of this process was killed.
    Orphaned,
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminate => f.write_str("SIGTERM"),
            Self::Keyboard => f.write_str("SIGINT (ctrl-C)"),
            Self::HangUp => f.write_str("SIGHUP"),
            Self::Spot { goes } => {
                let goes = humantime::format_rfc3339_seconds(*goes);
                write!(f, "a Spot notice (the instance goes at {goes})")
            }
            Self::OutOfTime => f.write_str("the time of --job-timeout (JOB_TIMEOUT)"),
            Self::Orphaned => f.write_str("the loss of its parent process, which was killed"),
        }
    }
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nobody told us anything.
    Working,
    /// The instance goes: nothing is begun any more.
    Noticed,
    /// Everything is stopped, and stored as far as it is saved.
    Stopping,
    /// Everything is dropped.
    AtOnce,
}

/// The instance goes.
#[derive(Clone, Copy, Debug)]
struct Notice {
    goes: SystemTime,
    /// The same on the clock that is never set.
    goes_at: Instant,
}

/// We stop.
#[derive(Clone, Copy, Debug)]
struct Stop {
    by: Interrupt,
    /// When the process is gone.
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    notice: Option<Notice>,
    stop: Option<Stop>,
    /// When the first signal came, and which one it was.
    signalled: Option<(Instant, Interrupt)>,
    /// When the second one did.
    at_once: Option<Instant>,
}

impl State {
    fn stage(&self) -> Stage {
        if self.at_once.is_some() {
            Stage::AtOnce
        } else if self.stop.is_some() {
            Stage::Stopping
        } else if self.notice.is_some() {
            Stage::Noticed
        } else {
            Stage::Working
        }
    }
}

/// Says what a second signal does, as soon as it would not be taken for the first one.
async fn invite_another(by: Interrupt, grace: StopGrace) {
    sleep(ECHO).await;
    let how = if by == Interrupt::Keyboard { "press ctrl-C again" } else { "send it again" };
    tracing::warn!(
        "{by} received: storing what is saved, for {grace} at most; {how} to stop at once"
    );
}

/// Whether, and by whom, we have been told to stop. Clones see the same.
#[derive(Clone, Debug)]
pub struct Shutdown {
    state: Arc<watch::Sender<State>>,
    grace: StopGrace,
    /// Whether there is something to store when we stop.
    has_results: bool,
}

impl Shutdown {
    /// One that hears no signals.
    pub fn quiet(grace: StopGrace) -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())), grace, has_results: true }
    }

    /// A signal has come.
    fn signalled(&self, by: Interrupt) {
        let now = Instant::now();
        self.state.send_if_modified(|state| match state.signalled {
            None => {
                let soon = now + self.grace.total();
                let (by_whom, deadline) =
                    state.stop.map_or((by, soon), |stop| (stop.by, stop.deadline.min(soon)));
                state.stop = Some(Stop { by: by_whom, deadline });
                state.signalled = Some((now, by));
                if self.has_results {
                    tokio::spawn(invite_another(by, self.grace));
                }
                true
            }
            Some((first, same)) if same == by && now < first + ECHO => false,
            Some(_) if state.at_once.is_some() => false,
            Some(_) => {
                state.at_once = Some(now);
                tracing::warn!("{by} received: stopping at once");
                true
            }
        });
    }

    /// Nobody waits for us any more: whoever killed our parent wanted us gone.
    fn orphaned(&self) {
        let (now, by) = (Instant::now(), Interrupt::Orphaned);
        self.state.send_modify(|state| {
            state.stop = state.stop.or(Some(Stop { by, deadline: now }));
            state.at_once = state.at_once.or(Some(now));
        });
        tracing::warn!("the parent of this process was killed: stopping at once");
    }

    /// The instance goes. Stops as soon as no more than the grace is left.
    pub async fn noticed(&self, goes: SystemTime) {
        let left = goes.duration_since(SystemTime::now()).unwrap_or_default().min(LONGEST_NOTICE);
        let goes_at = Instant::now() + left;
        let new = self.state.send_if_modified(|state| {
            let new = state.stage() == Stage::Working;
            if new {
                state.notice = Some(Notice { goes, goes_at });
            }
            new
        });
        if !new {
            return;
        }
        tracing::warn!(
            "Spot notice: the instance goes at {} (in {} s); nothing is begun any more",
            humantime::format_rfc3339_seconds(goes),
            left.as_secs()
        );
        sleep(left.saturating_sub(self.grace.total())).await;
        self.stop_if_noticed();
    }

    /// The job may take no longer than `limit` from now on. Stops when that is over.
    pub async fn within(&self, limit: Duration) {
        sleep(limit).await;
        let (now, by) = (Instant::now(), Interrupt::OutOfTime);
        let soon = now + self.grace.total();
        let late = now + self.grace.total().max(OUT_OF_TIME);
        self.state.send_if_modified(|state| {
            if state.stop.is_some() {
                return false;
            }
            // The instance may go before.
            let deadline = state.notice.map_or(late, |notice| notice.goes_at.clamp(soon, late));
            state.stop = Some(Stop { by, deadline });
            let left = (deadline - now).as_secs();
            tracing::warn!("{by} is over: storing what is saved, for {left} s at most");
            true
        });
    }

    /// Turns a Spot notice into a stop, because no frame in hand is worth finishing. Without a
    /// notice it changes nothing. The result is why we stop, if we do.
    pub fn stop_if_noticed(&self) -> Option<Interrupt> {
        let earliest = Instant::now() + self.grace.total();
        self.state.send_if_modified(|state| match state {
            State { notice: Some(Notice { goes, goes_at }), stop: None, .. } => {
                let by = Interrupt::Spot { goes: *goes };
                state.stop = Some(Stop { by, deadline: earliest.max(*goes_at) });
                true
            }
            State { .. } => false,
        });
        self.requested()
    }

    /// After a notice: how long what is in hand may still take.
    pub fn time_to_finish(&self) -> Option<Duration> {
        let goes_at = self.state.borrow().notice?.goes_at;
        let left = goes_at.saturating_duration_since(Instant::now());
        Some(left.saturating_sub(self.grace.total()))
    }

    /// Who made us stop, if anybody has.
    pub fn requested(&self) -> Option<Interrupt> {
        self.state.borrow().stop.map(|stop| stop.by)
    }

    /// How the grace is shared out.
    pub fn grace(&self) -> StopGrace {
        self.grace
    }

    /// Waits for the next stage after `seen`, and says which one it is by then. Cancel safe.
    pub async fn beyond(&self, seen: Stage) -> Stage {
        let mut told = self.state.subscribe();
        let stage = told.wait_for(|state| state.stage() > seen).await.map(|state| state.stage());
        match stage {
            Ok(stage) => stage,
            // We hold the sender ourselves: it does not go away.
            Err(_) => std::future::pending().await,
        }
    }

    /// Does `work` unless told to stop, or that the instance goes, before or meanwhile:
    /// then it is dropped.
    ///
    /// # Errors
    /// Who told us to stop.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupt> {
        tokio::select! {
            biased;
            _ = self.beyond(Stage::Working) => match self.stop_if_noticed() {
                Some(interrupt) => Err(interrupt),
                None => std::future::pending().await,
            },
            result = work => Ok(result),
        }
    }

    /// Whether there is time to go on with tidying up that began at `began`: there is little
    /// once we were told to stop, and what is stored comes first.
    pub fn has_time_to_tidy(&self, began: Instant) -> bool {
        let State { stop, at_once, .. } = *self.state.borrow();
        let spent = began.elapsed();
        let left = |stop: Stop| {
            let kept = self.grace.report() + self.grace.ending();
            stop.deadline.checked_duration_since(Instant::now() + kept)
        };
        match (at_once, stop) {
            (None, None) => spent < TIDYING,
            (None, Some(stop)) if left(stop).is_some() => true,
            _ => spent < TIDYING_AT_ONCE,
        }
    }

    /// Waits until there is no time left to store what is saved. Cancel safe.
    pub async fn no_time_to_store(&self) {
        self.time_is_up(self.grace.report() + self.grace.ending()).await;
    }

    /// Waits until there is no time left to store the report. Cancel safe.
    pub async fn no_time_to_report(&self) {
        self.time_is_up(self.grace.ending()).await;
    }

    /// Waits until the process must end whatever it is doing, and says who made it.
    /// Cancel safe.
    pub async fn overdue(&self) -> Interrupt {
        self.time_is_up(self.grace.ending() / 2).await;
        let State { stop, at_once, .. } = *self.state.borrow();
        if let Some(since) = at_once {
            sleep_until(since + AT_ONCE).await;
        }
        match stop {
            Some(stop) => stop.by,
            // Time is up only when we stop.
            None => std::future::pending().await,
        }
    }

    /// Waits until no more than `kept` is left before the deadline, or for a second signal.
    async fn time_is_up(&self, kept: Duration) {
        let mut told = self.state.subscribe();
        loop {
            let State { stop, at_once, .. } = *told.borrow_and_update();
            if at_once.is_some() {
                return;
            }
            let up = async {
                match stop.map(|stop| stop.deadline.checked_sub(kept)) {
                    Some(at) => sleep_until(at.unwrap_or_else(Instant::now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = up => return,
                // Never an error: we hold the sender ourselves.
                _ = told.changed() => {}
            }
        }
    }
}
