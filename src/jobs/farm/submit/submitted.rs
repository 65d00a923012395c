//! The jobs that were submitted, for the output.

use serde::{Serialize, Serializer};

use crate::batch::{Batch, BatchError, Submission};
use crate::error::Error;
use crate::jobs::farm::slices::Plan;
use crate::jobs::farm::status;
use crate::jobs::output::{Table, compact_json};
use crate::jobs::packed::SubmittedProject;
use crate::request::JobId;
use crate::worker::Worker;

/// The output of `submit --json`: the submitted jobs. With `--wait`, a second document follows: that
/// of `status --json`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::jobs) struct Output {
    /// The project that was stored first; absent without `--project`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) project: Option<SubmittedProject>,
    /// The job that renders.
    pub(super) render: SubmittedJob,
    /// The job that makes the video; null with `--no-stitch`, or if it could not be submitted.
    pub(super) stitch: Option<SubmittedJob>,
    /// The request for the stitch job, if it could not be submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) not_submitted: Option<Submission>,
    /// What the job that renders is expected to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<Plan>,
}

/// A submitted job.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SubmittedJob {
    /// The id on AWS Batch.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) job_id: JobId,
    /// The name.
    job_name: String,
    /// The number of children, 2 to 10,000; null if the job is not an array.
    array_size: Option<u32>,
}

fn as_text<S: Serializer>(id: &JobId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

impl SubmittedJob {
    /// Submits a job.
    pub(super) async fn submit(
        worker: &Worker,
        batch: &Batch,
        submission: &Submission,
    ) -> Result<Self, BatchError> {
        let job_id = batch.submit(submission, worker.shutdown.no_time_to_report()).await?;
        let array_size = submission.array_properties.map(|array| array.size);
        let job_name = submission.job_name.clone();
        tracing::info!("submitted {job_name}: {job_id}");
        Ok(Self { job_id, job_name, array_size })
    }
}

impl Output {
    /// The output for the job that renders alone.
    pub(super) fn of(project: Option<SubmittedProject>, render: SubmittedJob) -> Self {
        Self { project, render, stitch: None, not_submitted: None, plan: None }
    }

    /// Returns the id of the job that depends on the other, or of the only job.
    pub(super) fn last(&self) -> &JobId {
        &self.stitch.as_ref().unwrap_or(&self.render).job_id
    }

    /// The output for people.
    pub(super) fn table(&self) -> Result<String, Error> {
        let mut lines = Table::default();
        if let Some(project) = &self.project {
            project.rows(&mut lines);
        }
        let SubmittedJob { job_id, job_name, array_size } = &self.render;
        let children = array_size.map_or(String::new(), |size| format!(", {size} children"));
        lines.row("render", format_args!("{job_id} ({job_name}{children})"));
        if let Some(SubmittedJob { job_id, job_name, .. }) = &self.stitch {
            lines.row("stitch", format_args!("{job_id} ({job_name}, when all is rendered)"));
        }
        if let Some(plan) = &self.plan {
            plan.rows(&mut lines);
        }
        lines.row("follow", status::command(self.last()));
        if let Some(request) = &self.not_submitted {
            let command =
                ["aws", "batch", "submit-job", "--cli-input-json", &compact_json(request)?];
            lines.row("left to do", shell_words::join(command));
        }
        Ok(lines.text())
    }
}
