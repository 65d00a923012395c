//! Saved frames on their way out: checked, stored, removed from scratch, while
//! Blender renders the next one.
//!
//! A frame is *saved* when Blender says so or its file is found, *verified* when the
//! whole file was read and found complete, *stored* when it lies under its final
//! name in the output. Only then is the copy in scratch removed.
//!
//! What cannot be stored for a while waits in the [`Backlog`] and is tried again, as soon
//! as another frame gets through or some time has passed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::backlog::{Backlog, Saved};
use super::origin::Awaited;
use crate::image;
use crate::request::{ByteSize, FRAMES_DIR, FrameFile, FrameNumber, Location};
use crate::space::Space;
use crate::storage::{Failure, Storage, StorageError};

/// Frames that are checked and stored at once, at most: each has a file open, of which a
/// process may have a thousand. How many are really sent is storage's to decide.
const AT_ONCE: usize = 128;

/// What became of a frame.
#[derive(Debug)]
pub enum Outcome {
    /// It is stored.
    Stored {
        /// Its file name.
        file: String,
        /// Its size in bytes.
        bytes: u64,
    },
    /// Its file is not whole (yet).
    Damaged {
        /// What is wrong with it.
        damage: String,
        /// The scratch disk, if want of room on it may be why.
        disk_full: Option<Space>,
    },
    /// It is whole and could not be stored; its file is still there. Where that can pass,
    /// it is tried again.
    NotStored(StorageError),
}

/// A frame that was delivered, or not.
#[derive(Debug)]
pub struct Delivered {
    /// The frame.
    pub frame: FrameNumber,
    /// What became of it.
    pub outcome: Outcome,
}

/// Takes saved frames and reports on each, in any order: once when it is stored or never
/// will be, and each time before that it could not be stored.
#[derive(Debug)]
pub struct Delivery {
    storage: Arc<Storage>,
    folder: Location,
    places: Arc<Semaphore>,
    report: mpsc::UnboundedSender<Delivered>,
    reports: mpsc::UnboundedReceiver<Delivered>,
    backlog: Backlog,
    tasks: JoinSet<()>,
}

impl Delivery {
    /// Delivers to `frames/` below `output`.
    pub fn new(storage: Arc<Storage>, output: &Location, max_backlog: ByteSize) -> Self {
        let (report, reports) = mpsc::unbounded_channel();
        Self {
            storage,
            folder: output.join(FRAMES_DIR),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            report,
            reports,
            backlog: Backlog::new(max_backlog),
            tasks: JoinSet::new(),
        }
    }

    /// What was accepted and is not stored.
    pub fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    /// Frames that were accepted and are being stored.
    pub fn under_way(&self) -> usize {
        self.backlog.under_way()
    }

    /// Accepts the file of a frame, unless that frame is under way, to be stored with
    /// its fingerprint.
    pub fn accept(&mut self, frame: FrameNumber, file: PathBuf, fingerprint: Awaited) {
        // A file that is not there is found damaged.
        let bytes = file.symlink_metadata().map_or(0, |metadata| metadata.len());
        let saved = Saved { frame, file, fingerprint };
        if self.backlog.send(saved.clone(), bytes) {
            self.send(saved);
        }
    }

    fn send(&mut self, Saved { frame, file, fingerprint }: Saved) {
        let (storage, folder) = (Arc::clone(&self.storage), self.folder.clone());
        let (places, report) = (Arc::clone(&self.places), self.report.clone());
        // Of those that are done nothing is kept.
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            // The semaphore is never closed.
            let _place = places.acquire().await;
            let outcome = deliver(&storage, &folder, &file, fingerprint).await;
            // Nobody listens any more when the job has been given up.
            drop(report.send(Delivered { frame, outcome }));
        });
    }

    /// Gives up the frames that are under way: nothing of them is left in the output.
    pub async fn give_up(&mut self) {
        self.tasks.shutdown().await;
    }

    /// What became of the next frame; waits forever when none is under way and none waits.
    /// Cancel safe.
    pub async fn next(&mut self) -> Delivered {
        loop {
            let next_try = self.backlog.next_try();
            let due = async {
                match next_try {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            let delivered = tokio::select! {
                // We hold a sender ourselves: the channel does not close.
                Some(delivered) = self.reports.recv() => delivered,
                () = due => {
                    let (size, frames) = (self.backlog.size(), self.backlog.frames());
                    tracing::info!("{size} wait to be stored: trying again; frames {frames}");
                    self.send_again(Backlog::due);
                    continue;
                }
            };
            let frame = delivered.frame;
            match &delivered.outcome {
                Outcome::Stored { .. } => self.send_again(|backlog| backlog.arrived(frame, true)),
                Outcome::NotStored(error) if matches!(error.failure(), Failure::Transient(_)) => {
                    self.backlog.failed(frame, Instant::now());
                }
                Outcome::Damaged { .. } | Outcome::NotStored(_) => {
                    self.send_again(|backlog| backlog.arrived(frame, false));
                }
            }
            return delivered;
        }
    }

    fn send_again(&mut self, which: impl FnOnce(&mut Backlog) -> Vec<Saved>) {
        for saved in which(&mut self.backlog) {
            self.send(saved);
        }
    }
}

async fn deliver(
    storage: &Storage,
    folder: &Location,
    file: &Path,
    fingerprint: Awaited,
) -> Outcome {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else {
        return damaged("it has no name".to_owned(), file);
    };
    let path = file.to_owned();
    // A panic in the check is a bug that must not lose the other frames.
    let checked = tokio::task::spawn_blocking(move || check(&path)).await;
    let whole = match checked {
        Ok(Ok(whole)) => whole,
        Ok(Err(damage)) => return damaged(damage, file),
        Err(panic) => return damaged(format!("the check failed: {panic}"), file),
    };
    match storage.upload(whole, &folder.join(name), fingerprint.get().await).await {
        Ok(bytes) => {
            if let Err(error) = tokio::fs::remove_file(file).await {
                tracing::debug!("{} stays in scratch: {error}", file.display());
            }
            Outcome::Stored { file: name.to_owned(), bytes }
        }
        Err(error) => Outcome::NotStored(error),
    }
}

/// The file of a frame, open, if it is whole. It is opened once: a script in the scene
/// could put another one in its place between being checked and being stored.
fn check(path: &Path) -> Result<File, String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let format = FrameFile::parse(name).ok_or("its name is not that of an image")?.format;
    // Not what a link points to; and opening a pipe would wait forever.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    let unreadable = |error: io::Error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => "is not a regular file".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let file = opened.map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    image::check(format, BufReader::with_capacity(64 * 1024, &file))
        .map_err(|damage| damage.to_string())?;
    Ok(file)
}

fn damaged(damage: String, file: &Path) -> Outcome {
    let folder = file.parent().unwrap_or(file);
    let disk_full = Space::on(folder).ok().filter(Space::is_tight);
    Outcome::Damaged { damage, disk_full }
}
