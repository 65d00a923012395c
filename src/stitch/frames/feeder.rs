//! Feeds frames to FFmpeg: bridges gaps, and reports what is wrong with frames. If a frame is
//! unusable, it decodes the rest of the sequence as well, to report all problems at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::task::spawn_blocking;

use super::decoding::{Decoded, Decoding, Image, finished, show};
use super::maker::{FrameMaker, MadeFrame, Shape, Shown, Traits};
use super::prefetch::{Fetched, Prefetch};
use super::previews::PreviewQueue;
use crate::error::Error;
use crate::image::{FrameFormat, Ignored};
use crate::request::{FrameNumber, FrameSet, Location};
use crate::storage::StorageError;

/// How many unusable frames an error describes; the others are only named.
const MAX_DESCRIBED: usize = 10;

/// Decodes the frames of a sequence and writes them to FFmpeg.
#[derive(Debug)]
pub struct FrameFeeder {
    frames: Decoding,
    first: MadeFrame,
    first_number: FrameNumber,
    /// How many gaps the first frame fills: those before it.
    leading_gaps: usize,
    /// Whether the next frame is still being fetched or decoded.
    waiting: Arc<AtomicBool>,
    previews: Option<PreviewQueue>,
    problems: Problems,
}

/// The first usable picture of a sequence.
#[derive(Debug)]
pub struct First {
    number: FrameNumber,
    shown: Shown,
    frames: Prefetch,
    maker: Arc<FrameMaker>,
    leading_gaps: usize,
    problems: Problems,
}

/// What is wrong with frames, and what is remarkable.
#[derive(Debug)]
struct Problems {
    folder: Location,
    allow_gaps: bool,
    /// Whether the pictures must have the same size.
    same_size: bool,
    /// The frames by size.
    sizes: BTreeMap<Shape, Vec<FrameNumber>>,
    /// The unusable frames, and why they are.
    unusable: Vec<(FrameNumber, String)>,
    /// The frames with samples that are infinite or no number.
    not_finite: Vec<FrameNumber>,
    /// The frames of whose files something is ignored.
    ignored: BTreeMap<Ignored, Vec<FrameNumber>>,
}

impl First {
    /// Finds the first usable picture among `frames`, which are fetched from `folder`. All pictures
    /// must have its size if `same_size`.
    ///
    /// # Errors
    /// - [`Error::Storage`] if a frame cannot be read.
    /// - [`Error::UnusableFrames`] if a frame is unusable and cannot be bridged, or no frame is
    ///   usable.
    pub async fn find(
        folder: Location,
        mut frames: Prefetch,
        maker: FrameMaker,
        allow_gaps: bool,
        same_size: bool,
    ) -> Result<Self, Error> {
        let maker = Arc::new(maker);
        let mut problems = Problems::new(folder, allow_gaps, same_size);
        let mut leading_gaps = 0;
        while let Some(Fetched { number, file }) = frames.next().await.transpose()? {
            let of_thread = Arc::clone(&maker);
            let shown = finished(spawn_blocking(move || show(&of_thread, file))).await;
            match shown.unwrap_or(Ok(None)) {
                Ok(Some(shown)) => {
                    problems.record(number, shown.shape, &shown.traits);
                    return Ok(Self { number, shown, frames, maker, leading_gaps, problems });
                }
                Ok(None) => leading_gaps += 1,
                Err(why) => {
                    problems.damaged(number, why);
                    leading_gaps += 1;
                }
            }
            if !problems.unusable.is_empty() {
                return Err(problems.of_all(Decoding::start(frames, maker, None)).await);
            }
        }
        Err(problems.error())
    }

    /// The size of the picture.
    pub fn shape(&self) -> Shape {
        self.shown.shape
    }

    /// The properties of the picture.
    pub fn traits(&self) -> &Traits {
        &self.shown.traits
    }

    /// Whether something behind the picture would be seen.
    pub fn is_transparent(&self) -> bool {
        self.shown.is_transparent()
    }

    /// The feeder of a video of `format`. Previews go to `previews`.
    ///
    /// # Errors
    /// [`Error::Internal`] if the runtime is shutting down.
    pub async fn feed(
        self,
        format: FrameFormat,
        previews: Option<PreviewQueue>,
    ) -> Result<FrameFeeder, Error> {
        let Self { number, shown, frames, maker, leading_gaps, problems } = self;
        let of_thread = Arc::clone(&maker);
        let first = spawn_blocking(move || of_thread.frame(number, shown, &format));
        let first = finished(first).await;
        let first = first.ok_or_else(|| Error::Internal("the first frame is lost".to_owned()))?;
        let frames = Decoding::start(frames, maker, Some(format));
        let waiting = Arc::default();
        let first_number = number;
        Ok(FrameFeeder { frames, first, first_number, leading_gaps, waiting, previews, problems })
    }
}

