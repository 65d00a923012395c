//! The watchdog: detects a child that has done nothing for too long, or that takes too long for one
//! step.
//!
//! A child is *stalled* if it prints no line, uses no CPU time and writes no file. Two kinds of
//! time do not count: while the child waits for the worker, and while the worker itself did not run
//! (a frozen container, a suspended machine). If the CPU time is unknown (no `/proc`), no child
//! counts as stalled.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::activity::Activity;

/// The longest and the shortest interval between two samples.
const MAX_INTERVAL: Duration = Duration::from_secs(2);
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// The reason to end a child, with the limit that it has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// No sign of life for this long.
    Stalled(Duration),
    /// One step has taken this long.
    Overtime(Duration),
}

/// Watches one child.
#[derive(Debug)]
pub struct Watchdog {
    samples: mpsc::Receiver<Activity>,
    /// The latest sample.
    latest: Activity,
    /// Whether the warning about unknown CPU time has been logged.
    has_warned: bool,
    clocks: Clocks,
    /// When the clocks were last advanced.
    last: Instant,
}

impl Watchdog {
    /// Starts to watch the processes of `group` and the files in `folders`. Raises an alarm after
    /// `stall` without a sign of life, or when a step takes `step`. The first step begins now.
    pub fn watch(
        group: Option<Pid>,
        folders: Vec<PathBuf>,
        stall: Option<Duration>,
        step: Option<Duration>,
    ) -> Self {
        let interval = [stall, step].into_iter().flatten().map(|limit| limit / 10).min();
        let interval = interval.unwrap_or(MAX_INTERVAL).clamp(MIN_INTERVAL, MAX_INTERVAL);
        let (sender, samples) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                sleep(interval).await;
                let folders = folders.clone();
                let sample = move || {
                    if stall.is_some() {
                        Activity::now(group, &folders)
                    } else {
                        Activity::default()
                    }
                };
                let Ok(activity) = tokio::task::spawn_blocking(sample).await else { return };
                if sender.send(activity).await.is_err() {
                    return;
                }
            }
        });
        Self {
            samples,
            latest: Activity::default(),
            has_warned: false,
            clocks: Clocks {
                stall,
                step,
                longest: 2 * interval,
                silent: Duration::ZERO,
                busy: Duration::ZERO,
            },
            last: Instant::now(),
        }
    }

    /// Waits for the next sample, and evaluates it. Cancel safe.
    pub async fn sample(&mut self) {
        match self.samples.recv().await {
            Some(activity) if activity.is_unknown() && self.clocks.stall.is_some() => {
                self.sign_of_life();
                if !self.has_warned {
                    self.has_warned = true;
                    tracing::warn!(
                        "without /proc the CPU time of the program is unknown: --stall-timeout \
                         (STALL_TIMEOUT) has no effect; --frame-timeout and --job-timeout still \
                         apply"
                    );
                }
            }
            Some(activity) if activity == self.latest => {}
            Some(activity) => {
                self.latest = activity;
                self.sign_of_life();
            }
            // The sampling task has ended: the runtime is shutting down.
            None => std::future::pending().await,
        }
    }

    /// Records that the child has done something.
    pub fn sign_of_life(&mut self) {
        self.clocks.silent = Duration::ZERO;
    }

    /// Records that the child has finished a step. The next one begins.
    pub fn next_step(&mut self) {
        self.clocks.busy = Duration::ZERO;
    }

    /// Advances the clocks by the time since the last call, unless the child waited for the worker.
    pub fn time_passes(&mut self, child_waits: bool) {
        let now = Instant::now();
        self.clocks.advance(now - self.last, child_waits);
        self.last = now;
    }

    /// The alarm, if a limit is reached.
    pub fn alarm(&self) -> Option<Alarm> {
        self.clocks.alarm()
    }
}

/// The time that counts against the two limits.
#[derive(Debug)]
struct Clocks {
    /// The limit for `silent`.
    stall: Option<Duration>,
    /// The limit for `busy`.
    step: Option<Duration>,
    /// The most time that counts at once. In a longer interval the worker did not run, and probably
    /// the child did not either.
    longest: Duration,
    /// The time since the last sign of life.
    silent: Duration,
    /// The time since the current step began.
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
    fn silence_raises_a_stall_and_a_long_step_overtime() {
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
    fn time_does_not_count_while_the_child_waits_or_the_worker_sleeps() {
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
