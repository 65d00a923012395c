//! `pack`: stores a scene with every file that its pictures need, as a project.
//!
//! Blender lists the files, in the sandbox. Each is stored by its content, unless it is there, and the
//! manifest after all of them.

mod inventory;
mod storing;
mod summary;

use std::path::Path;

use bytes::Bytes;

use crate::blender::{Cause, SceneDescription, SceneProject};
use crate::error::Error;
use crate::jobs::Print;
use crate::project::{
    IGNORE_FILE, Ignored, Manifest, ManifestError, ProjectError, ProjectStore, read_manifest,
};
use crate::render;
use crate::request::{Location, MissingFiles, PackJob};
use crate::storage::{Failure, START_LENGTH};
use crate::worker::Worker;
use crate::worker::file_check::{self, FileCheck};
use crate::worker::programs::BLENDER;
use inventory::{Folder, Inventory};
use storing::Storing;
use summary::Summary;

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
    let folder = Folder::of(job, &worker.confinement.readable)?;
    let store = ProjectStore::at(job.output.clone());
    let manifest_at = store.manifest(&name_of(job));
    let inventory = take_inventory(worker, job, blender, &folder).await?;
    inventory.log_left_out();
    let storing = Storing { worker, store: &store, dry_run: job.dry_run };
    if !job.dry_run {
        worker.unless_stopped(worker.storage.prepare(&job.output)).await?;
    }
    check_name(worker, &manifest_at, &inventory).await?;
    let (files, sent) = storing.store(&inventory).await?;
    let refuse = |source| ProjectError::Manifest { location: manifest_at.clone(), source };
    let manifest = Manifest::new(inventory.main.clone(), files).map_err(refuse)?;
    if !job.dry_run {
        let json = manifest.to_json().map_err(|error| refuse(ManifestError::Json(error)))?;
        let written = worker.storage.write(&manifest_at, Bytes::from(json));
        worker.unless_stopped(written).await?;
    }
    print(&Summary::new(&manifest, &manifest_at, &sent, &inventory, job.dry_run).text(job.json)?)
}

/// The name of the manifest.
fn name_of(job: &PackJob) -> String {
    let stem = || job.scene.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let given = job.name.as_ref().map(|name| name.as_str().to_owned());
    given.or_else(stem).unwrap_or_default()
}

/// Finds the files of the project.
async fn take_inventory(
    worker: &Worker,
    job: &PackJob,
    blender: &Path,
    folder: &Folder,
) -> Result<Inventory, Error> {
    let patterns = ignored(job, folder)?;
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
            return Inventory::of_everything(folder, patterns);
        }
        Ok(_) => {}
    }
    let path = folder.path().to_owned();
    let project = SceneProject { folder: path, origins: [].into(), is_fetched: false };
    let mut rendering = (*job.described).clone();
    rendering.scene = Location::Local(folder.scene().to_owned());
    let description =
        render::describe_in(worker, &rendering, &header, blender, Some(project)).await?;
    check_files(worker, job, folder, &description).await?;
    Inventory::of_scene(folder, patterns, &description, &worker.confinement.environment)
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