impl FrameFeeder {
    /// A flag that is true while FFmpeg waits for a frame that is still being fetched or decoded.
    pub fn waiting(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.waiting)
    }

    async fn next(&mut self) -> Option<Result<Decoded, StorageError>> {
        self.waiting.store(true, Ordering::Relaxed);
        let next = self.frames.next().await;
        self.waiting.store(false, Ordering::Relaxed);
        next
    }

    /// Writes all frames to FFmpeg's standard input. It returns early, without an error, if FFmpeg
    /// stops reading: FFmpeg's own end explains why.
    ///
    /// # Errors
    /// - [`Error::Storage`] if a frame cannot be read.
    /// - [`Error::UnusableFrames`] if a frame is unusable and cannot be bridged. The error names
    ///   all unusable frames of the sequence.
    pub async fn run(mut self, mut ffmpeg: ChildStdin) -> Result<(), Error> {
        let MadeFrame { raw: mut shown, preview } = self.first.clone();
        self.queue_preview(self.first_number, preview).await;
        for _ in 0..=self.leading_gaps {
            if ffmpeg.write_all(&shown).await.is_err() {
                return Ok(());
            }
        }
        while let Some(Decoded { number, image }) = self.next().await.transpose()? {
            let made = self.problems.take(number, image);
            if !self.problems.is_usable() {
                return Err(self.problems.of_all(self.frames).await);
            }
            if let Some(MadeFrame { raw, preview }) = made {
                shown = raw;
                self.queue_preview(number, preview).await;
            }
            if ffmpeg.write_all(&shown).await.is_err() {
                return Ok(());
            }
        }
        self.problems.warn();
        // This signals the end of the input.
        drop(ffmpeg);
        if let Some(previews) = &mut self.previews {
            previews.settle().await;
        }
        Ok(())
    }

    async fn queue_preview(&mut self, number: FrameNumber, preview: Option<Vec<u8>>) {
        if let (Some(previews), Some(preview)) = (&mut self.previews, preview) {
            previews.push(number, preview).await;
        }
    }
}

impl Problems {
    fn new(folder: Location, allow_gaps: bool, same_size: bool) -> Self {
        Self {
            folder,
            allow_gaps,
            same_size,
            sizes: BTreeMap::new(),
            unusable: Vec::new(),
            not_finite: Vec::new(),
            ignored: BTreeMap::new(),
        }
    }

    /// Records what there is to say about a frame. The result is the frame; `None` repeats the one
    /// before.
    fn take(&mut self, number: FrameNumber, image: Image) -> Option<MadeFrame> {
        match image {
            Image::Whole { shape, traits, frame } => {
                self.record(number, shape, &traits);
                frame
            }
            Image::Gap => None,
            Image::Damaged(why) => {
                self.damaged(number, why);
                None
            }
        }
    }

    fn record(&mut self, number: FrameNumber, shape: Shape, traits: &Traits) {
        if self.same_size {
            self.sizes.entry(shape).or_default().push(number);
        }
        if traits.not_finite > 0 {
            self.not_finite.push(number);
        }
        if let Some(ignored) = &traits.ignored {
            self.ignored.entry(ignored.clone()).or_default().push(number);
        }
    }

    fn damaged(&mut self, number: FrameNumber, why: String) {
        if self.allow_gaps {
            tracing::warn!(
                frame = number.get(),
                "frame {number} is damaged, repeating the frame before (--allow-gaps): {why}"
            );
        } else {
            self.unusable.push((number, why));
        }
    }

    fn is_usable(&self) -> bool {
        self.unusable.is_empty() && self.sizes.len() <= 1
    }

    fn warn(&self) {
        for (ignored, frames) in &self.ignored {
            let frames: FrameSet = frames.iter().copied().collect();
            let one = frames.len() == 1;
            match ignored {
                Ignored::Profile(name) => tracing::warn!(
                    "{} {} the colour profile {name}, which is not applied: the colours look as if it \
                     was sRGB; convert the pictures to sRGB",
                    frames.named(),
                    if one { "has" } else { "have" }
                ),
                Ignored::FurtherImages => tracing::warn!(
                    "{} {} more than one image, of which only the first is shown; make a file of each \
                     image",
                    frames.named(),
                    if one { "holds" } else { "hold" }
                ),
            }
        }
        if self.not_finite.is_empty() {
            return;
        }
        let frames: FrameSet = self.not_finite.iter().copied().collect();
        let contain = if frames.len() == 1 { "contains" } else { "contain" };
        tracing::warn!(
            "{} {contain} values that are infinite or no number (NaN), which are shown as the \
             brightest value or as black; look for the material or the node that makes them",
            frames.named()
        );
    }

    /// Decodes the remaining frames. The result is an error with all problems of the sequence.
    async fn of_all(mut self, mut frames: Decoding) -> Error {
        while let Some(decoded) = frames.next().await {
            match decoded {
                Ok(Decoded { number, image }) => _ = self.take(number, image),
                Err(error) => return error.into(),
            }
        }
        self.error()
    }

    fn error(self) -> Error {
        let mut problems = Vec::new();
        if self.sizes.len() > 1 {
            let sizes = self.sizes.iter().map(|(shape, frames)| {
                let frames: FrameSet = frames.iter().copied().collect();
                format!("frames {frames} are {shape}")
            });
            problems.push(format!(
                "their sizes differ, which --size (SIZE) makes alike: {}",
                sizes.collect::<Vec<_>>().join(", ")
            ));
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
        Error::UnusableFrames { folder: self.folder, problems }
    }
}
