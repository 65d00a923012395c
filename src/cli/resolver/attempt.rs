//! The run of the worker, from the variables that schedulers set.

use super::Resolver;
use crate::cli::names::ARRAY_INDEX;
use crate::cli::setting::{Environment, UsageError};
use crate::request::{ArrayPosition, Attempt, Scheduler};

/// The index and the size of a Slurm array, or why they are not known.
type SlurmPosition = Result<(u32, Option<u32>), &'static str>;

/// The position of this child, as one source tells it.
struct Told {
    /// The flag or the variable.
    source: String,
    index: u32,
    size: Option<u32>,
}

impl Resolver<'_> {
    /// The run of the worker. `index` is the flag for its array index.
    ///
    /// # Errors
    /// If a number is invalid, or if two sources disagree about the index.
    pub fn attempt(&self, index: Option<&str>) -> Result<Attempt, UsageError> {
        let given: Option<u32> = ARRAY_INDEX.value(index, self.environment)?;
        let mut told = Vec::new();
        for scheduler in Scheduler::ALL {
            told.extend(self.told_by(scheduler, given)?);
        }
        told.extend(given.map(|index| Told { source: ARRAY_INDEX.to_string(), index, size: None }));
        if let [first, others @ ..] = told.as_slice()
            && let Some(other) = others.iter().find(|other| other.index != first.index)
        {
            return Err(UsageError(format!(
                "{} says that this is child {} of an array job, and {} says {}; unset the one that \
                 is not meant",
                first.source, first.index, other.source, other.index
            )));
        }
        let size = told.iter().find_map(|told| told.size);
        let array = told.first().map(|told| {
            ArrayPosition::new(told.index, size)
                .map_err(|error| UsageError(format!("{}: {error}", told.source)))
        });
        let scheduler = scheduler(self.environment);
        let (job_id, number) = match scheduler {
            Some(Scheduler::AwsBatch) | None => {
                (self.text("AWS_BATCH_JOB_ID")?, self.number("AWS_BATCH_JOB_ATTEMPT")?)
            }
            // The variable is set only after a restart.
            Some(Scheduler::Slurm) => {
                (self.slurm_id()?, self.after("SLURM_RESTART_COUNT", Some(0))?)
            }
            Some(Scheduler::GoogleBatch) => (None, self.after("BATCH_TASK_RETRY_ATTEMPT", None)?),
            Some(Scheduler::Kubernetes) => (None, None),
        };
        Ok(Attempt { scheduler, job_id, number, array: array.transpose()? })
    }

    /// The flag or variable that says that this is the child of an array job.
    pub fn index_source(&self) -> String {
        let mut variables = Scheduler::ALL.into_iter().map(Scheduler::index_variable);
        let set = variables.find(|variable| self.environment.get(variable).is_some());
        set.map_or_else(|| ARRAY_INDEX.to_string(), str::to_owned)
    }

    /// The position that a scheduler tells; `None` if this is no child of an array job of it.
    fn told_by(
        &self,
        scheduler: Scheduler,
        given: Option<u32>,
    ) -> Result<Option<Told>, UsageError> {
        let source = scheduler.index_variable();
        let Some(id) = self.number(source)? else { return Ok(None) };
        let told = |index, size| Some(Told { source: source.to_owned(), index, size });
        Ok(match scheduler {
            Scheduler::AwsBatch => told(id, self.number("AWS_BATCH_JOB_ARRAY_SIZE")?),
            Scheduler::Kubernetes => told(id, None),
            // Every job consists of tasks: a single one is no array.
            Scheduler::GoogleBatch => match self.number("BATCH_TASK_COUNT")? {
                Some(1) => None,
                size => told(id, size),
            },
            // An index that is given as the id counts from 0, also in an array of some children.
            Scheduler::Slurm if given == Some(id) => told(id, None),
            Scheduler::Slurm => match (self.slurm_position(id)?, given) {
                (Ok((index, size)), _) => told(index, size),
                (Err(_), Some(_)) => None,
                (Err(why), None) => {
                    return Err(UsageError(format!(
                        "{source}: {why}, so it does not say which frames task {id} renders; \
                         submit the whole array again, which renders only what is missing, or say \
                         with {ARRAY_INDEX} which child this is, counted from 0"
                    )));
                }
            },
        })
    }

    /// The index and the size of a Slurm array, whose ids are `--array=MIN-MAX:STEP`. The lowest id is
    /// index 0. The inner error is why the ids are no such range: those of some children that are
    /// submitted again do not say which ones they are.
    fn slurm_position(&self, id: u32) -> Result<SlurmPosition, UsageError> {
        let lowest = self.number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
        let step = self.number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
        let size = self.number("SLURM_ARRAY_TASK_COUNT")?;
        let highest = self.number("SLURM_ARRAY_TASK_MAX")?;
        let Some(distance) = id.checked_sub(lowest) else {
            return Ok(Err("it is below SLURM_ARRAY_TASK_MIN"));
        };
        if distance % step != 0 {
            return Ok(Err("the array is no range with a step"));
        }
        if let (Some(size), Some(highest)) = (size, highest)
            && highest.checked_sub(lowest).map(|span| span / step + 1) != Some(size)
        {
            return Ok(Err("the array is a list with gaps"));
        }
        if size == Some(1) && lowest > 1 {
            return Ok(Err("the array is a single task"));
        }
        Ok(Ok((distance / step, size)))
    }

    /// The id of a Slurm job: `job_task` in an array, as `squeue` shows it.
    fn slurm_id(&self) -> Result<Option<String>, UsageError> {
        let array = self.text("SLURM_ARRAY_JOB_ID")?;
        match (array, self.text("SLURM_ARRAY_TASK_ID")?) {
            (Some(job), Some(task)) => Ok(Some(format!("{job}_{task}"))),
            _ => self.text("SLURM_JOB_ID"),
        }
    }

    /// The number of an attempt, from a variable that counts those before it.
    fn after(&self, variable: &str, otherwise: Option<u32>) -> Result<Option<u32>, UsageError> {
        let earlier = self.number(variable)?.or(otherwise);
        Ok(earlier.map(|earlier| earlier.saturating_add(1)))
    }

    fn text(&self, variable: &str) -> Result<Option<String>, UsageError> {
        Ok(self.environment.text(variable)?.map(str::to_owned))
    }
}

