//! `pack`: stores a scene with every file that its pictures need, as a project.
//!
//! Blender lists the files, in the sandbox. Each is stored by its content, unless it is there, and the
//! manifest after all of them.

mod hash_cache;
mod inventory;
mod storing;
mod submitting;

use std::path::Path;

use bytes::Bytes;

use crate::blender::{Cause, SceneDescription, SceneFile, SceneProject};
use crate::error::Error;
use crate::jobs::{Packed, Print};
use crate::project::{
    IGNORE_FILE, Ignored, Manifest, ManifestError, ProjectError, ProjectStore, read_manifest,
};
use crate::render;
use crate::request::{FrameRange, Location, MissingFiles, PackJob, UserCode};
use crate::storage::{Failure, START_LENGTH};
use crate::worker::Worker;
use crate::worker::file_check::{self, FileCheck};
use crate::worker::programs::BLENDER;
use hash_cache::HashCache;
use inventory::{Folder, Inventory};
use storing::{Sent, Storing};
pub use submitting::submit;

/// Packs the scene of `job`, and prints what is stored.
///
/// # Errors
/// If the scene or one of its files cannot be read, changes meanwhile or is missing, or cannot be
/// stored. Then there is no manifest, and what is stored is not sent again the next time.
pub async fn pack(
    worker: &Worker,
    job: &PackJob,
    blender: &Path,
    print: impl Print,
) -> Result<(), Error> {
    let prepared = prepare(worker, job, blender, None).await?;
    print(&store(worker, job, prepared).await?.text(job.json)?)
}

/// A scene that is ready to be packed.
struct Prepared {
    /// The beginning of the scene file.
    header: SceneFile,
    /// What Blender says of it; `None` if there is no Blender.
    description: Option<SceneDescription>,
    /// The files that are packed.
    inventory: Inventory,
}

/// Finds the files of the project of `job`, and checks them. The description also has the simulations
/// that cut off a job of these `frames`.
async fn prepare(
    worker: &Worker,
    job: &PackJob,
    blender: &Path,
    frames: Option<FrameRange>,
) -> Result<Prepared, Error> {
    let folder = Folder::of(job, &worker.confinement.readable)?;
    let patterns = ignored(job, &folder)?;
    // A scene that is none is refused before a Blender is looked for.
    let opened = worker.storage.open_scene(&job.described.scene, START_LENGTH);
    let opened = worker.unless_stopped(opened).await?;
    let header = worker.scene_header(&opened, &job.described.scene, false).await?;
    match worker.programs.find(blender, BLENDER) {
        Err(error) if job.needs_blender => return Err(error),
        Err(_) => {
            tracing::warn!(
                "there is no Blender to list the files that the scene needs (--blender, BLENDER): \
                 packing every file of {} that is not hidden; what lies elsewhere is missing",
                folder.path().display()
            );
            let inventory = Inventory::of_everything(&folder, patterns)?;
            return Ok(Prepared { header, description: None, inventory });
        }
        Ok(_) => {}
    }
    let path = folder.path().to_owned();
    let project =
        SceneProject { folder: path, origins: [].into(), colours: None, is_fetched: false };
    let mut rendering = (*job.described).clone();
    rendering.scene = Location::Local(folder.scene().to_owned());
    if let Some(path) = elsewhere(&rendering.user_code) {
        tracing::warn!(
            "{} is not on this machine, so the scene is checked without the scripts and add-ons of \
             its jobs",
            path.display()
        );
        rendering.user_code = UserCode::default();
    }
    let describing =
        render::describe_in(worker, &rendering, &header, blender, Some(project), frames);
    let description = describing.await?;
    check_files(worker, job, &folder, &description).await?;
    let environment = &worker.confinement.environment;
    let inventory = Inventory::of_scene(&folder, patterns, &description, environment)?;
    Ok(Prepared { header, description: Some(description), inventory })
}

/// A script, or add-ons, that only the containers of the jobs can read.
fn elsewhere(code: &UserCode) -> Option<&Path> {
    code.locations().find_map(|location| match location {
        Location::Local(path) if !path.exists() => Some(path.as_path()),
        Location::Local(_) | Location::S3 { .. } => None,
    })
}

