//! `doctor`: checks what `render` and `stitch` need of this machine, before a job fails for it.

mod credentials;
mod findings;
mod machine;
mod places;
mod programs;

use std::path::Path;

use bytes::Bytes;

use crate::error::Error;
use crate::jobs::Print;
use crate::request::{DoctorJob, REPORTS_DIR};
use crate::worker::Worker;
use findings::Findings;

pub use findings::Output;

/// The file in `reports/` of the output that proves that it can be written.
const FILE: &str = "doctor.json";

/// The programs to check.
#[derive(Clone, Copy, Debug)]
pub struct Checked<'a> {
    /// The Blender: a path, or a name to look for.
    pub blender: &'a Path,
    /// The FFmpeg.
    pub ffmpeg: &'a Path,
    /// The `FFprobe`.
    pub ffprobe: &'a Path,
}

/// Checks everything, and prints what there is.
///
/// # Errors
/// The first lack, as the error with which a job would end; [`Error::Interrupted`] if the worker is
/// stopped meanwhile.
pub async fn doctor(
    worker: &Worker,
    job: &DoctorJob,
    programs: Checked<'_>,
    print: impl Print,
) -> Result<(), Error> {
    let mut findings = Findings::default();
    machine::check(worker, &mut findings);
    let blender = programs::check_blender(worker, programs.blender, &mut findings).await?;
    programs::check_ffmpeg(worker, programs, &mut findings).await?;
    places::check_local(worker, job, &mut findings);
    worker.unless_stopped(credentials::check(job, &mut findings)).await?;
    places::check_scene(worker, job, blender, &mut findings).await?;
    if let Some(output) = &job.output {
        // With what has been found so far: this is what is left in the output.
        let file = output.join(REPORTS_DIR).join(FILE);
        let content = Bytes::from(findings.json()?);
        places::check_output(worker, output, &file, content, &mut findings).await?;
    }
    let text = if job.json { findings.json()? } else { findings.text() };
    print(&text)?;
    findings.into_result()
}
