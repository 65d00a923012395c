//! Frames as columns rather than as an object for each of them, so that ten thousand take less than half a
//! megabyte of JSON.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::request::{FrameFile, FrameNumber, ImageFormat};
use crate::watch::frame::{Frame, Preview, Standing};

/// Frames in columns: what is at the same place belongs to the same frame.
#[derive(Default, Serialize)]
pub struct Columns<'a> {
    number: Vec<i32>,
    /// A letter for each: stored, pending, failed, missing.
    standing: String,
    /// Bytes; 0 if it is not stored.
    size: Vec<u64>,
    /// What `modified` and `picture` are counted from, in milliseconds since 1970.
    from: u64,
    modified: Vec<u64>,
    /// The version of its picture; null if there is none yet.
    picture: Vec<Option<u64>>,
    seconds: Vec<Option<f64>>,
    /// Mebibytes.
    memory: Vec<Option<u64>>,
    /// The extension of all names but those in `names`.
    extension: &'static str,
    /// Names of another kind, by place.
    names: BTreeMap<usize, &'a str>,
    /// How often frames were rendered, if more than once, by place.
    renders: BTreeMap<usize, u16>,
    /// The causes of failures, and which place has which.
    causes: Vec<&'a str>,
    cause: BTreeMap<usize, usize>,
}

impl<'a> Columns<'a> {
    /// These frames in columns.
    pub fn of(frames: impl Iterator<Item = &'a Frame>) -> Self {
        let frames: Vec<_> = frames.collect();
        let files = || frames.iter().filter_map(|frame| frame.file.as_ref());
        let format = files().find_map(|file| FrameFile::parse(&file.name));
        let format = format.map_or(ImageFormat::Png, |frame| frame.format);
        let mut columns = Self {
            from: files().map(|file| file.modified).min().unwrap_or(0),
            extension: format.extension(),
            ..Self::default()
        };
        let mut causes = HashMap::new();
        for (place, frame) in frames.into_iter().enumerate() {
            columns.add(place, frame, format, &mut causes);
        }
        columns
    }

    fn add(
        &mut self,
        place: usize,
        frame: &'a Frame,
        format: ImageFormat,
        causes: &mut HashMap<&'a str, usize>,
    ) {
        self.number.push(frame.number);
        self.standing.push(match &frame.standing {
            Standing::Stored => 's',
            Standing::Pending => 'p',
            Standing::Failed(_) => 'f',
            Standing::Missing => 'm',
        });
        self.seconds.push(frame.seconds.map(rounded));
        self.memory.push(frame.memory.map(|bytes| bytes >> 20));
        let file = frame.file.as_ref();
        self.size.push(file.map_or(0, |file| file.size));
        self.modified.push(file.map_or(0, |file| file.modified - self.from));
        self.picture.push(version(frame).map(|version| version.saturating_sub(self.from)));
        if let Some(file) = file
            && FrameNumber::new(frame.number.into())
                .is_none_or(|number| FrameFile::name(number, format) != *file.name)
        {
            self.names.insert(place, &file.name);
        }
        if frame.renders > 1 {
            self.renders.insert(place, frame.renders);
        }
        if let Standing::Failed(cause) = &frame.standing {
            let new = self.causes.len();
            let known = *causes.entry(cause).or_insert(new);
            if known == new {
                self.causes.push(cause);
            }
            self.cause.insert(place, known);
        }
    }
}

/// The version of the picture that is shown of a frame; `None` while it is about to be stored.
pub fn version(frame: &Frame) -> Option<u64> {
    let file = frame.file.as_ref()?;
    match frame.preview {
        // A preview can seem to be older than its frame: S3 cuts times to seconds.
        Preview::Stored(modified) => Some(modified.max(file.modified)),
        Preview::None => Some(file.modified),
        Preview::Expected => None,
    }
}

/// Two digits after the point are enough for people.
pub fn rounded(value: f32) -> f64 {
    (f64::from(value) * 100.0).round() / 100.0
}