/// The scheduler that has started the worker.
fn scheduler(environment: &Environment) -> Option<Scheduler> {
    let variable = |scheduler: &Scheduler| match scheduler {
        Scheduler::AwsBatch => "AWS_BATCH_JOB_ID",
        Scheduler::Slurm => "SLURM_JOB_ID",
        Scheduler::Kubernetes | Scheduler::GoogleBatch => scheduler.index_variable(),
    };
    let mut all = Scheduler::ALL.into_iter();
    all.find(|scheduler| environment.get(variable(scheduler)).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The run that these variables describe: `NAME=VALUE NAME=VALUE`.
    fn attempt(variables: &str, index: Option<&str>) -> Result<Attempt, String> {
        let pairs = variables.split_whitespace().filter_map(|pair| pair.split_once('='));
        let environment = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Resolver { environment: &environment }.attempt(index).map_err(|error| error.to_string())
    }

    /// The variables of a task of a Slurm array.
    fn slurm(id: u32, lowest: u32, highest: u32, count: u32, step: u32) -> String {
        format!(
            "SLURM_JOB_ID=71 SLURM_ARRAY_JOB_ID=70 SLURM_ARRAY_TASK_ID={id} \
             SLURM_ARRAY_TASK_MIN={lowest} SLURM_ARRAY_TASK_MAX={highest} \
             SLURM_ARRAY_TASK_COUNT={count} SLURM_ARRAY_TASK_STEP={step}"
        )
    }

    #[test]
    fn every_scheduler_tells_the_index() {
        use Scheduler::{AwsBatch, GoogleBatch, Kubernetes, Slurm};

        let position = |index, size| Some(ArrayPosition { index, size });
        let batch = "AWS_BATCH_JOB_ID=0a:3 AWS_BATCH_JOB_ATTEMPT=2 AWS_BATCH_JOB_ARRAY_INDEX=3 \
                     AWS_BATCH_JOB_ARRAY_SIZE=4";
        let google = "BATCH_TASK_INDEX=3 BATCH_TASK_COUNT=4 BATCH_TASK_RETRY_ATTEMPT=1";
        let slurm = |id, lowest, highest, count, step| {
            slurm(id, lowest, highest, count, step) + " SLURM_RESTART_COUNT=1"
        };
        for (variables, index, scheduler, array, number) in [
            (String::new(), None, None, None, None),
            (String::new(), Some("3"), None, position(3, None), None),
            ("ARRAY_INDEX=3".to_owned(), None, None, position(3, None), None),
            ("AWS_BATCH_JOB_ARRAY_INDEX=3".to_owned(), None, None, position(3, None), None),
            (batch.to_owned(), None, Some(AwsBatch), position(3, Some(4)), Some(2)),
            (batch.to_owned(), Some("3"), Some(AwsBatch), position(3, Some(4)), Some(2)),
            ("JOB_COMPLETION_INDEX=3".to_owned(), None, Some(Kubernetes), position(3, None), None),
            (google.to_owned(), None, Some(GoogleBatch), position(3, Some(4)), Some(2)),
            // A job of one task is no array.
            (
                "BATCH_TASK_INDEX=0 BATCH_TASK_COUNT=1".to_owned(),
                None,
                Some(GoogleBatch),
                None,
                None,
            ),
            ("SLURM_JOB_ID=70".to_owned(), None, Some(Slurm), None, Some(1)),
            (slurm(3, 0, 11, 12, 1), None, Some(Slurm), position(3, Some(12)), Some(2)),
            (slurm(3, 1, 12, 12, 1), None, Some(Slurm), position(2, Some(12)), Some(2)),
            (slurm(1, 1, 1, 1, 1), None, Some(Slurm), position(0, Some(1)), Some(2)),
            (slurm(25, 5, 45, 5, 10), None, Some(Slurm), position(2, Some(5)), Some(2)),
            // Some children of an array are submitted again, with their ids as indices.
            (slurm(7, 3, 7, 2, 1), Some("7"), Some(Slurm), position(7, None), Some(2)),
            (slurm(7, 7, 7, 1, 1), Some("7"), Some(Slurm), position(7, None), Some(2)),
            (slurm(7, 3, 7, 2, 1), Some("1"), Some(Slurm), position(1, None), Some(2)),
            // Or the index is the one that Slurm says as well.
            (slurm(3, 1, 12, 12, 1), Some("2"), Some(Slurm), position(2, Some(12)), Some(2)),
            ("SLURM_ARRAY_TASK_ID=3 ".to_owned(), None, None, position(3, None), None),
        ] {
            let attempt = attempt(&variables, index).unwrap();
            let told = (attempt.scheduler, attempt.array, attempt.number);
            assert_eq!(told, (scheduler, array, number), "{variables}");
        }
    }

    #[test]
    fn two_that_disagree_are_named() {
        for (variables, index, names) in [
            ("JOB_COMPLETION_INDEX=3 SLURM_ARRAY_TASK_ID=2", None, ["JOB_COMP", "SLURM_ARRAY"]),
            ("AWS_BATCH_JOB_ARRAY_INDEX=3 BATCH_TASK_INDEX=2", None, ["AWS_BATCH_", "BATCH_TASK"]),
            ("JOB_COMPLETION_INDEX=3", Some("2"), ["JOB_COMPLETION_INDEX", "--array-index"]),
            ("JOB_COMPLETION_INDEX=3 ARRAY_INDEX=2", None, ["JOB_COMPLETION_INDEX", "ARRAY_INDEX"]),
            (&slurm(3, 1, 12, 12, 1), Some("4"), ["SLURM_ARRAY_TASK_ID", "--array-index"]),
        ] {
            let error = attempt(variables, index).unwrap_err();
            assert!(names.iter().all(|name| error.contains(name)), "{variables}: {error}");
        }
        assert!(attempt("JOB_COMPLETION_INDEX=3 ARRAY_INDEX=3", Some("3")).is_ok());
    }

    #[test]
    fn an_index_that_cannot_be_known_is_refused() {
        for variables in [
            slurm(7, 3, 7, 2, 1),
            slurm(7, 7, 7, 1, 1),
            slurm(2, 3, 7, 5, 1),
            slurm(4, 1, 7, 4, 2),
            "BATCH_TASK_INDEX=4 BATCH_TASK_COUNT=4".to_owned(),
            "JOB_COMPLETION_INDEX=-1".to_owned(),
            "ARRAY_INDEX=first".to_owned(),
            "ARRAY_INDEX=4294967296".to_owned(),
            "SLURM_RESTART_COUNT=twice SLURM_JOB_ID=1".to_owned(),
        ] {
            assert!(attempt(&variables, None).is_err(), "{variables}");
        }
    }

    #[test]
    fn the_id_of_a_task_is_that_of_squeue() {
        let id = |variables: &str| attempt(variables, None).unwrap().job_id;
        assert_eq!(id(&slurm(3, 0, 11, 12, 1)).as_deref(), Some("70_3"));
        assert_eq!(id("SLURM_JOB_ID=70").as_deref(), Some("70"));
    }
}
