//! A job or a child of an array job: attempts until one succeeds or the retry rules end it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::definition::{Action, End, JobDefinition, Resource};
use crate::engine::{Container, Ending};

/// The seconds from SIGTERM to SIGKILL when Batch ends an attempt.
const GRACE: u64 = 30;

/// The memory in MiB for [`Mishap::OutOfMemory`]. Blender needs 120 with the scene, and 200 for the
/// pages of its program. Without room for these it is not killed at once, but reads them again and
/// again, from a busy disk for minutes.
const ENOUGH: u64 = 512;

/// The memory in MiB that is left then: less than Blender needs, more than all other processes.
const LITTLE: u64 = 64;

/// A mishap of the first attempt, from which the job must recover.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mishap {
    /// EC2 reclaims the Spot instance this long after the start, and its containers are stopped.
    Reclaimed { after: Duration },
    /// The instance is lost this long after the start, with everything on it.
    Lost { after: Duration },
    /// Blender crashes.
    Crash,
    /// The container runs out of memory, and Blender is killed.
    OutOfMemory,
}

/// A submitted job.
pub struct Job<'a> {
    pub id: String,
    pub definition: &'a JobDefinition,
    pub parameters: BTreeMap<String, String>,
    /// Index and size for the child of an array.
    pub array: Option<(u32, u32)>,
    /// Additional environment variables.
    pub environment: Vec<(String, String)>,
    pub mishap: Option<Mishap>,
}

/// The result of an attempt.
pub struct Attempt {
    pub number: u32,
    pub mishap: Option<Mishap>,
    pub end: End,
    pub next: Option<Action>,
    pub took: Duration,
    pub log: String,
}

impl Job<'_> {
    /// Runs the job to its end. Returns whether it succeeded, and its attempts.
    pub fn run(&self) -> (bool, Vec<Attempt>) {
        let mut attempts = Vec::new();
        for number in 1.. {
            let mishap = self.mishap.filter(|_| number == 1);
            let started = Instant::now();
            let (end, log, timed_out) = self.attempt(number, mishap);
            let succeeded = end.exit_code == Some(0);
            // Batch never retries an attempt that timed out.
            let next = (!succeeded).then(|| {
                let strategy = &self.definition.retry_strategy;
                if timed_out { Action::Exit } else { strategy.decide(number, &end) }
            });
            attempts.push(Attempt { number, mishap, end, next, took: started.elapsed(), log });
            match next {
                None => return (true, attempts),
                Some(Action::Exit) => break,
                Some(Action::Retry) => {}
            }
        }
        (false, attempts)
    }

    /// Runs one attempt. Returns how it ended, its log, and whether it took too long.
    pub fn attempt(&self, number: u32, mishap: Option<Mishap>) -> (End, String, bool) {
        let definition = self.definition;
        let memory = definition.resource(Resource::Memory).expect("memory");
        let name = format!("{}-{number}", self.id.replace(':', "-"));
        let tight = mishap == Some(Mishap::OutOfMemory);
        let container = Container::start(
            name,
            definition,
            &definition.command(&self.parameters),
            &self.environment(number),
            if tight { ENOUGH } else { memory },
        );
        let (running, ended) = mpsc::channel::<Infallible>();
        let (ending, lost, timed_out) = std::thread::scope(|scope| {
            let watch = definition.timeout.map(|timeout| {
                let limit = Duration::from_secs(timeout.attempt_duration_seconds);
                let container = &container;
                scope.spawn(move || {
                    let timed_out = ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
                    if timed_out {
                        container.stop(GRACE);
                    }
                    timed_out
                })
            });
            let lost = mishap.and_then(|mishap| cause(&container, mishap));
            let ending = container.wait();
            drop(running);
            let timed_out = watch.is_some_and(|watch| watch.join().expect("no panic"));
            (ending, lost, timed_out)
        });
        let log = container.log();
        let Ending { exit_code, out_of_memory } = ending;
        let mut end = End {
            exit_code: Some(exit_code),
            reason: String::new(),
            status_reason: "Essential container in task exited".to_owned(),
        };
        if let Some(status_reason) = lost {
            end = End { exit_code: None, status_reason, ..end };
        } else if timed_out {
            "Job attempt duration exceeded timeout".clone_into(&mut end.status_reason);
        } else if out_of_memory && exit_code != 0 {
            "OutOfMemoryError: Container killed due to memory usage".clone_into(&mut end.reason);
        }
        (end, log, timed_out)
    }

    /// Returns the variables of Batch ("Job environment variables" in the AWS Batch user guide), and
    /// those of the job.
    fn environment(&self, number: u32) -> Vec<(String, String)> {
        let mut variables = vec![
            ("AWS_BATCH_JOB_ID", self.id.clone()),
            ("AWS_BATCH_JOB_ATTEMPT", number.to_string()),
            ("AWS_BATCH_JQ_NAME", "simulated".to_owned()),
            ("AWS_BATCH_CE_NAME", "simulated-spot".to_owned()),
        ];
        if let Some((index, size)) = self.array {
            variables.push(("AWS_BATCH_JOB_ARRAY_INDEX", index.to_string()));
            variables.push(("AWS_BATCH_JOB_ARRAY_SIZE", size.to_string()));
        }
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value));
        variables.chain(self.environment.iter().cloned()).collect()
    }
}

/// Makes a mishap happen. Returns the status reason if the host, and so the exit code, is lost.
fn cause(container: &Container, mishap: Mishap) -> Option<String> {
    let lost = || Some("Host EC2 (instance i-0123456789abcdef0) terminated.".to_owned());
    match mishap {
        Mishap::Reclaimed { after } => {
            std::thread::sleep(after);
            if container.is_running() {
                container.stop(GRACE);
            }
            // The agent still reports the exit code.
            None
        }
        Mishap::Lost { after } => {
            std::thread::sleep(after);
            if !container.is_running() {
                return None;
            }
            container.kill();
            lost()
        }
        Mishap::Crash => {
            assert!(container.wait_for_log("Read blend"), "Blender did not start");
            assert!(container.signal_blender("SEGV"), "no Blender runs: {}", container.log());
            None
        }
        Mishap::OutOfMemory => {
            assert!(container.wait_for_log("Read blend"), "Blender did not start");
            container.take_memory(ENOUGH - LITTLE);
            let killed = container.wait_for_log("Blender was killed, out of memory");
            assert!(killed, "Blender was not killed: {}", container.log());
            None
        }
    }
}
