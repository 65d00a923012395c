//! Frames on their way into FFmpeg: inspected one by one, gaps bridged, all problems
//! of the sequence collected before it is refused.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;

use super::prefetch::{Fetched, Image, Prefetch};
use crate::error::Error;
use crate::ffmpeg::{FILE_HEADER, packet_header};
use crate::image::Frame;
use crate::request::{FrameNumber, FrameSet, Location};
use crate::storage::StorageError;

/// Damaged frames that are described one by one; the rest is only named.
const DESCRIBED: usize = 10;

/// The frames of a sequence, inspected.
#[derive(Debug)]
pub struct FrameFeeder {
    folder: Location,
    frames: Prefetch,
    /// Whether FFmpeg waits for a frame that is not here yet.
    fetching: Arc<AtomicBool>,
    allow_gaps: bool,
    /// Frames by their size in pixels: there must be one size only.
    sizes: BTreeMap<(u32, u32), Vec<FrameNumber>>,
    /// Frames that cannot be used, and why.
    refused: Vec<(FrameNumber, String)>,
}

/// The first frame that can be shown.
#[derive(Debug)]
pub struct First {
    /// The file.
    content: Bytes,
    /// What it shows.
    pub frame: Frame,
    /// How many frames are missing before it, for which it stands in.
    leading_gaps: usize,
}

impl FrameFeeder {
    /// The frames that arrive from `folder`.
    pub fn new(folder: Location, frames: Prefetch, allow_gaps: bool) -> Self {
        Self {
            folder,
            frames,
            fetching: Arc::default(),
            allow_gaps,
            sizes: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    /// Tells whether the next frame is still on its way to us.
    pub fn fetching(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.fetching)
    }

    async fn next(&mut self) -> Option<Result<Fetched, StorageError>> {
        self.fetching.store(true, Ordering::Relaxed);
        let next = self.frames.next().await;
        self.fetching.store(false, Ordering::Relaxed);
        next
    }

    /// The first frame that can be shown.
    ///
    /// # Errors
    /// If a frame cannot be read, or cannot be used and not be bridged.
    pub async fn first(&mut self) -> Result<First, Error> {
        let mut leading_gaps = 0;
        while let Some(Fetched { number, image }) = self.next().await.transpose()? {
            match self.inspect(number, image) {
                Some((content, frame)) if self.is_sound() => {
                    return Ok(First { content, frame, leading_gaps });
                }
                _ if self.is_sound() => leading_gaps += 1,
                _ => return Err(self.refuse().await),
            }
        }
        Err(self.refuse().await)
    }

    /// Writes `first` and all frames behind it to FFmpeg's standard input. Ends early,
    /// without an error, when FFmpeg no longer reads: its own end tells why.
    ///
    /// # Errors
    /// If a frame cannot be read, or cannot be used and not be bridged. Then all
    /// frames have been inspected, and the error names every one that is at fault.
    pub async fn feed(mut self, first: First, mut ffmpeg: ChildStdin) -> Result<(), Error> {
        let mut shown = first.content;
        let mut index = 0;
        if ffmpeg.write_all(&FILE_HEADER).await.is_err() {
            return Ok(());
        }
        for _ in 0..=first.leading_gaps {
            if write(&mut ffmpeg, index, &shown).await.is_err() {
                return Ok(());
            }
            index += 1;
        }
        while let Some(Fetched { number, image }) = self.next().await.transpose()? {
            if let Some((content, _)) = self.inspect(number, image) {
                shown = content;
            }
            if !self.is_sound() {
                return Err(self.refuse().await);
            }
            if write(&mut ffmpeg, index, &shown).await.is_err() {
                return Ok(());
            }
            index += 1;
        }
        // Dropping the pipe tells FFmpeg that this was all.
        Ok(())
    }

    /// The image to show for a frame; `None` holds the one before.
    fn inspect(&mut self, number: FrameNumber, image: Image) -> Option<(Bytes, Frame)> {
        match image {
            Image::Whole { content, frame } => {
                self.sizes.entry((frame.width, frame.height)).or_default().push(number);
                if frame.part != 0 {
                    // FFmpeg reads the pixels of part 0 whatever it is told.
                    let why = "its picture is not in the first part of a multipart file".to_owned();
                    self.refused.push((number, why));
                }
                Some((content, frame))
            }
            Image::Gap => None,
            Image::Damaged(why) if self.allow_gaps => {
                tracing::warn!(
                    frame = number.get(),
                    "frame {number} is damaged, the one before is held (--allow-gaps): {why}"
                );
                None
            }
            Image::Damaged(why) => {
                self.refused.push((number, why));
                None
            }
        }
    }

    fn is_sound(&self) -> bool {
        self.refused.is_empty() && self.sizes.len() <= 1
    }

    /// Inspects what is left and says everything that is wrong with the sequence.
    async fn refuse(&mut self) -> Error {
        while let Some(fetched) = self.next().await {
            match fetched {
                Ok(fetched) => _ = self.inspect(fetched.number, fetched.image),
                Err(error) => return error.into(),
            }
        }
        let mut problems = Vec::new();
        if self.sizes.len() > 1 {
            let sizes = self.sizes.iter().map(|((width, height), frames)| {
                let frames: FrameSet = frames.iter().copied().collect();
                format!("frames {frames} are {width}x{height}")
            });
            problems.push(format!("their sizes differ: {}", sizes.collect::<Vec<_>>().join(", ")));
        }
        let described = self.refused.iter().take(DESCRIBED);
        problems.extend(described.map(|(number, why)| format!("frame {number}: {why}")));
        let more: FrameSet =
            self.refused.iter().skip(DESCRIBED).map(|(number, _)| *number).collect();
        if !more.is_empty() {
            problems.push(format!("likewise frames {more}"));
        }
        if problems.is_empty() {
            problems.push("none of them is whole".to_owned());
        }
        Error::UnusableFrames { folder: self.folder.clone(), problems }
    }
}

async fn write(ffmpeg: &mut ChildStdin, index: u64, content: &Bytes) -> io::Result<()> {
    let header = packet_header(index, content.len()).ok_or(io::ErrorKind::FileTooLarge)?;
    // Together: FFmpeg is not woken for twelve bytes.
    ffmpeg.write_all_buf(&mut header.chain(content.as_ref())).await
}
