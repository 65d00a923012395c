//! Thumbnails: made when the page shows them, on few threads, and kept beside the pictures.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use super::Video;
use crate::image::preview::{PREVIEW_BOUNDS, jpeg, shrink};
use crate::image::{Picture, View, decode_any};
use crate::serve::blocking::blocking;
use crate::serve::decoders::Decoders;
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::incoming::{MAX_PICTURE, Partial};
use crate::serve::store::names::FileName;

/// What transparent parts show: the colour of the page behind thumbnails.
const BACKGROUND: [u8; 3] = [38, 38, 41];

/// Makes thumbnails. Clones share the threads.
#[derive(Clone, Debug)]
pub struct Thumbnails {
    decoders: Decoders,
}

impl Thumbnails {
    /// Makes thumbnails on these threads.
    pub fn new(decoders: Decoders) -> Self {
        Self { decoders }
    }

    /// The thumbnail of a picture, as JPEG.
    ///
    /// # Errors
    /// If there is no such picture, or if it is damaged.
    pub async fn of(&self, video: Arc<Video>, name: FileName) -> Result<Vec<u8>, Problem> {
        let kept = {
            let (video, name) = (Arc::clone(&video), name.clone());
            blocking(move || kept(&video, &name)).await?
        };
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let size = video.picture(&name).map_or(0, |metadata| metadata.len());
        self.decoders.run(size, move || make(&video, &name)).await
    }
}

/// When a picture was last changed.
fn changed(video: &Video, name: &FileName) -> Result<SystemTime, Problem> {
    let metadata =
        video.picture(name).map_err(|_| Problem::not_found(format!("picture {name}")))?;
    metadata.modified().map_err(|error| Problem::io("read the picture", &error))
}

/// The thumbnail that was made before, if it is of the picture as it is now.
fn kept(video: &Video, name: &FileName) -> Result<Option<Vec<u8>>, Problem> {
    let changed = changed(video, name)?;
    let file = video.thumbnail(name);
    let is_of_now =
        fs::metadata(&file).and_then(|file| file.modified()).is_ok_and(|at| at == changed);
    Ok(if is_of_now { fs::read(file).ok() } else { None })
}

fn make(video: &Video, name: &FileName) -> Result<Vec<u8>, Problem> {
    if let Some(kept) = kept(video, name)? {
        // It was asked for twice.
        return Ok(kept);
    }
    let changed = changed(video, name)?;
    let unusable = |what: String| Problem::with_picture(ProblemKind::Unusable, name.as_str(), what);
    let format = name.format().ok_or_else(|| unusable("is no picture".to_owned()))?;
    let file = video.pictures_folder().join(name.as_str());
    let is_too_large = fs::metadata(&file).is_ok_and(|file| file.len() > MAX_PICTURE);
    if is_too_large {
        return Err(unusable("is too large to be shown".to_owned()));
    }
    let content = fs::read(file).map_err(|error| Problem::io("read the picture", &error))?;
    let Picture { pixels, pixel_aspect, .. } =
        decode_any(format, &content, None).map_err(|damage| unusable(damage.to_string()))?;
    drop(content);
    let small = shrink(&pixels, pixel_aspect, PREVIEW_BOUNDS);
    let thumbnail = jpeg(View::default().apply(small), BACKGROUND);
    // A thumbnail that cannot be kept is made again.
    _ = keep(video, name, &thumbnail, changed);
    Ok(thumbnail)
}

fn keep(video: &Video, name: &FileName, thumbnail: &[u8], changed: SystemTime) -> io::Result<()> {
    let partial = Partial::new(&video.thumbnails_folder())?;
    fs::write(partial.path(), thumbnail)?;
    fs::File::options().write(true).open(partial.path())?.set_modified(changed)?;
    fs::rename(partial.path(), video.thumbnail(name))
}
