//! Feeds frames to FFmpeg: verifies each one and bridges gaps. If a frame is unusable, it verifies
//! the rest of the sequence as well, to report all problems at once.

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

/// How many unusable frames an error describes; the others are only named.
const MAX_DESCRIBED: usize = 10;

/// Verifies the frames of a sequence and writes them to FFmpeg.
#[derive(Debug)]
pub struct FrameFeeder {
    folder: Location,
    frames: Prefetch,
    /// Whether the next frame is still being fetched.
    fetching: Arc<AtomicBool>,
    allow_gaps: bool,
    /// The frames by width and height in pixels. A video has a single size.
    sizes: BTreeMap<(u32, u32), Vec<FrameNumber>>,
    /// The unusable frames, and why they are.
    unusable: Vec<(FrameNumber, String)>,
}

/// The first usable frame.
#[derive(Debug)]
pub struct First {
    /// The content of the file.
    content: Bytes,
    /// The properties of the image.
    pub frame: Frame,
    /// How many gaps before it this frame fills.
    leading_gaps: usize,
}

impl FrameFeeder {
    /// A feeder for `frames`, which are fetched from `folder`.
    pub fn new(folder: Location, frames: Prefetch, allow_gaps: bool) -> Self {
        Self {
            folder,
            frames,
            fetching: Arc::default(),
            allow_gaps,
            sizes: BTreeMap::new(),
            unusable: Vec::new(),
        }
    }

    /// A flag that is true while FFmpeg waits for a frame that is still being fetched.
    pub fn fetching(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.fetching)
    }

    async fn next(&mut self) -> Option<Result<Fetched, StorageError>> {
        self.fetching.store(true, Ordering::Relaxed);
        let next = self.frames.next().await;
        self.fetching.store(false, Ordering::Relaxed);
        next
    }

    /// Fetches frames up to the first usable one.
    ///
    /// # Errors
    /// - [`Error::Storage`] if a frame cannot be read.
    /// - [`Error::UnusableFrames`] if a frame is unusable and cannot be bridged, or no frame is
    ///   usable.
    pub async fn first(&mut self) -> Result<First, Error> {
        let mut leading_gaps = 0;
        while let Some(Fetched { number, image }) = self.next().await.transpose()? {
            match self.verify(number, image) {
                Some((content, frame)) if self.is_usable() => {
                    return Ok(First { content, frame, leading_gaps });
                }
                _ if self.is_usable() => leading_gaps += 1,
                _ => return Err(self.collect_problems().await),
            }
        }
        Err(self.collect_problems().await)
    }

    /// Writes `first` and all frames after it to FFmpeg's standard input. It returns early, without
    /// an error, if FFmpeg stops reading: FFmpeg's own end explains why.
    ///
    /// # Errors
    /// - [`Error::Storage`] if a frame cannot be read.
    /// - [`Error::UnusableFrames`] if a frame is unusable and cannot be bridged. The error names
    ///   all unusable frames of the sequence.
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
            if let Some((content, _)) = self.verify(number, image) {
                shown = content;
            }
            if !self.is_usable() {
                return Err(self.collect_problems().await);
            }
            if write(&mut ffmpeg, index, &shown).await.is_err() {
                return Ok(());
            }
            index += 1;
        }
        // Dropping the pipe signals the end of the input.
        Ok(())
    }

    /// Records the size or the problem of a frame. The result is its content; `None` repeats the
    /// frame before.
    fn verify(&mut self, number: FrameNumber, image: Image) -> Option<(Bytes, Frame)> {
        match image {
            Image::Whole { content, frame } => {
                self.sizes.entry((frame.width, frame.height)).or_default().push(number);
                if frame.part != 0 {
                    // FFmpeg always reads the pixels of part 0.
                    let why = "its picture is not in the first part of a multipart file".to_owned();
                    self.unusable.push((number, why));
                }
                Some((content, frame))
            }
            Image::Gap => None,
            Image::Damaged(why) if self.allow_gaps => {
                tracing::warn!(
                    frame = number.get(),
                    "frame {number} is damaged, repeating the frame before (--allow-gaps): {why}"
                );
                None
            }
            Image::Damaged(why) => {
                self.unusable.push((number, why));
                None
            }
        }
    }

    fn is_usable(&self) -> bool {
        self.unusable.is_empty() && self.sizes.len() <= 1
    }

    /// Verifies the remaining frames. The result is an error with all problems of the sequence.
    async fn collect_problems(&mut self) -> Error {
        while let Some(fetched) = self.next().await {
            match fetched {
                Ok(fetched) => _ = self.verify(fetched.number, fetched.image),
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
        let described = self.unusable.iter().take(MAX_DESCRIBED);
        problems.extend(described.map(|(number, why)| format!("frame {number}: {why}")));
        let more: FrameSet =
            self.unusable.iter().skip(MAX_DESCRIBED).map(|(number, _)| *number).collect();
        if !more.is_empty() {
            problems.push(format!("{} cannot be used either", more.named()));
        }
        if problems.is_empty() {
            problems.push("none of them is whole".to_owned());
        }
        Error::UnusableFrames { folder: self.folder.clone(), problems }
    }
}

async fn write(ffmpeg: &mut ChildStdin, index: u64, content: &Bytes) -> io::Result<()> {
    let header = packet_header(index, content.len()).ok_or(io::ErrorKind::FileTooLarge)?;
    // One write for both, so as not to wake FFmpeg for the twelve bytes of the header.
    ffmpeg.write_all_buf(&mut header.chain(content.as_ref())).await
}
