//! Saved frames on their way out: checked, stored, removed from scratch, while
//! Blender renders the next one.
//!
//! A frame is *saved* when Blender says so or its file is found, *verified* when the
//! whole file was read and found complete, *stored* when it lies under its final
//! name in the output. Only then is the copy in scratch removed.
//!
//! What cannot be stored for a while waits in the [`Backlog`] and is tried again, as soon
//! as another frame gets through or some time has passed.

mod backlog;

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::reuse::fingerprint_task::Awaited;
use crate::image;
use crate::process::shutdown::{Shutdown, Stage};
use crate::request::{ByteSize, FRAMES_DIR, FrameFile, FrameNumber, Location};
use crate::space::Space;
use crate::storage::{Failure, Fingerprint, Storage, StorageError, TransferProgress};
use crate::worker::storage_timeouts::StorageTimeouts;
use backlog::{Backlog, Saved};

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
    shutdown: Shutdown,
    timeouts: StorageTimeouts,
}

impl Delivery {
    /// Delivers to `frames/` below `output`, faster and with less once `shutdown` says so.
    pub fn new(
        storage: Arc<Storage>,
        output: &Location,
        max_backlog: ByteSize,
        shutdown: Shutdown,
        timeouts: StorageTimeouts,
    ) -> Self {
        let (report, reports) = mpsc::unbounded_channel();
        Self {
            storage,
            folder: output.join(FRAMES_DIR),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            report,
            reports,
            backlog: Backlog::new(max_backlog, timeouts.storing),
            tasks: JoinSet::new(),
            shutdown,
            timeouts,
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
        let saved = Saved { frame, file, fingerprint, progress: TransferProgress::default() };
        if self.backlog.send(saved.clone(), bytes) {
            self.send(saved);
        }
    }

    fn send(&mut self, Saved { frame, file, fingerprint, progress }: Saved) {
        let (shutdown, timeout) = (self.shutdown.clone(), self.timeouts.fingerprint);
        let (storage, folder) = (Arc::clone(&self.storage), self.folder.clone());
        let (places, report) = (Arc::clone(&self.places), self.report.clone());
        // Of those that are done nothing is kept.
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            // The semaphore is never closed.
            let _place = places.acquire().await;
            let fingerprint = async {
                // Without it the frame is rendered again, but what waits when we end is lost.
                let stopping = shutdown.beyond(Stage::Noticed);
                fingerprint.get(timeout, stopping).await
            };
            let outcome = deliver(&storage, &folder, &file, fingerprint, &progress).await;
            // Nobody listens any more when the job has been given up.
            drop(report.send(Delivered { frame, outcome }));
        });
    }

    /// Gives up the frames that are under way: nothing of them is left in the output.
    pub async fn give_up(&mut self) {
        self.tasks.shutdown().await;
    }

    /// What became of the next frame that is under way; `None` when none is, or when nothing
    /// gets through any more: then what is under way is given up. Cancel safe.
    pub async fn next_of_the_rest(&mut self) -> Option<Delivered> {
        if self.under_way() == 0 {
            return None;
        }
        let lost = at(self.backlog.lost_at());
        tokio::select! {
            delivered = self.next() => Some(delivered),
            () = lost => {
                self.give_up().await;
                None
            }
        }
    }

    /// What became of the next frame; waits forever when none is under way and none waits.
    /// Cancel safe.
    pub async fn next(&mut self) -> Delivered {
        loop {
            let due = at(self.backlog.next_try());
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

/// Waits until then; for ever where that is never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn deliver(
    storage: &Storage,
    folder: &Location,
    file: &Path,
    fingerprint: impl Future<Output = Option<Fingerprint>>,
    progress: &TransferProgress,
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
    let (place, fingerprint) = (folder.join(name), fingerprint.await);
    match storage.upload_watched(whole, &place, fingerprint, progress).await {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::request::{StopGrace, Transfers};

    /// Longer than any timeout.
    const LONG: Duration = Duration::from_hours(9);

    /// One with frames 1 and 2 under way, which nobody really stores.
    fn delivery() -> (Delivery, Vec<Saved>) {
        let (storage, output) = (Storage::new(Transfers::default()), Location::Local("/o".into()));
        let shutdown = Shutdown::quiet(StopGrace::default());
        let limit = ByteSize::gib(1);
        let timeouts = StorageTimeouts::default();
        let mut delivery = Delivery::new(Arc::new(storage), &output, limit, shutdown, timeouts);
        let frames = [1, 2].map(|number| {
            let frame = FrameNumber::new(number).unwrap();
            let (fingerprint, progress) = (Awaited::never(frame), TransferProgress::default());
            Saved { frame, file: PathBuf::from("/none"), fingerprint, progress }
        });
        for saved in &frames {
            assert!(delivery.backlog.send(saved.clone(), 10));
        }
        (delivery, frames.into())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_still_being_stored_is_waited_for_however_long_it_takes() {
        let (mut delivery, frames) = delivery();
        let (report, file) = (delivery.report.clone(), "0001.png".to_owned());
        let frame = frames[0].frame;
        tokio::spawn(async move {
            tokio::time::sleep(LONG).await;
            drop(report.send(Delivered { frame, outcome: Outcome::Stored { file, bytes: 10 } }));
        });
        let delivered = delivery.next_of_the_rest().await.unwrap();
        assert_eq!(delivered.frame, frame);
        assert_eq!(delivery.under_way(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_tried_in_vain_is_given_up_and_what_moves_is_not() {
        let (mut delivery, frames) = delivery();
        let began = Instant::now();
        let fail = |delivery: &mut Delivery, saved: &Saved| {
            for _ in 0..3 {
                delivery.backlog.failed(saved.frame, began);
                delivery.backlog.due();
            }
        };
        fail(&mut delivery, &frames[0]);
        let rest = tokio::time::timeout(LONG, delivery.next_of_the_rest());
        assert!(rest.await.is_err(), "the second one has never failed");
        fail(&mut delivery, &frames[1]);
        assert!(delivery.next_of_the_rest().await.is_none());
        assert_eq!(delivery.under_way(), 2, "they are not stored");
    }
}
