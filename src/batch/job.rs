//! A job as Batch describes it.

use std::collections::BTreeMap;

use aws_sdk_batch::types::{
    ArrayPropertiesDetail, AttemptContainerDetail, AttemptDetail, ContainerDetail, JobDetail,
    JobStatus,
};
use serde::Serialize;

use crate::request::JobId;

/// Where jobs log to whose definition does not say it ("Using the awslogs log driver" in the
/// AWS Batch user guide).
const DEFAULT_LOG_GROUP: &str = "/aws/batch/job";

/// How far a job is ("Job states" in the AWS Batch user guide), in the order in which it goes
/// through them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Batch looks at it.
    Submitted,
    /// It waits for other jobs, or it is an array whose children are at work.
    Pending,
    /// It waits for an instance.
    Runnable,
    /// Its container is being started.
    Starting,
    /// Its container runs.
    Running,
    /// It has ended with 0.
    Succeeded,
    /// It has not, and is not tried again.
    Failed,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Submitted,
        Self::Pending,
        Self::Runnable,
        Self::Starting,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Pending => "pending",
            Self::Runnable => "runnable",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// As Batch writes it: in capitals.
    fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name().eq_ignore_ascii_case(text))
    }
}

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: State,
    /// Why it is there, where Batch says so.
    pub reason: Option<String>,
    /// Its children, if it is an array.
    pub children: Option<Children>,
    /// Its place among them, if it is a child.
    pub index: Option<u32>,
    /// The jobs that it waits for.
    pub depends_on: Vec<JobId>,
    /// What it was given for its definition's parameters.
    pub parameters: BTreeMap<String, String>,
    /// What its container was given besides, by the definition and with the job.
    pub environment: BTreeMap<String, String>,
    /// The log group of its containers.
    pub log_group: String,
    /// Its attempts that have ended, the first one first.
    pub attempts: Vec<Attempt>,
}

/// The children of an array job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Children {
    /// How many there are.
    pub size: u32,
    /// How many are in each state, as far as there are any.
    pub states: BTreeMap<State, u32>,
}

impl Children {
    /// Whether all that have not ended wait for an instance.
    pub fn wait(&self) -> bool {
        let runs = self.count(State::Starting) + self.count(State::Running) > 0;
        self.count(State::Runnable) > 0 && !runs
    }

    /// How many are in a state.
    pub fn count(&self, state: State) -> u32 {
        self.states.get(&state).copied().unwrap_or_default()
    }
}

/// One run of a job's container that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// How the container ended; unknown where it went away with its instance, or never ran.
    pub exit_code: Option<u8>,
    /// What the engine says of that: `OutOfMemoryError: …`, `CannotPullContainerError: …`.
    pub reason: Option<String>,
    /// What Batch says of it: `Host EC2 (instance i-…) terminated.`.
    pub status_reason: Option<String>,
    /// Its stream in the log group.
    pub log_stream: Option<String>,
}

impl Job {
    /// # Errors
    /// That it has no id or is in a state that is not known. Batch has no such.
    pub(super) fn read(detail: JobDetail) -> Result<Self, String> {
        let id: Option<JobId> = detail.job_id.and_then(|id| id.parse().ok());
        let id = id.ok_or("a job has no id")?;
        let index = id.array_index();
        let state = detail.status.as_ref().map(JobStatus::as_str).unwrap_or_default();
        let state = State::read(state)
            .ok_or_else(|| format!("the job {id} is in the state {state:?}, which is not known"))?;
        let container = detail.container.unwrap_or_else(|| ContainerDetail::builder().build());
        let array = detail.array_properties;
        let log = container.log_configuration.and_then(|log| log.options).unwrap_or_default();
        let environment = container.environment.unwrap_or_default().into_iter();
        let dependencies = detail.depends_on.unwrap_or_default().into_iter();
        Ok(Self {
            id,
            name: detail.job_name.unwrap_or_default(),
            state,
            reason: detail.status_reason.filter(|reason| !reason.is_empty()),
            // A child has the array's size as well.
            children: array.filter(|_| index.is_none()).and_then(children),
            index,
            depends_on: dependencies.filter_map(|other| other.job_id?.parse().ok()).collect(),
            parameters: detail.parameters.unwrap_or_default().into_iter().collect(),
            environment: environment.filter_map(|pair| Some((pair.name?, pair.value?))).collect(),
            log_group: log
                .get("awslogs-group")
                .cloned()
                .unwrap_or_else(|| DEFAULT_LOG_GROUP.to_owned()),
            attempts: detail.attempts.unwrap_or_default().into_iter().map(attempt).collect(),
        })
    }
}

fn children(array: ArrayPropertiesDetail) -> Option<Children> {
    let summary = array.status_summary.unwrap_or_default().into_iter();
    let states =
        summary.filter_map(|(state, count)| Some((State::read(&state)?, number(Some(count))?)));
    Some(Children {
        size: number(array.size)?,
        states: states.filter(|&(_, count)| count > 0).collect(),
    })
}

fn attempt(detail: AttemptDetail) -> Attempt {
    let nothing = || AttemptContainerDetail::builder().build();
    let container = detail.container.unwrap_or_else(nothing);
    Attempt {
        exit_code: container.exit_code.and_then(|code| u8::try_from(code).ok()),
        reason: container.reason,
        status_reason: detail.status_reason,
        log_stream: container.log_stream_name,
    }
}

fn number(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_batch_writes_them() {
        assert_eq!(State::read("SUCCEEDED"), Some(State::Succeeded));
        assert_eq!(State::read("RUNNABLE"), Some(State::Runnable));
        assert_eq!(State::read("LOST"), None);
        assert!(State::ALL.is_sorted());
    }
}
