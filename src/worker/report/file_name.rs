//! The names of reports.

use std::time::SystemTime;

use super::action::Action;
use crate::request::Attempt;

/// Returns a file name that is unique to the attempt. On AWS Batch the id and the attempt of the job
/// are; a script of another scheduler may start the worker several times.
pub(super) fn file_name(
    action: Action,
    attempt: &Attempt,
    started: SystemTime,
    process: u32,
) -> String {
    if let Some(job) = attempt.job_id.as_ref().filter(|_| attempt.is_on_batch()) {
        return batch_file_name(action, job, attempt.number.unwrap_or(1));
    }
    let action = action.name();
    let stamp = timestamp(started).replace([':', '-', '.'], "");
    let index = attempt.array.map(|array| format!("index-{}-", array.index)).unwrap_or_default();
    format!("{action}-{index}{stamp}-{process}.json")
}

/// The subcommand whose report a file in `reports/` is, by its name; `None` for LUTs, crash files and
/// descriptions of scenes.
pub fn action_of(file_name: &str) -> Option<Action> {
    let (kind, _) = file_name.strip_suffix(".json")?.split_once('-')?;
    [Action::Render, Action::Stitch, Action::Bake].into_iter().find(|action| action.name() == kind)
}

/// Returns the file name of the report of an attempt of an AWS Batch job. Attempts count from 1.
pub fn batch_file_name(action: Action, job: &str, number: u32) -> String {
    // The id of an array's child is `parent:index`.
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let job: String = job.chars().map(plain).take(128).collect();
    format!("{}-{job}-attempt-{number}.json", action.name())
}

/// A time as reports have it: UTC, in milliseconds.
pub(super) fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::request::{ArrayPosition, Scheduler};

    #[test]
    fn file_names_are_unique_to_the_attempt() {
        let attempt = |job: Option<&str>, number, index: Option<u32>| Attempt {
            scheduler: Some(if job == Some("12_3") {
                Scheduler::Slurm
            } else {
                Scheduler::AwsBatch
            }),
            job_id: job.map(str::to_owned),
            number,
            array: index.map(|index| ArrayPosition { index, size: None }),
        };
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let name = |attempt| file_name(Action::Render, &attempt, at, 17);
        assert_eq!(
            name(attempt(Some("0a1b-2c:7"), Some(2), Some(7))),
            "render-0a1b-2c-7-attempt-2.json"
        );
        assert_eq!(
            name(attempt(None, None, Some(3))),
            "render-index-3-20231114T221320123Z-17.json"
        );
        assert_eq!(name(attempt(None, None, None)), "render-20231114T221320123Z-17.json");
        assert_eq!(
            name(attempt(Some("12_3"), Some(1), Some(3))),
            "render-index-3-20231114T221320123Z-17.json"
        );
        assert_eq!(name(attempt(Some("../../x"), None, None)), "render-------x-attempt-1.json");
        assert_eq!(action_of(&name(attempt(None, None, None))), Some(Action::Render));
        assert_eq!(action_of("scene-20231114T221320123Z-17.json"), None);
        assert_eq!(action_of("render-20231114T221320123Z-17.cube"), None);
    }
}
