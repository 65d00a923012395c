//! Where the worker reads and writes: scratch, the cache, the scene and the output.

use std::path::Path;

use bytes::Bytes;

use super::findings::Findings;
use crate::blender::SceneFile;
use crate::error::Error;
use crate::jobs::scene_file;
use crate::request::{BlenderVersion, ByteSize, DoctorJob, FRAMES_DIR, Location, REPORTS_DIR};
use crate::space::Space;
use crate::storage::NameRange;
use crate::worker::Worker;
use crate::worker::scratch::Scratch;

/// The space that scratch should have: that of frames which wait to be stored (`--max-backlog`), and as
/// much for a scene and a video.
const SCRATCH: ByteSize = ByteSize::gib(2);

/// Checks the folders on this machine.
pub fn check_local(worker: &Worker, job: &DoctorJob, findings: &mut Findings) {
    match Scratch::create(worker) {
        Err(error) => findings.fail("scratch", error),
        // The folder itself is removed at once.
        Ok(scratch) => match Space::on(scratch.path().parent().unwrap_or(scratch.path())) {
            Ok(space) if !space.holds(SCRATCH.bytes()) => findings.warn(
                "scratch",
                space.to_string(),
                format!(
                    "give it {SCRATCH} or more, or another folder (--scratch-dir, SCRATCH_DIR)"
                ),
            ),
            Ok(space) => findings.ok("scratch", space.to_string()),
            Err(why) => findings.ok("scratch", format!("writable, of unknown size ({why})")),
        },
    }
    if let Some(folder) = &job.cache_dir {
        check_cache(folder, findings);
    }
}

/// Checks the folder of what outlives jobs. Jobs without one take longer.
fn check_cache(folder: &Path, findings: &mut Findings) {
    let writable = std::fs::create_dir_all(folder)
        .and_then(|()| tempfile::NamedTempFile::new_in(folder).map(drop));
    let path = folder.display();
    match (writable, Space::on(folder)) {
        (Err(why), _) => findings.warn(
            "cache",
            format!("{path} is not writable: {why}"),
            "make the folder writable for this user (--cache-dir, CACHE_DIR); until then each \
             job fetches its files and compiles its kernels again",
        ),
        (Ok(()), Ok(space)) => findings.ok("cache", space.to_string()),
        (Ok(()), Err(why)) => findings.ok("cache", format!("{path}, of unknown size ({why})")),
    }
}

/// Reads the beginning of the scene. `blender` is the version of Blender, if it is known.
///
/// # Errors
/// [`Error::Interrupted`] if the worker is stopped meanwhile.
pub async fn check_scene(
    worker: &Worker,
    job: &DoctorJob,
    blender: Option<String>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let Some(scene) = &job.scene else { return Ok(()) };
    match scene_file(worker, scene, None).await {
        Ok((file, range)) => {
            let saved_by = file.saved_by.map(|it| format!(", saved by Blender {it}"));
            let found = format!("{scene}: frames {range}{}", saved_by.unwrap_or_default());
            if is_newer(&file, blender) {
                findings.warn(
                    "scene",
                    format!("{found}, which is newer than this Blender"),
                    "render it with a Blender as new, or save it for this one; otherwise render \
                     ends with 65",
                );
            } else {
                findings.ok("scene", found);
            }
        }
        Err(error @ Error::Interrupted { .. }) => return Err(error),
        Err(error) => findings.fail("scene", error),
    }
    Ok(())
}

fn is_newer(file: &SceneFile, blender: Option<String>) -> bool {
    let blender = blender.and_then(|version| BlenderVersion::parse(&version));
    file.saved_by.zip(blender).is_some_and(|(saved_by, blender)| saved_by > blender)
}

/// Writes `content` to `file` in the output, and lists its frames.
///
/// # Errors
/// [`Error::Interrupted`] if the worker is stopped meanwhile.
pub async fn check_output(
    worker: &Worker,
    output: &Location,
    file: &Location,
    content: Bytes,
    findings: &mut Findings,
) -> Result<(), Error> {
    let storage = &worker.storage;
    let tried = async {
        for folder in [FRAMES_DIR, REPORTS_DIR] {
            storage.prepare(&output.join(folder)).await?;
        }
        storage.write(file, content).await?;
        // No more than it takes to see that it is permitted.
        let few = NameRange { before: Some("0".to_owned()), ..NameRange::all() };
        storage.list_names(&output.join(FRAMES_DIR), few).await.map(drop)
    };
    match worker.unless_stopped(tried).await {
        Ok(()) => findings.ok("output", format!("{output} can be written and listed")),
        Err(error @ Error::Interrupted { .. }) => return Err(error),
        Err(error) => findings.fail("output", error),
    }
    worker.warn_if_lost(output);
    Ok(())
}
