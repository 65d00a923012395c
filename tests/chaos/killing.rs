//! When to kill, and what that must not do.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::Signal;

use crate::container::{Attempt, essence};
use crate::job::{Job, Renderer};
use crate::marks::Noted;
use crate::output::Output;
use crate::support::frames;
use crate::tally::{Phase, Tally};
use crate::truth::Truth;

/// More attempts than any job needs that is not killed any more: storage may be out of
/// reach for a while.
const PATIENCE: usize = 20;

/// A kind of job, and how it is treated.
pub struct Campaign<'a> {
    pub name: &'static str,
    pub output: &'a Output,
    pub truth: &'a Truth,
    pub renderer: Renderer,
    pub frames: i32,
    /// What kills it.
    pub signals: &'static [Signal],
    /// Says when.
    pub dice: Rng,
    /// How long an attempt takes, as far as it is known.
    pub pace: Pace,
}

/// How long an attempt takes that is left alone.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Beside the frames.
    pub start: Duration,
    /// For a frame.
    pub frame: Duration,
}

impl Pace {
    /// Measures an attempt of one frame, and one of more.
    pub fn measure(output: &Output, renderer: Renderer) -> Self {
        const MORE: i32 = 10;
        let time = |name: &str, frames| {
            let job = Job::new(output, format!("pace-{name}"), frames, renderer);
            let attempt = job.start().finish(None);
            assert_eq!(attempt.exit, Some(0), "{}", essence(&attempt.log));
            attempt.took
        };
        let (one, more) = (time("one", 1), time("more", 1 + MORE));
        let frame = more.saturating_sub(one) / MORE.unsigned_abs();
        Self { start: one, frame }
    }

    /// Until when to kill an attempt at the latest, so that `kills` of them are spread over
    /// the `left` frames.
    fn window(self, left: usize, kills: usize) -> Duration {
        let frames = left.min(2 * left.div_ceil(kills.max(1)));
        self.start + self.frame * u32::try_from(frames).expect("not that many")
    }
}

impl Campaign<'_> {
    /// Starts a job again and again until it is done, and kills it until `tally` has
    /// `kills`.
    pub fn play(&mut self, number: usize, kills: usize, tally: &mut Tally) {
        let job =
            Job::new(self.output, format!("{}-{number}", self.name), self.frames, self.renderer);
        let observer = self.output.observe(&job.name);
        let began = Instant::now();
        tally.jobs += 1;
        tally.frames += frames::count(self.frames);
        let mut noted = Noted::default();
        let mut patience = PATIENCE;
        loop {
            let stored = self.output.stored(&job.name);
            let left = frames::count(self.frames) - stored;
            let kills_left = kills.saturating_sub(tally.kills);
            let strike = (kills_left > 0).then(|| {
                let signal = self.signals[tally.kills % self.signals.len()];
                (signal, self.pace.window(left, kills_left).mul_f64(self.dice.f64()))
            });
            let before = self.output.frames(&job.name).into_keys().collect::<BTreeSet<_>>();
            let attempt = job.start().finish(strike);
            tally.attempts += 1;
            self.keep(&attempt, number, tally.attempts);
            let now = job.noted(&attempt.log);
            self.check_attempt(&noted, &now, &before, &attempt);
            count(tally, &noted, &now, &attempt, left);
            noted = now;
            match (attempt.struck, attempt.exit) {
                (_, Some(0)) => break,
                (true, None | Some(75 | 130 | 143)) => {}
                (false, Some(75)) => {
                    tally.out_of_reach += 1;
                    patience -= 1;
                    assert!(patience > 0, "never done:\n{}", essence(&attempt.log));
                }
                (struck, exit) => {
                    panic!("struck: {struck}, exit {exit:?}:\n{}", essence(&attempt.log))
                }
            }
            if tally.attempts.is_multiple_of(10) {
                println!("{tally}");
            }
        }
        Self::check_that_nothing_is_left(&job, &noted);
        self.check_job(&job, &noted, &observer.all_that_was_visible());
        tally.took += began.elapsed();
        println!("{tally}");
    }

    /// What an attempt must not do: render what was stored when it began, or, as everything
    /// that is saved is stored before it stops by itself, what was saved.
    fn check_attempt(
        &self,
        then: &Noted,
        now: &Noted,
        stored: &BTreeSet<String>,
        attempt: &Attempt,
    ) {
        let spared = |frame: &i32| {
            let graceful =
                !self.signals.contains(&Signal::SIGKILL) && then.saved.contains_key(frame);
            graceful || stored.contains(&frames::name(*frame))
        };
        let again: Vec<_> = now
            .begun
            .iter()
            .filter(|(frame, count)| **count > then.begun.get(frame).copied().unwrap_or(0))
            .map(|(frame, _)| *frame)
            .filter(spared)
            .collect();
        assert!(
            again.is_empty(),
            "rendered again without need: {again:?}; the logs are in {}; this attempt's:\n{}",
            logs(self.name).display(),
            essence(&attempt.log)
        );
    }

    /// Started once more, a job that is done must not even start Blender.
    fn check_that_nothing_is_left(job: &Job, noted: &Noted) {
        for _ in 0..PATIENCE {
            let attempt = job.start().finish(None);
            let launches = job.noted(&attempt.log).launches;
            assert_eq!(launches, noted.launches, "done, and yet:\n{}", essence(&attempt.log));
            match attempt.exit {
                Some(0) => return,
                Some(75) => {}
                exit => panic!("done, and yet exit {exit:?}:\n{}", essence(&attempt.log)),
            }
        }
        panic!("never found to be done");
    }

    /// What must be true in the end.
    fn check_job(&self, job: &Job, noted: &Noted, visible: &[(String, Vec<u8>)]) {
        for (name, bytes) in visible {
            let length = bytes.len();
            assert!(self.truth.holds(name, bytes), "{name} was there with wrong {length} bytes");
        }
        let there = self.output.frames(&job.name);
        assert_eq!(there.keys().cloned().collect::<Vec<_>>(), self.truth.names());
        for (name, bytes) in &there {
            assert!(self.truth.holds(name, bytes), "{name} is wrong");
        }
        for frame in 1..=self.frames {
            assert!(noted.saved.contains_key(&frame), "frame {frame} comes from nowhere");
        }
    }

    /// Keeps a log where it can be found when something is wrong.
    fn keep(&self, attempt: &Attempt, job: usize, number: usize) {
        let folder = logs(self.name);
        fs::create_dir_all(&folder).expect("a folder for logs");
        let name = format!("job-{job}-attempt-{number:03}.log");
        fs::write(folder.join(name), &attempt.log).expect("a log");
    }
}

/// Adds what happened in an attempt, before which so many frames were left.
fn count(tally: &mut Tally, then: &Noted, now: &Noted, attempt: &Attempt, left: usize) {
    tally.rendered += now.total_saved() - then.total_saved();
    tally.begun += now.total_begun() - then.total_begun();
    let twice = now.twice() - then.twice();
    tally.twice += twice;
    tally.worst = tally.worst.max(twice);
    if attempt.struck {
        tally.kills += 1;
        let phase = Phase::of(&attempt.log, left);
        *tally.phases.entry(phase).or_default() += 1;
    }
}

/// Where the logs of a scenario's attempts are kept.
pub fn logs(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("chaos").join(name)
}
