//! The frames that an output does not have yet, and the settings of those that it has.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;
use crate::request::{
    AnimationFrames, FRAMES_DIR, FrameFile, FrameSet, Location, NamedFrames, REPORTS_DIR,
    RenderJob, SubmitJob, Unbaked,
};
use crate::worker::Worker;
use crate::worker::report::{Action, LARGEST_REPORT, SCHEMA, action_of};

/// How many reports are read before the settings count as unknown.
const MOST_REPORTS: usize = 8;

/// Those of `frames` that are not in the output. Only the names of files count: the children compare
/// what is there with the scene.
///
/// # Errors
/// [`Error::Storage`] if the output cannot be listed; [`Error::Interrupted`] if the worker is stopped.
pub async fn missing(
    worker: &Worker,
    output: &Location,
    frames: &AnimationFrames,
) -> Result<FrameSet, Error> {
    let folder = output.join(FRAMES_DIR);
    let listed = worker.unless_stopped(worker.storage.list(&folder)).await?;
    let files = listed.iter().filter(|entry| entry.size > 0);
    let there: FrameSet =
        files.filter_map(|entry| FrameFile::parse(&entry.name)).map(|file| file.number).collect();
    Ok(frames.set().without(&there))
}

/// Frames as a request names them.
pub fn named(frames: FrameSet) -> AnimationFrames {
    let text = frames.compact();
    AnimationFrames::Exactly(NamedFrames { frames, text })
}

/// The request, with the settings that the frames of the output were rendered with where it has none:
/// the pictures of a video belong together.
///
/// # Errors
/// [`Error::Storage`] if the output cannot be read; [`Error::Interrupted`] if the worker is stopped.
pub async fn as_before(worker: &Worker, job: &SubmitJob) -> Result<SubmitJob, Error> {
    let mut job = job.clone();
    let Some(Excerpt { settings, .. }) = newest_report(worker, &job.output).await? else {
        tracing::info!(
            "no report of {} tells what its frames were rendered with; the settings that are given \
             apply",
            job.output
        );
        return Ok(job);
    };
    if job.scene_name.is_none() {
        job.scene_name = settings.get(RenderJob::SCENE).and_then(|name| name.parse().ok());
    }
    let given = &mut job.render.variables;
    let is_unbaked = |name: &String| [Unbaked::SIMULATE, Unbaked::ALLOW].contains(&name.as_str());
    let says_unbaked = given.keys().any(is_unbaked);
    let mut taken = Vec::new();
    for (name, value) in settings {
        // They would contradict each other.
        if says_unbaked && is_unbaked(&name) {
            continue;
        }
        match given.get(&name) {
            None => {
                taken.push(format!("{name}={value}"));
                given.insert(name, value);
            }
            Some(other) if *other != value => tracing::warn!(
                "the frames of {} were rendered with {name}={value}, and the missing ones will be \
                 with {name}={other}, as is asked; to have them alike, leave {name} out, or render \
                 all frames",
                job.output
            ),
            Some(_) => {}
        }
    }
    if !taken.is_empty() {
        tracing::info!("with the settings of the frames that are there: {}", taken.join(" "));
    }
    Ok(job)
}

/// The part of a report that is looked at.
#[derive(Deserialize)]
struct Excerpt {
    schema: u32,
    action: Action,
    #[serde(default)]
    settings: BTreeMap<String, String>,
}

impl Excerpt {
    fn parse(report: &[u8]) -> Option<Self> {
        serde_json::from_slice(report).ok().filter(|it: &Self| {
            it.schema == SCHEMA && it.action == Action::Render && !it.settings.is_empty()
        })
    }
}

/// The newest report of `render` that tells its settings.
async fn newest_report(worker: &Worker, output: &Location) -> Result<Option<Excerpt>, Error> {
    let folder = output.join(REPORTS_DIR);
    let mut listed = worker.unless_stopped(worker.storage.list(&folder)).await?;
    listed.retain(|entry| action_of(&entry.name) == Some(Action::Render));
    listed.sort_by_key(|entry| std::cmp::Reverse(entry.modified));
    for entry in listed.iter().take(MOST_REPORTS) {
        let file = folder.join(&entry.name);
        let read = worker.storage.read_up_to(&file, LARGEST_REPORT);
        let content = worker.unless_stopped(read).await?;
        if let Some(excerpt) = content.as_deref().and_then(Excerpt::parse) {
            return Ok(Some(excerpt));
        }
    }
    Ok(None)
}
