//! `bake`: bakes the simulations of a scene once, for all jobs that render it.
//!
//! Blender opens the scene file, which it cannot change, and saves a copy with the results of the
//! simulations in it. The worker stores the copy when Blender has ended. Only fluids are cached in
//! files of their own, in a folder beside the copy.

mod dirs;
mod follow;

use std::path::Path;
use std::time::Instant;

use crate::blender::{BakeAnswer, BakeLaunch, Cause, SceneFile, UnusableFile};
use crate::error::Error;
use crate::request::{BakeJob, BlenderVersion, Feature};
use crate::storage::START_LENGTH;
use crate::worker::file_check::{self, FileCheck};
use crate::worker::programs::BLENDER;
use crate::worker::report::{Action, BakeReport, Report};
use crate::worker::scratch::Scratch;
use crate::worker::{Worker, untrusted_file};
use dirs::Dirs;

/// Bakes the scene of `job`, and stores a report.
///
/// # Errors
/// The error that kept the baked scene from being stored. The report contains it, too.
pub async fn bake(worker: &Worker, job: &BakeJob, blender: &Path) -> Result<(), Error> {
    let (attempt, provenance) = (&worker.attempt, &worker.provenance);
    let folder = job.folder();
    let mut report = Report::begin(Action::Bake, attempt, provenance, &job.scene, &folder);
    let result = attempt_job(worker, job, blender, &mut report).await;
    worker.conclude(report, result.as_ref().copied()).await;
    result
}

async fn attempt_job(
    worker: &Worker,
    job: &BakeJob,
    blender: &Path,
    report: &mut Report,
) -> Result<(), Error> {
    let blender = worker.programs.find(blender, BLENDER)?;
    worker.sandbox.ensure_required().map_err(Error::Sandbox)?;
    let scratch = Scratch::create(worker)?;
    let opened = worker.unless_stopped(worker.storage.open_scene(&job.scene, START_LENGTH)).await?;
    let header = worker.scene_header(&opened, &job.scene, false).await?;
    worker.prepare_output(&job.folder(), report).await?;
    worker.warn_if_lost(&job.output);
    let dirs = Dirs::prepare(&scratch, job)?;
    let scene = worker.storage.localise(&opened, &dirs.scene);
    let scene = worker.unless_stopped(scene).await?;
    tracing::info!("baking the simulations of {} to {}", job.scene, job.output);
    let launch = BakeLaunch {
        blender: &blender,
        scene: &scene,
        script_dir: &dirs.script,
        output_dir: &dirs.output,
        home: &dirs.home,
        environment: &worker.confinement.environment,
        enable_autoexec: job.enable_autoexec,
    };
    let began = Instant::now();
    let answer =
        follow::run(worker, job, &launch, dirs.caches.as_deref(), &dirs.answer(), &header).await?;
    check(job, &header, &answer)?;
    report.unusable_files = unusable_files(worker, job, &answer).await?;
    file_check::log(&report.unusable_files, job.missing_files, "baking");
    if let Some(cause) = file_check::refusal(&report.unusable_files, job.missing_files) {
        return Err(not_baked(job, cause));
    }
    for warning in &answer.warnings {
        tracing::warn!("{warning}");
    }
    let baked = dirs.baked();
    let file = untrusted_file::open(&baked)
        .map_err(|source| Error::Scratch { path: baked.clone(), source })?;
    let bytes = tokio::select! {
        stored = worker.storage.upload(file, &job.output, None) => stored?,
        () = worker.shutdown.no_time_to_store() => return Err(follow::interrupted(worker, job)),
    };
    let seconds = began.elapsed().as_secs();
    match answer.baked.as_slice() {
        [] => tracing::info!(
            bytes,
            "stored {}: nothing was left to bake in {}",
            job.output,
            job.scene
        ),
        baked => {
            let names: Vec<_> = baked.iter().map(|it| it.name.as_str()).collect();
            tracing::info!(bytes, "stored {}: baked {}", job.output, names.join(", "));
        }
    }
    report.baked = Some(BakeReport {
        file: job.output.to_string(),
        bytes,
        blender: answer.blender,
        seconds,
        simulations: answer.baked,
    });
    Ok(())
}

/// Fails if Blender has baked nothing, because something cannot be baked.
fn check(job: &BakeJob, header: &SceneFile, answer: &BakeAnswer) -> Result<(), Error> {
    let running = answer.blender.clone();
    let cause = if answer.lacking.iter().any(|lack| lack.feature == Feature::NewerBlender) {
        Cause::NewerFile { saved_by: header.saved_by, running: BlenderVersion::parse(&running) }
    } else if !answer.lacking.is_empty() {
        Cause::Lacking { lacking: answer.lacking.clone(), running }
    } else if !answer.unbakeable.is_empty() {
        Cause::Unbakeable(answer.unbakeable.clone())
    } else {
        return Ok(());
    };
    Err(not_baked(job, cause))
}

/// The files that the scene needs and that cannot be used: those that Blender cannot open, and damaged
/// ones.
async fn unusable_files(
    worker: &Worker,
    job: &BakeJob,
    answer: &BakeAnswer,
) -> Result<Vec<UnusableFile>, Error> {
    let mut unusable = answer.unusable_files.clone();
    for file in &mut unusable {
        file_check::explain(file, &job.scene, None);
    }
    let mut check = FileCheck::start(answer.needed.clone());
    tokio::select! {
        damaged = check.done() => unusable.extend(damaged),
        () = worker.shutdown.no_time_to_store() => return Err(follow::interrupted(worker, job)),
    }
    Ok(unusable)
}

fn not_baked(job: &BakeJob, cause: Cause) -> Error {
    Error::NotBaked { cause, scene: job.scene.clone(), excerpt: Vec::new() }
}
