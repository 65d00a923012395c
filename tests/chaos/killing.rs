//! The moments of kills, and the invariants that must hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::Signal;

use crate::container::{Attempt, tail};
use crate::expected::ExpectedFrames;
use crate::job::{Job, Renderer};
use crate::marks::Record;
use crate::output::Output;
use crate::support::frames;
use crate::tally::{Phase, Tally};

/// The maximum number of attempts that end with 75 by themselves, because storage is out of reach.
const RETRIES: usize = 20;

/// A kind of job, and the signals that interrupt it.
pub struct Campaign<'a> {
    pub name: &'static str,
    pub output: &'a Output,
    pub expected: &'a ExpectedFrames,
    pub renderer: Renderer,
    pub frames: i32,
    /// The signals that interrupt it, in turn.
    pub signals: &'static [Signal],
    pub rng: Rng,
    pub timing: Timing,
}

/// The duration of an attempt without interruption.
#[derive(Clone, Copy)]
pub struct Timing {
    /// The time for an attempt with one frame.
    pub start: Duration,
    /// The time per frame.
    pub frame: Duration,
}

impl Timing {
    /// Measures an attempt with one frame, and one with more.
    pub fn measure(output: &Output, renderer: Renderer) -> Self {
        const MORE: i32 = 10;
        let time = |name: &str, frames| {
            let job = Job::new(output, format!("timing-{name}"), frames, renderer);
            let attempt = job.start().finish(None);
            assert_eq!(attempt.exit, Some(0), "{}", tail(&attempt.log));
            attempt.took
        };
        let (one, more) = (time("one", 1), time("more", 1 + MORE));
        let frame = more.saturating_sub(one) / MORE.unsigned_abs();
        Self { start: one, frame }
    }

    /// Returns the latest moment to kill an attempt, so that `kills` are spread over `left` frames.
    fn window(self, left: usize, kills: usize) -> Duration {
        let frames = left.min(2 * left.div_ceil(kills.max(1)));
        self.start + self.frame * u32::try_from(frames).expect("not that many")
    }
}

impl Campaign<'_> {
    /// Starts a job again until it is done, and kills it until `tally` has `kills`.
    pub fn run(&mut self, number: usize, kills: usize, tally: &mut Tally) {
        let job =
            Job::new(self.output, format!("{}-{number}", self.name), self.frames, self.renderer);
        let observer = self.output.observe(&job.name);
        let began = Instant::now();
        tally.jobs += 1;
        tally.frames += frames::count(self.frames);
        let mut record = Record::default();
        let mut retries = RETRIES;
        loop {
            let stored = self.output.stored(&job.name);
            let left = frames::count(self.frames) - stored;
            let kills_left = kills.saturating_sub(tally.kills);
            let interruption = (kills_left > 0).then(|| {
                let signal = self.signals[tally.kills % self.signals.len()];
                (signal, self.timing.window(left, kills_left).mul_f64(self.rng.f64()))
            });
            let before = self.output.frames(&job.name).into_keys().collect::<BTreeSet<_>>();
            let attempt = job.start().finish(interruption);
            tally.attempts += 1;
            self.keep(&attempt, number, tally.attempts);
            let now = job.record(&attempt.log);
            self.check_attempt(&record, &now, &before, &attempt);
            count(tally, &record, &now, &attempt, left);
            record = now;
            match (attempt.interrupted, attempt.exit) {
                (_, Some(0)) => break,
                (true, None | Some(75 | 130 | 143)) => {}
                (false, Some(75)) => {
                    tally.out_of_reach += 1;
                    retries -= 1;
                    assert!(retries > 0, "never done:\n{}", tail(&attempt.log));
                }
                (interrupted, exit) => {
                    panic!("interrupted: {interrupted}, exit {exit:?}:\n{}", tail(&attempt.log))
                }
            }
            if tally.attempts.is_multiple_of(10) {
                println!("{tally}");
            }
        }
        Self::check_that_the_job_is_done(&job, &record);
        self.check_job(&job, &record, &observer.everything_visible());
        tally.took += began.elapsed();
        println!("{tally}");
    }

    /// Asserts that an attempt has not rendered frames that were already stored, nor, if attempts
    /// end only by SIGTERM and so store all saved frames, frames that were already saved.
    fn check_attempt(
        &self,
        then: &Record,
        now: &Record,
        stored: &BTreeSet<String>,
        attempt: &Attempt,
    ) {
        let was_done = |frame: &i32| {
            let graceful =
                !self.signals.contains(&Signal::SIGKILL) && then.saved.contains_key(frame);
            graceful || stored.contains(&frames::name(*frame))
        };
        let again: Vec<_> = now
            .begun
            .iter()
            .filter(|(frame, count)| **count > then.begun.get(frame).copied().unwrap_or(0))
            .map(|(frame, _)| *frame)
            .filter(was_done)
            .collect();
        assert!(
            again.is_empty(),
            "needlessly rendered again: {again:?}; the logs are in {}; this attempt's:\n{}",
            logs(self.name).display(),
            tail(&attempt.log)
        );
    }

    /// Asserts that another attempt at a finished job succeeds without starting Blender.
    fn check_that_the_job_is_done(job: &Job, record: &Record) {
        for _ in 0..RETRIES {
            let attempt = job.start().finish(None);
            let launches = job.record(&attempt.log).launches;
            assert_eq!(launches, record.launches, "Blender started:\n{}", tail(&attempt.log));
            match attempt.exit {
                Some(0) => return,
                Some(75) => {}
                exit => panic!("a finished job exits with {exit:?}:\n{}", tail(&attempt.log)),
            }
        }
        panic!("no attempt at a finished job succeeded");
    }

    /// Asserts that exactly the expected frames are stored, and that nothing else was ever visible.
    fn check_job(&self, job: &Job, record: &Record, visible: &[(String, Vec<u8>)]) {
        for (name, bytes) in visible {
            let length = bytes.len();
            assert!(
                self.expected.matches(name, bytes),
                "{name} was visible with {length} wrong bytes"
            );
        }
        let stored = self.output.frames(&job.name);
        assert_eq!(stored.keys().cloned().collect::<Vec<_>>(), self.expected.names());
        for (name, bytes) in &stored {
            assert!(self.expected.matches(name, bytes), "{name} is wrong");
        }
        for frame in 1..=self.frames {
            assert!(record.saved.contains_key(&frame), "frame {frame} is stored and never saved");
        }
    }

    /// Keeps the log of an attempt for the case of a failure.
    fn keep(&self, attempt: &Attempt, job: usize, number: usize) {
        let folder = logs(self.name);
        fs::create_dir_all(&folder).expect("a folder for logs");
        let name = format!("job-{job}-attempt-{number:03}.log");
        fs::write(folder.join(name), &attempt.log).expect("a log");
    }
}

/// Adds an attempt to the tally. Before the attempt, `left` frames were missing.
fn count(tally: &mut Tally, then: &Record, now: &Record, attempt: &Attempt, left: usize) {
    tally.rendered += now.total_saved() - then.total_saved();
    tally.begun += now.total_begun() - then.total_begun();
    let twice = now.twice() - then.twice();
    tally.twice += twice;
    tally.worst = tally.worst.max(twice);
    if attempt.interrupted {
        tally.kills += 1;
        let phase = Phase::of(&attempt.log, left);
        *tally.phases.entry(phase).or_default() += 1;
    }
}

/// Returns the folder for the logs of a scenario.
pub fn logs(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("chaos").join(name)
}
