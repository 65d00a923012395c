//! Stores the contact sheet at the end of a job: one picture with previews of all frames that the
//! output has.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error_chain::chain;
use crate::image::contact_sheet::{CONTACT_SHEET, ContactSheet};
use crate::request::{FrameFile, FrameNumber, FrameSet, ImageFormat, Location, PREVIEWS_DIR};
use crate::storage::{Failure, Storage, StorageError};
use crate::worker::Worker;

/// How many previews are read concurrently. The time is spent on waiting for responses.
const CONCURRENT_READS: usize = 16;

/// A size in bytes that no preview exceeds.
const LARGEST_PREVIEW: u64 = 1024 * 1024;

/// The frames on a contact sheet.
#[derive(Clone, Copy, Debug)]
pub enum On<'a> {
    /// All that the output has previews of, and these, whose places are empty if they have none.
    AllAnd(&'a FrameSet),
    /// These alone. The output may have previews of the frames of other videos.
    Only(&'a FrameSet),
}

/// Stores the contact sheet of frames that `output` has previews of. The result is its path below
/// the output.
///
/// The sheet is useful but not required: it takes little time, none at all while stopping, and a
/// failure is a warning. A job that need not list the output may not be permitted to; that is none.
pub async fn store(
    worker: &Worker,
    output: &Location,
    frames: On<'_>,
    must_list: bool,
) -> Option<String> {
    let folder = output.join(PREVIEWS_DIR);
    let stored = timeout(worker.timeouts.preview, make(&worker.storage, &folder, frames));
    let sheet = folder.join(CONTACT_SHEET);
    let why = match worker.shutdown.run_until_stopped(stored).await.ok()? {
        Ok(Ok(true)) => {
            tracing::info!("contact sheet: {sheet}");
            return Some(format!("{PREVIEWS_DIR}/{CONTACT_SHEET}"));
        }
        // There is no preview.
        Ok(Ok(false)) => return None,
        Ok(Err(error)) => {
            let is_denied = matches!(error.failure(), Failure::Denied(_) | Failure::Refused(_));
            if is_denied && !must_list {
                tracing::debug!("cannot make the contact sheet {sheet}: {}", chain(&error));
                return None;
            }
            chain(&error)
        }
        Err(_) => "storage did not respond in time".to_owned(),
    };
    tracing::warn!("cannot store the contact sheet {sheet}: {why}");
    None
}

/// Makes and stores the sheet; false if there is no preview.
async fn make(storage: &Storage, folder: &Location, frames: On<'_>) -> Result<bool, StorageError> {
    let there = list(storage, folder).await?;
    let mut sheet = ContactSheet::of(&match frames {
        On::AllAnd(frames) => frames.iter().chain(there.keys().copied()).collect(),
        On::Only(frames) => frames.clone(),
    });
    let wanted = there.into_iter().filter(|(frame, _)| sheet.wants(*frame));
    let previews = stream::iter(wanted.collect::<Vec<_>>()).map(|(frame, stored)| async move {
        let file = folder.join(&FrameFile::name(frame, ImageFormat::Jpeg));
        (frame, storage.read(&file, stored.size).await)
    });
    let mut previews = previews.buffer_unordered(CONCURRENT_READS);
    while let Some((frame, preview)) = previews.next().await {
        sheet.add(frame, preview?.to_vec());
    }
    // A panic is a bug, but must not fail the job.
    let Ok(Some(jpeg)) = spawn_blocking(move || sheet.jpeg()).await else { return Ok(false) };
    storage.write(&folder.join(CONTACT_SHEET), Bytes::from(jpeg)).await?;
    Ok(true)
}

/// A preview in storage.
#[derive(Clone, Copy, Debug)]
pub struct Stored {
    /// Its size in bytes.
    pub size: u64,
    /// The time of the last write.
    pub modified: SystemTime,
}

/// The previews in `folder`, by frame.
///
/// # Errors
/// If the folder cannot be listed.
pub async fn list(
    storage: &Storage,
    folder: &Location,
) -> Result<BTreeMap<FrameNumber, Stored>, StorageError> {
    let entries = storage.list(folder).await?.into_iter();
    let previews = entries.filter(|entry| entry.size <= LARGEST_PREVIEW).filter_map(|entry| {
        let frame = FrameFile::parse(&entry.name)?.number;
        let own_name = FrameFile::name(frame, ImageFormat::Jpeg) == entry.name;
        own_name.then_some((frame, Stored { size: entry.size, modified: entry.modified }))
    });
    Ok(previews.collect())
}
