//! The folders of an attempt: those in scratch, and the one for caches beside the baked scene.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::blender::{BAKE_SETTINGS, BakeOutput, bake_files};
use crate::error::Error;
use crate::request::{BakeJob, Location};
use crate::worker::scratch::Scratch;

/// The paths of an attempt.
#[derive(Debug)]
pub struct Dirs {
    /// The scene file, if it has to be downloaded.
    pub scene: PathBuf,
    /// The folder of the script and its settings.
    pub script: PathBuf,
    /// The folder for the baked scene and the script's answer.
    pub output: PathBuf,
    /// Blender's home and folder for temporary files.
    pub home: PathBuf,
    /// The folder for caches that consist of files; `None` if the output is on S3, because a job
    /// downloads the scene file only.
    pub caches: Option<PathBuf>,
}

impl Dirs {
    /// Creates the folders, and writes the script for `job`.
    ///
    /// # Errors
    /// [`Error::Scratch`] if a folder or file cannot be written.
    pub fn prepare(scratch: &Scratch, job: &BakeJob) -> Result<Self, Error> {
        let base = scratch.path();
        let caches = match &job.output {
            Location::S3 { .. } => None,
            Location::Local(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                Some(path.with_extension("cache"))
            }
        };
        let dirs = Self {
            scene: base.join("scene.blend"),
            script: base.join("script"),
            output: base.join("output"),
            home: base.join("home"),
            caches,
        };
        let created = dirs.create(job);
        created.map_err(|source| Error::Scratch { path: base.to_owned(), source })?;
        if let Some(caches) = &dirs.caches {
            fs::create_dir_all(caches)
                .map_err(|source| Error::Scratch { path: caches.clone(), source })?;
        }
        Ok(dirs)
    }

    fn create(&self, job: &BakeJob) -> io::Result<()> {
        for folder in [&self.script, &self.output, &self.home] {
            fs::create_dir(folder)?;
        }
        for (name, content) in bake_files() {
            fs::write(self.script.join(name), content)?;
        }
        // Blender reads a relative path from the folder of the file that it has opened.
        let stays = are_together(&job.scene, &job.output);
        let caches = self.caches.as_deref().map(|caches| match caches.file_name() {
            Some(name) if stays => format!("//{}", name.to_string_lossy()),
            _ => caches.to_string_lossy().into_owned(),
        });
        let output = BakeOutput {
            answer: &self.answer(),
            scene: &self.baked(),
            caches: caches.as_deref(),
            absolute_paths: !stays && matches!(job.scene, Location::Local(_)),
            missing_files: job.missing_files,
        };
        fs::write(self.script.join(BAKE_SETTINGS), output.settings())
    }

    /// The path of the script's answer.
    pub fn answer(&self) -> PathBuf {
        self.output.join("answer.json")
    }

    /// The path of the baked scene in scratch.
    pub fn baked(&self) -> PathBuf {
        self.output.join("baked.blend")
    }
}

impl Drop for Dirs {
    /// Removes the folder for caches if there are none: only fluids have any.
    fn drop(&mut self) {
        if let Some(caches) = &self.caches {
            _ = fs::remove_dir(caches);
        }
    }
}

/// Whether two files lie in the same local folder, so that relative paths in both lead to the same
/// files.
fn are_together(one: &Location, other: &Location) -> bool {
    let folder = |path: &Path| std::path::absolute(path).ok()?.parent().map(Path::to_owned);
    match (one, other) {
        (Location::Local(one), Location::Local(other)) => folder(one) == folder(other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_stay_valid_in_the_same_folder_only() {
        let together =
            |one: &str, other: &str| are_together(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(together("a/shot.blend", "./a/shot.baked.blend"));
        assert!(together("shot.blend", "shot.baked.blend"));
        assert!(!together("a/shot.blend", "b/shot.baked.blend"));
        assert!(!together("s3://bucket/a/shot.blend", "s3://bucket/a/shot.baked.blend"));
    }
}
