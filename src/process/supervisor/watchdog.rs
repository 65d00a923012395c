//! When a child has done nothing for too long, or too long at one thing.
//!
//! A child is *stalled* when it prints no line, uses no CPU time and writes no file, all
//! three of them. Time does not count while the child waits for us, and time in which we
//! were not run ourselves (a frozen container, a machine that slept) tells nothing. Nor does
//! silence where the system does not tell of CPU time (no `/proc`): there nothing is stalled.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::activity::Activity;

/// How often is looked at most seldom, and most often.
const SELDOM: Duration = Duration::from_secs(2);
const OFTEN: Duration = Duration::from_millis(50);

/// What is the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// No sign of life for so long.
    Stalled(Duration),
    /// One step has taken so long.
    Overtime(Duration),
}

/// Watches one child.
#[derive(Debug)]
pub struct Watchdog {
    looks: mpsc::Receiver<Activity>,
    seen: Activity,
    /// Whether it was told that nothing can be told.
    is_blind: bool,
    clocks: Clocks,
    last: Instant,
}

impl Watchdog {
    /// Watches the processes of `group` and the files in `folders`, from now on. An alarm
    /// is raised after `stall` without a sign of life, or when a step, the first one of
    /// which begins now, takes longer than `step`.
    pub fn watch(
        group: Option<Pid>,
        folders: Vec<PathBuf>,
        stall: Option<Duration>,
        step: Option<Duration>,
    ) -> Self {
        let pause = [stall, step].into_iter().flatten().map(|limit| limit / 10).min();
        let pause = pause.unwrap_or(SELDOM).clamp(OFTEN, SELDOM);
        let (looker, looks) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                sleep(pause).await;
                let folders = folders.clone();
                let look = move || {
                    if stall.is_some() {
                        Activity::now(group, &folders)
                    } else {
                        Activity::default()
                    }
                };
                let Ok(activity) = tokio::task::spawn_blocking(look).await else { return };
                if looker.send(activity).await.is_err() {
                    return;
                }
            }
        });
        Self {
            looks,
            seen: Activity::default(),
            is_blind: false,
            clocks: Clocks {
                stall,
                step,
                longest: 2 * pause,
                silent: Duration::ZERO,
                busy: Duration::ZERO,
            },
            last: Instant::now(),
        }
    }

    /// Waits until it is time for a look, and looks. Cancel safe.
    pub async fn look(&mut self) {
        match self.looks.recv().await {
            Some(activity) if activity.is_unknown() && self.clocks.stall.is_some() => {
                self.sign_of_life();
                if !self.is_blind {
                    self.is_blind = true;
                    tracing::warn!(
                        "without /proc nobody tells whether the program computes: it is not \
                         ended when it stalls (--stall-timeout, STALL_TIMEOUT); --frame-timeout \
                         and --job-timeout bound it all the same"
                    );
                }
            }
            Some(activity) if activity == self.seen => {}
            Some(activity) => {
                self.seen = activity;
                self.sign_of_life();
            }
            // Nobody looks any more: the runtime is going down.
            None => std::future::pending().await,
        }
    }

    /// The child has done something.
    pub fn sign_of_life(&mut self) {
        self.clocks.silent = Duration::ZERO;
    }

    /// The child has finished a step; the next one begins.
    pub fn next_step(&mut self) {
        self.clocks.busy = Duration::ZERO;
    }

    /// Counts the time since this was called the last time, in which the child waited for
    /// us or did not.
    pub fn time_passes(&mut self, child_waits: bool) {
        let now = Instant::now();
        self.clocks.advance(now - self.last, child_waits);
        self.last = now;
    }

    /// What is the matter, if anything is.
    pub fn alarm(&self) -> Option<Alarm> {
        self.clocks.alarm()
    }
}

#[derive(Debug)]
struct Clocks {
    stall: Option<Duration>,
    step: Option<Duration>,
    /// What is longer than this was no time for the child either.
    longest: Duration,
    silent: Duration,
    busy: Duration,
}

impl Clocks {
    fn advance(&mut self, time: Duration, child_waits: bool) {
        if !child_waits {
            let time = time.min(self.longest);
            self.silent += time;
            self.busy += time;
        }
    }

    fn alarm(&self) -> Option<Alarm> {
        let over = |clock: Duration, limit: Option<Duration>| limit.filter(|limit| clock >= *limit);
        let stalled = over(self.silent, self.stall).map(Alarm::Stalled);
        stalled.or_else(|| over(self.busy, self.step).map(Alarm::Overtime))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn clocks(stall: Option<u32>, step: Option<u32>) -> Clocks {
        Clocks {
            stall: stall.map(|seconds| SECOND * seconds),
            step: step.map(|seconds| SECOND * seconds),
            longest: 2 * SECOND,
            silent: Duration::ZERO,
            busy: Duration::ZERO,
        }
    }

    #[test]
    fn silence_is_a_stall_and_a_long_step_is_overtime() {
        let mut clocks = clocks(Some(3), Some(5));
        for _ in 0..2 {
            clocks.advance(SECOND, false);
            assert_eq!(clocks.alarm(), None);
        }
        clocks.silent = Duration::ZERO;
        clocks.advance(2 * SECOND, false);
        assert_eq!(clocks.alarm(), None);
        clocks.advance(SECOND, false);
        assert_eq!(clocks.alarm(), Some(Alarm::Stalled(3 * SECOND)));
        clocks.silent = Duration::ZERO;
        assert_eq!(clocks.alarm(), Some(Alarm::Overtime(5 * SECOND)));
    }

    #[test]
    fn time_in_which_the_child_waits_or_nobody_runs_does_not_count() {
        let mut clocks = clocks(Some(3), Some(3));
        clocks.advance(100 * SECOND, true);
        assert_eq!(clocks.alarm(), None);
        clocks.advance(100 * SECOND, false);
        assert_eq!((clocks.silent, clocks.alarm()), (2 * SECOND, None));
    }

    #[test]
    fn without_limits_there_is_no_alarm() {
        let mut clocks = clocks(None, None);
        for _ in 0..1000 {
            clocks.advance(2 * SECOND, false);
        }
        assert_eq!(clocks.alarm(), None);
    }
}
