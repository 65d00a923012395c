//! Deals the frames of a submission among the children: as many as asked for, or as many as fit in a time.

mod pace;
mod plan;

use std::time::{Instant, SystemTime};

use super::status;
use crate::batch::{Batch, Submission};
use crate::error::Error;
use crate::request::{FrameSet, JobId, PerChild, SubmitJob, SubmitMode, TestFrames};
use crate::watch::Watched;
use crate::worker::Worker;
use pace::Pace;
use plan::fitting;
pub use plan::{Deal, Plan};

/// Deals `frames`. If `-f auto` asks for it, a job of `test` frames is submitted and followed first.
///
/// # Errors
/// - [`Error::ArrayTooLarge`] if there would be too many children.
/// - [`Error::PaceUnknown`] if no report tells how long frames take.
/// - [`Error::Storage`] if the reports cannot be read.
/// - Those of submitting and following the test frames.
pub async fn deal(
    worker: &Worker,
    job: &SubmitJob,
    frames: &FrameSet,
    test: impl FnOnce(FrameSet) -> Submission,
) -> Result<(Deal, Option<Plan>), Error> {
    let slices = &job.slices;
    let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
    let (per_child, pace) = match (slices.per_child, slices.price) {
        (PerChild::Frames(per_child), None) => (per_child, None),
        (PerChild::Frames(per_child), Some(_)) => (per_child, pace(worker, job, None).await?),
        (PerChild::Fitting, _) => {
            let tested = match slices.test_frames.filter(|_| job.mode != SubmitMode::DryRun) {
                Some(wanted) => {
                    let frames = spread(frames, wanted);
                    Some(render(worker, job, frames.len(), test(frames)).await?)
                }
                None => None,
            };
            let pace = pace(worker, job, tested.as_ref()).await?;
            let unknown = || Error::PaceUnknown { output: job.output.clone() };
            let pace = pace.ok_or_else(unknown)?;
            (fitting(&pace, frames, slices), Some(pace))
        }
    };
    let deal = Deal::of(slices, count, per_child)?;
    Ok((deal, pace.map(|pace| Plan::of(&pace, frames, deal, slices))))
}

/// How long frames take, as the reports of the output tell: those of the `tested` job, unless its frames
/// were there before.
async fn pace(
    worker: &Worker,
    job: &SubmitJob,
    tested: Option<&JobId>,
) -> Result<Option<Pace>, Error> {
    let mut watched = Watched::new(job.output.clone());
    let look = Box::pin(watched.look(&worker.storage, SystemTime::now()));
    let state = worker.unless_stopped(look).await?;
    let attempts = || state.attempts.iter().map(|work| work.attempt.as_ref());
    let tested = tested.map(ToString::to_string);
    let of_test = attempts().filter(|attempt| tested.is_some() && attempt.job == tested);
    Ok(Pace::of(of_test).or_else(|| Pace::of(attempts())))
}

/// Renders so many test frames, and waits for them.
async fn render(
    worker: &Worker,
    job: &SubmitJob,
    count: usize,
    test: Submission,
) -> Result<JobId, Error> {
    let batch = worker.unless_stopped(Batch::connect()).await?;
    let id = batch.submit(&test, worker.shutdown.no_time_to_report()).await?;
    tracing::warn!(
        "submitted {} for {count} test frames: {id}; the other jobs are submitted when they are \
         rendered",
        test.job_name
    );
    let contact = Some(Instant::now());
    let following = status::follow(worker, &batch, &id, job.slices.interval, contact);
    let overview = Box::pin(following).await?;
    overview.outcome()?;
    Ok(id)
}

/// So many frames, spread evenly, with the first and the last one.
fn spread(frames: &FrameSet, wanted: TestFrames) -> FrameSet {
    let (last, gaps) = (frames.len().saturating_sub(1), wanted.get() - 1);
    let places = (0..=gaps).map(|place| place * last / gaps);
    places.filter_map(|place| frames.iter().nth(place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_frames_are_spread_over_the_animation() {
        for (frames, wanted, expected) in [
            ("1-240", "3", "1,120,240"),
            ("1-240", "2", "1,240"),
            ("5", "3", "5"),
            ("1-2", "3", "1-2"),
            ("1-9x2,100", "3", "1,5,100"),
        ] {
            let spread = spread(&frames.parse().unwrap(), wanted.parse().unwrap());
            assert_eq!(spread.to_string(), expected, "{frames} {wanted}");
        }
    }
}
