//! Shutdown: combines signals, the Spot notice and the job's time limit into one value that any
//! task can wait for.
//!
//! A shutdown goes through these [stages](Stage), in this order. It may skip any but never goes
//! back:
//!
//! 1. *Noticed*: EC2 will reclaim the instance at a known time. No new work starts, and the frame
//!    or video in progress is finished if there is time.
//! 2. *Stopping*: a signal came, or the job's time limit was reached. After a Spot notice it also
//!    begins when the work in progress is finished, or only the grace period remains. Children are
//!    terminated, and saved results are stored.
//! 3. *At once*: a second signal came, or the parent process was killed. Children are killed, and
//!    nothing more is stored.
//!
//! From *stopping* on there is one deadline, by which the process must have ended. Each step's
//! share of the time is counted back from that deadline, so consecutive waits cannot exceed it.

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

/// A repetition of the first signal within this time counts as the same signal. `timeout(1)`
/// signals its child and then the child's group. When a terminal closes, the kernel and the shell
/// send one SIGHUP each.
const ECHO: Duration = Duration::from_millis(50);

/// The longest time that a Spot notice can give. EC2 sends it two minutes ahead: if there seems to
/// be more time, a clock is wrong, and the worker must not wait for hours.
const LONGEST_NOTICE: Duration = Duration::from_mins(10);

/// The least time to stop in after the job's time limit: no SIGKILL follows it.
const OUT_OF_TIME: Duration = Duration::from_mins(1);

/// How long the job may take to end after a second signal.
const AT_ONCE: Duration = Duration::from_millis(400);

/// The time limit for cleaning up in normal operation, and when stopping leaves no time for it.
const CLEANUP: Duration = Duration::from_secs(30);
const CLEANUP_AT_ONCE: Duration = Duration::from_millis(200);

/// The reason for stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGTERM: `docker stop`, or a termination, time-out or Spot interruption by AWS Batch.
    Terminate,
    /// SIGINT: ctrl-C.
    Keyboard,
    /// SIGHUP: the terminal was closed.
    HangUp,
    /// A Spot notice.
    Spot {
        /// When EC2 reclaims the instance.
        reclaimed: SystemTime,
    },
    /// The job's time limit was reached.
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
            Self::Spot { reclaimed } => {
                let reclaimed = humantime::format_rfc3339_seconds(*reclaimed);
                write!(f, "a Spot notice (EC2 reclaims the instance at {reclaimed})")
            }
            Self::OutOfTime => f.write_str("--job-timeout (JOB_TIMEOUT)"),
            Self::Orphaned => f.write_str("the death of its parent process"),
        }
    }
}

/// How far a shutdown has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No reason to stop.
    Working,
    /// EC2 will reclaim the instance: no new work starts.
    Noticed,
    /// Work is stopped, and saved results are stored.
    Stopping,
    /// Everything is abandoned.
    AtOnce,
}

/// When EC2 reclaims the instance.
#[derive(Clone, Copy, Debug)]
struct Notice {
    reclaimed: SystemTime,
    /// The same time on the monotonic clock.
    reclaimed_at: Instant,
}

