//! Brings what jobs store to a folder of this machine, while they are followed: frames, what the scene
//! makes besides them, and the video.
//!
//! A file appears whole, under its name, with the time at which it was stored. So what has the same size
//! and time is not fetched again, also by another command after this one was stopped.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt as _, stream};
use tempfile::{NamedTempFile, TempDir};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::ending::Size;
use crate::error::Error;
use crate::error_chain::chain;
use crate::printable::printable;
use crate::request::{FRAMES_DIR, Location, OUTPUTS_DIR, OutputName, PollInterval, ProjectPath};
use crate::storage::{Entry, StorageError};
use crate::worker::Worker;

/// The folder of the outputs of each camera, in that of the job.
const CAMERAS_DIR: &str = "cameras";

/// How many files are fetched concurrently. The transfers from S3 have a limit of their own.
const CONCURRENT: usize = 16;

/// How many files are named in an error.
const MOST_NAMED: usize = 5;

/// How the name of the folder for what is not whole begins.
const PARTIAL: &str = ".render-worker-";

/// How often the removal of this folder is tried.
const REMOVALS: u32 = 20;

/// The time between two tries.
const REMOVAL_PAUSE: Duration = Duration::from_millis(20);

/// The parameter of jobs that says where they store their output.
const OUTPUT_PARAMETER: &str = "outputUri";

/// What is brought here, and to where.
#[derive(Debug)]
pub struct Download {
    output: Location,
    folder: PathBuf,
    /// A hidden folder in it for what is not whole.
    partial: TempDir,
}

impl Download {
    /// The output of a job with these parameters, to be brought to `folder`, which is created.
    ///
    /// # Errors
    /// [`Error::OutputUnknown`] if they do not say where it is, [`Error::DownloadedFile`] if nothing can
    /// be written to the folder.
    pub fn of(parameters: &BTreeMap<String, String>, folder: &Path) -> Result<Self, Error> {
        let output = parameters.get(OUTPUT_PARAMETER).and_then(|output| output.parse().ok());
        let output = output.ok_or(Error::OutputUnknown)?;
        let failed = |source| Error::DownloadedFile { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let partial = tempfile::Builder::new().prefix(PARTIAL).tempdir_in(folder);
        Ok(Self { output, folder: folder.to_owned(), partial: partial.map_err(failed)? })
    }

    /// Removes what is not whole. A write that was given up may still be under way, and keep the folder
    /// from being removed for a moment.
    async fn remove_partial(self) {
        let folder = self.partial.keep();
        for _ in 0..REMOVALS {
            match tokio::fs::remove_dir_all(&folder).await {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                    sleep(REMOVAL_PAUSE).await;
                }
                Ok(()) | Err(_) => return,
            }
        }
    }
}

/// Follows jobs to their end, and meanwhile brings here what they store. Looks for it in this
/// `interval`. The result is that of `following`, and whether everything came.
///
/// # Errors
/// Those of `following`, and [`Error::Interrupted`].
pub async fn while_following<T>(
    worker: &Worker,
    download: Option<Download>,
    interval: PollInterval,
    following: impl Future<Output = Result<T, Error>>,
) -> Result<(T, Result<(), Error>), Error> {
    let Some(download) = download else { return Ok((following.await?, Ok(()))) };
    let result = bring_while(worker, &download, interval, following).await;
    download.remove_partial().await;
    result
}

async fn bring_while<T>(
    worker: &Worker,
    download: &Download,
    interval: PollInterval,
    following: impl Future<Output = Result<T, Error>>,
) -> Result<(T, Result<(), Error>), Error> {
    let mut arrivals = Arrivals { worker, download, there: HashMap::new(), told: 0 };
    let have_ended = Notify::new();
    let followed = {
        let mut following = pin!(following);
        let mut rounds = pin!(arrivals.repeat(interval, &have_ended));
        let followed = tokio::select! {
            biased;
            result = &mut following => result,
            () = &mut rounds => following.await,
        };
        let followed = followed.map_err(|error| with_download(error, download))?;
        // What is being fetched is not fetched again.
        have_ended.notify_one();
        let finished = async {
            rounds.await;
            Ok::<_, Error>(())
        };
        worker.unless_stopped(finished).await?;
        followed
    };
    // What came last, and what failed before.
    let failed = worker.unless_stopped(async { Ok::<_, Error>(arrivals.round().await) }).await?;
    tracing::info!("files in {}: {}", download.folder.display(), arrivals.there.len());
    Ok((followed, outcome(download, failed)))
}

/// Adds the folder to the command that follows the jobs again.
fn with_download(error: Error, download: &Download) -> Error {
    match error {
        Error::NoLongerFollowed { why, command } => {
            let folder = download.folder.to_string_lossy();
            let command = format!("{command} --download {}", shell_words::quote(&folder));
            Error::NoLongerFollowed { why, command }
        }
        error => error,
    }
}

fn outcome(download: &Download, failed: Vec<Failed>) -> Result<(), Error> {
    let total = failed.len();
    let names = failed.iter().take(MOST_NAMED).map(|failed| failed.name.clone()).collect();
    match failed.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(Error::NotDownloaded {
            folder: download.folder.clone(),
            names,
            total,
            source: Box::new(first.why),
        }),
    }
}

/// A file that did not come.
struct Failed {
    name: String,
    why: Error,
}

/// What has come so far.
struct Arrivals<'a> {
    worker: &'a Worker,
    download: &'a Download,
    /// The files that are here, with the size and the time of what was stored.
    there: HashMap<String, (u64, SystemTime)>,
    /// How many failures of the round before were logged.
    told: usize,
}

