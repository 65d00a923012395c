//! The jobs on AWS Batch that the reports of an output name.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State as AxumState};
use axum::http::StatusCode;
use serde::Serialize;
use tokio::time::timeout;

use crate::batch::{Batch, BatchError};
use crate::error_chain::chain;
use crate::jobs::summary;
use crate::request::JobId;
use crate::serve::api::answer::{Answer, json};
use crate::serve::api::app::App;
use crate::watch::state::State;

/// The most jobs that are looked up: the latest ones.
const MAX_JOBS: usize = 20;

/// How long AWS may take. Without a network, its client tries for longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The jobs of an output.
#[derive(Default, Serialize)]
struct Jobs {
    /// One line for each job that AWS Batch still knows.
    jobs: Vec<Line>,
    /// Why they cannot be looked up; null if they can.
    why: Option<String>,
}

#[derive(Serialize)]
struct Line {
    id: String,
    text: String,
}

/// `GET /api/outputs/{id}/jobs`
pub async fn jobs(AxumState(app): AxumState<Arc<App>>, Path(id): Path<String>) -> Answer {
    let snapshot = app.output(&id)?.look().await;
    let ids = named(&snapshot.state);
    if ids.is_empty() {
        return Ok(json(StatusCode::OK, &Jobs::default()));
    }
    let jobs = match timeout(TIMEOUT, look_up(&ids)).await {
        Ok(Ok(jobs)) => Jobs { jobs, why: None },
        Ok(Err(error)) => Jobs { why: Some(chain(&error)), ..Jobs::default() },
        Err(_) => Jobs { why: Some("AWS does not answer".to_owned()), ..Jobs::default() },
    };
    Ok(json(StatusCode::OK, &jobs))
}

async fn look_up(ids: &[JobId]) -> Result<Vec<Line>, BatchError> {
    let jobs = Batch::connect().await?.describe(ids).await?;
    Ok(jobs.iter().map(|job| Line { id: job.id.to_string(), text: summary(job) }).collect())
}

/// The latest jobs that attempts name. Of the children of an array, the array.
fn named(state: &State) -> Vec<JobId> {
    let mut known = BTreeSet::new();
    let ids = state.attempts.iter().rev().filter_map(|work| work.attempt.job.as_deref());
    let arrays = ids.map(|id| id.split(':').next().unwrap_or(id));
    let new = arrays.filter(|id| known.insert((*id).to_owned()));
    new.filter_map(|id| id.parse().ok()).take(MAX_JOBS).collect()
}