/// A shutdown that has begun.
#[derive(Clone, Copy, Debug)]
struct Stop {
    by: Interrupt,
    /// When the process must have ended.
    deadline: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    notice: Option<Notice>,
    stop: Option<Stop>,
    /// When the first signal came, and which one.
    signalled: Option<(Instant, Interrupt)>,
    /// When the second signal came, or the guard was lost.
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

/// Logs what a second signal will do, once it would no longer count as an echo of the first.
async fn log_first_signal(by: Interrupt, grace: StopGrace) {
    sleep(ECHO).await;
    let how = if by == Interrupt::Keyboard { "press ctrl-C again" } else { "send it again" };
    tracing::warn!(
        "{by} received: storing saved results for at most {grace}; {how} to stop at once"
    );
}

/// Whether to stop, why, and by when. Clones share their state.
#[derive(Clone, Debug)]
pub struct Shutdown {
    state: Arc<watch::Sender<State>>,
    grace: StopGrace,
    /// Whether the job has results to store when it stops.
    has_results: bool,
}

impl Shutdown {
    /// Creates a shutdown that does not listen to signals.
    pub fn quiet(grace: StopGrace) -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())), grace, has_results: true }
    }

    /// Handles a signal: the first one stops the job, a second one stops it at once.
    fn signalled(&self, by: Interrupt) {
        let now = Instant::now();
        self.state.send_if_modified(|state| match state.signalled {
            None => {
                let soon = now + self.grace.total();
                let (reason, deadline) =
                    state.stop.map_or((by, soon), |stop| (stop.by, stop.deadline.min(soon)));
                state.stop = Some(Stop { by: reason, deadline });
                state.signalled = Some((now, by));
                if self.has_results {
                    tokio::spawn(log_first_signal(by, self.grace));
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

    /// Stops at once: killing the guard, our parent, was meant to end the job.
    fn guard_lost(&self) {
        let (now, by) = (Instant::now(), Interrupt::Orphaned);
        self.state.send_modify(|state| {
            state.stop = state.stop.or(Some(Stop { by, deadline: now }));
            state.at_once = state.at_once.or(Some(now));
        });
        tracing::warn!("the parent of this process was killed: stopping at once");
    }

    /// Handles a Spot notice. Waits until only the grace period is left before EC2 reclaims the
    /// instance, and then stops. Does nothing if the shutdown is already past
    /// [`Stage::Working`].
    pub async fn spot_notice(&self, reclaimed: SystemTime) {
        let left = reclaimed.duration_since(SystemTime::now()).unwrap_or_default();
        let left = left.min(LONGEST_NOTICE);
        let reclaimed_at = Instant::now() + left;
        let new = self.state.send_if_modified(|state| {
            let new = state.stage() == Stage::Working;
            if new {
                state.notice = Some(Notice { reclaimed, reclaimed_at });
            }
            new
        });
        if !new {
            return;
        }
        tracing::warn!(
            "Spot notice: EC2 reclaims the instance at {} (in {} s); no new work is started",
            humantime::format_rfc3339_seconds(reclaimed),
            left.as_secs()
        );
        sleep(left.saturating_sub(self.grace.total())).await;
        self.stop_if_noticed();
    }

    /// Waits for `limit`, the job's time limit, and then stops.
    pub async fn stop_after(&self, limit: Duration) {
        sleep(limit).await;
        let (now, by) = (Instant::now(), Interrupt::OutOfTime);
        let earliest = now + self.grace.total();
        let latest = now + self.grace.total().max(OUT_OF_TIME);
        self.state.send_if_modified(|state| {
            if state.stop.is_some() {
                return false;
            }
            // EC2 may reclaim the instance earlier.
            let deadline =
                state.notice.map_or(latest, |notice| notice.reclaimed_at.clamp(earliest, latest));
            state.stop = Some(Stop { by, deadline });
            let left = (deadline - now).as_secs();
            tracing::warn!("{by} reached: storing saved results for at most {left} s");
            true
        });
    }

    /// Turns a Spot notice into a stop: the caller has no work in progress that is worth finishing.
    /// Changes nothing without a notice. Returns the reason for stopping, if any, as
    /// [`Shutdown::requested`] does.
    pub fn stop_if_noticed(&self) -> Option<Interrupt> {
        let earliest = Instant::now() + self.grace.total();
        self.state.send_if_modified(|state| match state {
            State { notice: Some(Notice { reclaimed, reclaimed_at }), stop: None, .. } => {
                let by = Interrupt::Spot { reclaimed: *reclaimed };
                state.stop = Some(Stop { by, deadline: earliest.max(*reclaimed_at) });
                true
            }
            State { .. } => false,
        });
        self.requested()
    }

    /// The Spot notice, if there is one, as a reason for stopping.
    pub fn noticed(&self) -> Option<Interrupt> {
        let notice = self.state.borrow().notice?;
        Some(Interrupt::Spot { reclaimed: notice.reclaimed })
    }

    /// How long the work in progress may still take after a Spot notice. `None` without a notice.
    pub fn time_to_finish(&self) -> Option<Duration> {
        let reclaimed_at = self.state.borrow().notice?.reclaimed_at;
        let left = reclaimed_at.saturating_duration_since(Instant::now());
        Some(left.saturating_sub(self.grace.total()))
    }

    /// The reason for stopping, from [`Stage::Stopping`] on.
    pub fn requested(&self) -> Option<Interrupt> {
        self.state.borrow().stop.map(|stop| stop.by)
    }

    /// The grace period and the shares of its steps.
    pub fn grace(&self) -> StopGrace {
        self.grace
    }

    /// Waits for a stage after `seen`, and returns it. Cancel safe.
    pub async fn beyond(&self, seen: Stage) -> Stage {
        let mut states = self.state.subscribe();
        let stage = states.wait_for(|state| state.stage() > seen).await.map(|state| state.stage());
        match stage {
            Ok(stage) => stage,
            // Cannot happen: `self` holds the sender.
            Err(_) => std::future::pending().await,
        }
    }

    /// Runs `work`. Drops it if the shutdown has left [`Stage::Working`], or leaves it meanwhile.
    ///
    /// # Errors
    /// The reason for stopping.
    pub async fn run_until_stopped<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, Interrupt> {
        tokio::select! {
            biased;
            _ = self.beyond(Stage::Working) => match self.stop_if_noticed() {
                Some(interrupt) => Err(interrupt),
                None => std::future::pending().await,
            },
            result = work => Ok(result),
        }
    }

    /// Whether a cleanup that began at `began` may go on. While stopping there is little time, and
    /// storing comes first.
    pub fn has_time_to_clean_up(&self, began: Instant) -> bool {
        let State { stop, at_once, .. } = *self.state.borrow();
        let spent = began.elapsed();
        let left = |stop: Stop| {
            let kept = self.grace.report() + self.grace.ending();
            stop.deadline.checked_duration_since(Instant::now() + kept)
        };
        match (at_once, stop) {
            (None, None) => spent < CLEANUP,
            (None, Some(stop)) if left(stop).is_some() => true,
            _ => spent < CLEANUP_AT_ONCE,
        }
    }

    /// Waits until there is no time left to store saved results. Cancel safe.
    pub async fn no_time_to_store(&self) {
        self.time_is_up(self.grace.report() + self.grace.ending()).await;
    }

    /// Waits until there is no time left to store the report. Cancel safe.
    pub async fn no_time_to_report(&self) {
        self.time_is_up(self.grace.ending()).await;
    }

    /// Waits until the process must end, whatever it is doing, and returns the reason for stopping.
    /// Cancel safe.
    pub async fn overdue(&self) -> Interrupt {
        self.time_is_up(self.grace.ending() / 2).await;
        let State { stop, at_once, .. } = *self.state.borrow();
        if let Some(since) = at_once {
            sleep_until(since + AT_ONCE).await;
        }
        match stop {
            Some(stop) => stop.by,
            // Cannot happen: time is up only after a stop.
            None => std::future::pending().await,
        }
    }

    /// Waits until only `kept` is left before the deadline, or until [`Stage::AtOnce`].
    async fn time_is_up(&self, kept: Duration) {
        let mut states = self.state.subscribe();
        loop {
            let State { stop, at_once, .. } = *states.borrow_and_update();
            if at_once.is_some() {
                return;
            }
            let deadline = async {
                match stop.map(|stop| stop.deadline.checked_sub(kept)) {
                    Some(at) => sleep_until(at.unwrap_or_else(Instant::now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = deadline => return,
                // Never an error: `self` holds the sender.
                _ = states.changed() => {}
            }
        }
    }
}