impl Arrivals<'_> {
    /// Fetches what is new, again and again until the jobs have ended.
    async fn repeat(&mut self, interval: PollInterval, have_ended: &Notify) {
        loop {
            let failed = self.round().await;
            if failed.len() != self.told {
                for Failed { name, why } in failed.iter().take(MOST_NAMED) {
                    tracing::warn!("{name} is not downloaded yet: {}", chain(why));
                }
                self.told = failed.len();
            }
            tokio::select! {
                () = sleep(interval.get()) => {}
                () = have_ended.notified() => return,
            }
        }
    }

    /// Fetches what is new, and returns what could not be fetched.
    async fn round(&mut self) -> Vec<Failed> {
        let (entries, mut failed) = match self.listed().await {
            Ok(entries) => (entries, Vec::new()),
            Err(error) => {
                let name = self.download.output.to_string();
                (Vec::new(), vec![Failed { name, why: error.into() }])
            }
        };
        let is_new =
            |entry: &Entry| self.there.get(&entry.name) != Some(&(entry.size, entry.modified));
        let new: Vec<_> = entries.into_iter().filter(is_new).collect();
        let mut fetches = stream::iter(new)
            .map(async |entry: Entry| {
                let result = self.bring(&entry).await;
                (entry, result)
            })
            .buffer_unordered(CONCURRENT);
        let (mut came, mut files, mut bytes) = (Vec::new(), 0, 0);
        while let Some((entry, result)) = fetches.next().await {
            match result {
                Ok(is_fetched) => {
                    files += usize::from(is_fetched);
                    bytes += if is_fetched { entry.size } else { 0 };
                    came.push(entry);
                }
                Err(why) => failed.push(Failed { name: printable(&entry.name), why }),
            }
        }
        drop(fetches);
        self.there.extend(came.into_iter().map(|it| (it.name, (it.size, it.modified))));
        if files > 0 {
            let folder = self.download.folder.display();
            tracing::info!(files, bytes, "files downloaded to {folder}: {files}, {}", Size(bytes));
        }
        failed
    }

    /// What the output has of what is brought here, by paths from the output.
    async fn listed(&self) -> Result<Vec<Entry>, StorageError> {
        let (storage, output) = (&self.worker.storage, &self.download.output);
        let mut entries = storage.list(output).await?;
        for folder in [FRAMES_DIR, OUTPUTS_DIR, CAMERAS_DIR] {
            let below = storage.list_tree(&output.join(folder)).await?;
            let in_folder = |it: Entry| Entry { name: format!("{folder}/{}", it.name), ..it };
            entries.extend(below.into_iter().map(|(entry, _)| in_folder(entry)));
        }
        entries.retain(|entry| is_wanted(&entry.name));
        Ok(entries)
    }

    /// Brings a file here, unless it is here. Whether it was fetched.
    async fn bring(&self, entry: &Entry) -> Result<bool, Error> {
        let Ok(path) = ProjectPath::new(&entry.name) else {
            // A stranger's name could lead anywhere.
            tracing::warn!("{} is no path in a folder, and is left out", printable(&entry.name));
            return Ok(false);
        };
        let target = path.below(&self.download.folder);
        let failed = |source| Error::DownloadedFile { path: target.clone(), source };
        if let Ok(there) = target.metadata()
            && there.is_file()
            && there.len() == entry.size
            && there.modified().is_ok_and(|time| seconds(time) == seconds(entry.modified))
        {
            return Ok(false);
        }
        let parent = target.parent().unwrap_or(&self.download.folder);
        fs::create_dir_all(parent).map_err(failed)?;
        let hidden = NamedTempFile::new_in(self.download.partial.path());
        let hidden = hidden.map_err(failed)?.into_temp_path();
        let storage = &self.worker.storage;
        let opened = storage.open(&self.download.output.join(path.as_str())).await?;
        let source = storage.localise(&opened, &hidden).await?;
        drop(opened);
        let (modified, to) = (entry.modified, target.clone());
        let placed = tokio::task::spawn_blocking(move || place(&source, &hidden, modified, &to));
        placed.await.map_err(io::Error::other).flatten().map_err(failed)?;
        Ok(true)
    }
}

/// Places a file that is whole.
fn place(source: &Path, hidden: &Path, modified: SystemTime, target: &Path) -> io::Result<()> {
    if source != hidden {
        // The output is on this machine, and stays as it is.
        fs::copy(source, hidden)?;
    }
    let file = File::options().write(true).open(hidden)?;
    file.set_modified(modified)?;
    // Before the rename, or a crash of the machine could leave an empty file under the final name.
    file.sync_all()?;
    fs::rename(hidden, target)
}

/// Whether a file of an output is brought here, by its path from there.
fn is_wanted(path: &str) -> bool {
    let in_camera = path.strip_prefix(CAMERAS_DIR).and_then(|rest| rest.strip_prefix('/'));
    let in_camera = in_camera.and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let path = in_camera.unwrap_or(path);
    match path.split_once('/') {
        Some((folder, _)) => folder == FRAMES_DIR || folder == OUTPUTS_DIR,
        None => OutputName::looks_like_video(path),
    }
}

/// A time in whole seconds: S3 tells no more.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_what_accompanies_them_and_the_video_are_brought() {
        for (path, expected) in [
            ("frames/0001.png", true),
            ("outputs/File Output/mist/0001.exr", true),
            ("output.mp4", true),
            ("cameras/Front/frames/0001.png", true),
            ("cameras/Front/output.mov", true),
            ("cameras/Front/previews/0001.jpg", false),
            ("previews/0001.jpg", false),
            ("reports/1.json", false),
            ("scene.blend", false),
            ("frames", false),
        ] {
            assert_eq!(is_wanted(path), expected, "{path}");
        }
    }
}