/// Stores what is not there, and the manifest. Nothing, if the job is a dry run.
async fn store(worker: &Worker, job: &PackJob, prepared: Prepared) -> Result<Packed, Error> {
    let Prepared { header, inventory, .. } = prepared;
    inventory.log_left_out();
    let (store, manifest_at) = (ProjectStore::at(job.output.clone()), job.manifest());
    let hashes = HashCache::open(job.hashes.as_deref());
    let storing = Storing { worker, store: &store, hashes: &hashes, dry_run: job.dry_run };
    if !job.dry_run {
        worker.unless_stopped(worker.storage.prepare(&job.output)).await?;
    }
    let name = check_name(worker, &manifest_at, &inventory);
    let ((), looked) = tokio::try_join!(name, storing.look(&inventory))?;
    let (files, sent) = storing.store(&inventory, looked).await?;
    let refuse = |source| ProjectError::Manifest { location: manifest_at.clone(), source };
    let manifest = Manifest::new(inventory.main.clone(), files).map_err(refuse)?;
    let manifest = manifest.with_colours(inventory.colours.clone()).map_err(refuse)?;
    if !job.dry_run {
        let json = manifest.to_json().map_err(|error| refuse(ManifestError::Json(error)))?;
        let written = worker.storage.write(&manifest_at, Bytes::from(json));
        worker.unless_stopped(written).await?;
    }
    Ok(packed(&manifest, job, &sent, &inventory, &header))
}

/// What is said of a project that was packed.
fn packed(
    manifest: &Manifest,
    job: &PackJob,
    sent: &Sent,
    inventory: &Inventory,
    header: &SceneFile,
) -> Packed {
    let contents = manifest.contents();
    let bytes = contents.iter().map(|(_, size)| size).sum();
    Packed {
        manifest: job.manifest().to_string(),
        main: manifest.main().to_string(),
        blender_version: header.saved_by.map(|version| version.to_string()),
        files: manifest.files().len(),
        bytes,
        new_files: sent.files,
        new_bytes: sent.bytes,
        known_files: contents.len().saturating_sub(sent.files),
        known_bytes: bytes.saturating_sub(sent.bytes),
        outside: manifest.files().values().filter(|file| file.origin.is_some()).count(),
        left_out: inventory.left_out.len(),
        dry_run: job.dry_run,
    }
}

/// The patterns of files that are left out.
fn ignored(job: &PackJob, folder: &Folder) -> Result<Ignored, Error> {
    let mut ignored = Ignored::default();
    let path = folder.path().join(IGNORE_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => ignored.add_lines(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(Error::PackedFile { path, source }),
    }
    job.exclude.iter().for_each(|pattern| ignored.add(pattern));
    Ok(ignored)
}

/// Fails if a file that the pictures need cannot be used, unless the job accepts that.
async fn check_files(
    worker: &Worker,
    job: &PackJob,
    folder: &Folder,
    description: &SceneDescription,
) -> Result<(), Error> {
    let mut unusable = description.scene.unusable_files.clone();
    for file in &mut unusable {
        file_check::explain(file, &job.described.scene, None);
    }
    unusable.extend(folder.out_of_reach(&description.needed));
    let mut check = FileCheck::start(description.needed.clone());
    let damaged = async { Ok::<_, Error>(check.done().await) };
    unusable.extend(worker.unless_stopped(damaged).await?);
    let accepting = job.described.missing_files;
    file_check::log(&unusable, accepting, "packing");
    if unusable.is_empty() || accepting == MissingFiles::Warn {
        return Ok(());
    }
    let scene = job.described.scene.clone();
    Err(Error::NotPacked { cause: Cause::UnusableFiles(unusable), scene })
}

/// Refuses to replace the manifest of another scene.
async fn check_name(
    worker: &Worker,
    manifest: &Location,
    inventory: &Inventory,
) -> Result<(), Error> {
    let there = async { Ok::<_, Error>(read_manifest(&worker.storage, manifest).await) };
    match worker.unless_stopped(there).await? {
        Ok(there) if *there.main() != inventory.main => {
            let main = there.main().clone();
            Err(Error::OtherProject { manifest: manifest.clone(), main })
        }
        // What is no manifest is that of no scene.
        Ok(_) | Err(ProjectError::Manifest { .. }) => Ok(()),
        Err(ProjectError::Storage(error))
            if matches!(error.failure(), Failure::Missing(_) | Failure::Mistaken(_)) =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
