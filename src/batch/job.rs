//! A job as Batch describes it.

use std::collections::BTreeMap;

use aws_sdk_batch::types::{
    ArrayPropertiesDetail, AttemptContainerDetail, AttemptDetail, ContainerDetail, JobDetail,
    JobStatus,
};
use serde::Serialize;

use super::submission::Resource;
use crate::request::JobId;

/// The log group of jobs whose definition names none ("Using the awslogs log driver" in the AWS
/// Batch user guide).
const DEFAULT_LOG_GROUP: &str = "/aws/batch/job";

/// The state of a job ("Job states" in the AWS Batch user guide), in the order of its life cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Batch has not evaluated it yet.
    Submitted,
    /// It waits for other jobs, or it is an array whose children have started.
    Pending,
    /// It waits for an instance.
    Runnable,
    /// Its container is being started.
    Starting,
    /// Its container runs.
    Running,
    /// It exited with code 0.
    Succeeded,
    /// It failed, and is not retried any more.
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

    /// Returns the name in lower case.
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

    /// Whether the job has ended.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// Parses the name that Batch uses, which is in upper case.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name().eq_ignore_ascii_case(text))
    }
}

/// A job of AWS Batch.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id.
    pub id: JobId,
    /// The name.
    pub name: String,
    /// The state.
    pub state: State,
    /// The reason for the state, if Batch gives one.
    pub reason: Option<String>,
    /// The children, if the job is an array.
    pub children: Option<Children>,
    /// The array index, if the job is a child.
    pub index: Option<u32>,
    /// The jobs that it waits for.
    pub depends_on: Vec<JobId>,
    /// The values of the job definition's parameters.
    pub parameters: BTreeMap<String, String>,
    /// The environment variables that the job definition and the submission set.
    pub environment: BTreeMap<String, String>,
    /// The ARN of the job queue.
    pub queue: String,
    /// The ARN of the job definition.
    pub definition: String,
    /// The share identifier, for a queue with a scheduling policy.
    pub share_identifier: Option<String>,
    /// The processors and the memory of its container.
    pub resources: Vec<Resource>,
    /// The tags that its owner has given it.
    pub tags: BTreeMap<String, String>,
    /// The log group of the containers.
    pub log_group: String,
    /// The log stream of the last container, once it has started.
    pub log_stream: Option<String>,
    /// The attempts that have ended, oldest first.
    pub attempts: Vec<Attempt>,
}

/// The children of an array job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Children {
    /// The number of children.
    pub size: u32,
    /// The number of children in each state; states without children are absent.
    pub states: BTreeMap<State, u32>,
}

impl Children {
    /// Whether children wait for an instance and none is running.
    pub fn are_stuck(&self) -> bool {
        let running = self.count(State::Starting) + self.count(State::Running);
        self.count(State::Runnable) > 0 && running == 0
    }

    /// Returns the number of children in a state.
    pub fn count(&self, state: State) -> u32 {
        self.states.get(&state).copied().unwrap_or_default()
    }
}

/// An attempt of a job that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The exit code; `None` if the container never ran, or its instance was terminated.
    pub exit_code: Option<u8>,
    /// The container engine's reason: `OutOfMemoryError: …`, `CannotPullContainerError: …`.
    pub reason: Option<String>,
    /// Batch's reason: `Host EC2 (instance i-…) terminated.`.
    pub status_reason: Option<String>,
    /// The log stream in the job's log group.
    pub log_stream: Option<String>,
}

impl Job {
    /// Converts the SDK's description of a job.
    ///
    /// # Errors
    /// A message if the job has no id, or its state is unknown.
    pub(super) fn read(detail: JobDetail) -> Result<Self, String> {
        let id: Option<JobId> = detail.job_id.and_then(|id| id.parse().ok());
        let id = id.ok_or("a job has no id")?;
        let index = id.array_index();
        let state = detail.status.as_ref().map(JobStatus::as_str).unwrap_or_default();
        let state = State::parse(state)
            .ok_or_else(|| format!("the job {id} is in the unknown state {state:?}"))?;
        let container = detail.container.unwrap_or_else(|| ContainerDetail::builder().build());
        let array = detail.array_properties;
        let log = container.log_configuration.and_then(|log| log.options).unwrap_or_default();
        let environment = container.environment.unwrap_or_default().into_iter();
        let resources = container.resource_requirements.unwrap_or_default();
        let tags = detail.tags.unwrap_or_default().into_iter();
        let dependencies = detail.depends_on.unwrap_or_default().into_iter();
        Ok(Self {
            id,
            name: detail.job_name.unwrap_or_default(),
            state,
            reason: detail.status_reason.filter(|reason| !reason.is_empty()),
            // Batch gives the array's size for its children, too.
            children: array.filter(|_| index.is_none()).and_then(children),
            index,
            depends_on: dependencies.filter_map(|other| other.job_id?.parse().ok()).collect(),
            parameters: detail.parameters.unwrap_or_default().into_iter().collect(),
            environment: environment.filter_map(|pair| Some((pair.name?, pair.value?))).collect(),
            queue: detail.job_queue.unwrap_or_default(),
            definition: detail.job_definition.unwrap_or_default(),
            share_identifier: detail.share_identifier,
            resources: resources.iter().filter_map(Resource::read).collect(),
            // AWS keeps this prefix for itself.
            tags: tags.filter(|(key, _)| !key.starts_with("aws:")).collect(),
            log_stream: container.log_stream_name,
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
        summary.filter_map(|(state, count)| Some((State::parse(&state)?, number(Some(count))?)));
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
    fn states_are_parsed_in_upper_case() {
        assert_eq!(State::parse("SUCCEEDED"), Some(State::Succeeded));
        assert_eq!(State::parse("RUNNABLE"), Some(State::Runnable));
        assert_eq!(State::parse("LOST"), None);
        assert!(State::ALL.is_sorted());
    }
}
