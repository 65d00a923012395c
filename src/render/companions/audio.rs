//! The scene's sound, which Blender mixes when it has rendered the frames.
//!
//! One worker stores it: the first child of an array, or a job that is no array. It has to render
//! at least one frame, because only Blender can mix.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::blender::{AUDIO_ERROR, SceneAudio};
use crate::error_chain::chain;
use crate::request::{Attempt, Location};
use crate::storage::Storage;
use crate::worker::untrusted_file;

/// The name of the file that Blender writes.
pub const AUDIO_FILE: &str = "audio.flac";

/// The first bytes of a FLAC file.
const SIGNATURE: [u8; 4] = *b"fLaC";

/// The largest description of an error that is read, in bytes.
const MAX_ERROR: u64 = 64 * 1024;

/// Stores the sound of a scene below the output.
#[derive(Debug)]
pub struct Audio {
    storage: Arc<Storage>,
    location: Location,
    /// The file that Blender writes.
    file: PathBuf,
    /// Whether it is still to be stored, by this worker.
    is_wanted: bool,
}

impl Audio {
    /// The sound that Blender leaves in `folder`, for this output.
    /// `is_first` is whether this process mixes it, and not another one of this worker.
    pub fn new(
        attempt: &Attempt,
        storage: Arc<Storage>,
        output: &Location,
        folder: &Path,
        is_first: bool,
    ) -> Self {
        Self {
            storage,
            location: output.join(SceneAudio::FILE),
            file: folder.join(AUDIO_FILE),
            is_wanted: is_first && attempt.array.is_none_or(|array| array.index == 0),
        }
    }

    /// Whether Blender should mix the sound, if the scene has any.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Whether Blender has mixed the sound, or failed to do so.
    pub fn is_mixed(&self) -> bool {
        self.file.exists() || self.error_file().exists()
    }

    /// Removes what an earlier launch of Blender has left.
    pub fn remove_leftovers(&self) {
        for file in [&self.file, &self.error_file()] {
            _ = std::fs::remove_file(file);
        }
    }

    /// Stores the sound. The result is false if Blender has not mixed it.
    ///
    /// # Errors
    /// Why there is no sound.
    pub async fn store(&mut self) -> Result<bool, String> {
        match self.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.mixing_error(),
            Err(error) => Err(format!("Blender's file is unusable: {error}")),
            Ok(file) => {
                let stored = self.storage.upload(file, &self.location, None).await;
                let bytes = stored.map_err(|error| chain(&error))?;
                tracing::info!(bytes, "stored the scene's sound, {}", self.location);
                self.is_wanted = false;
                Ok(true)
            }
        }
    }

    fn open(&self) -> io::Result<File> {
        let mut file = untrusted_file::open(&self.file)?;
        let mut start = [0; SIGNATURE.len()];
        file.read_exact(&mut start)?;
        file.rewind()?;
        if start == SIGNATURE { Ok(file) } else { Err(io::Error::other("it is not FLAC")) }
    }

    fn mixing_error(&self) -> Result<bool, String> {
        match untrusted_file::read(&self.error_file(), MAX_ERROR) {
            Ok(why) => Err(String::from_utf8_lossy(&why).trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    }

    fn error_file(&self) -> PathBuf {
        let mut path = self.file.clone().into_os_string();
        path.push(AUDIO_ERROR);
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{ArrayPosition, Transfers};
    use std::fs;
    use std::os::unix::fs::symlink;

    fn audio(folder: &Path, index: Option<u32>) -> Audio {
        let array = index.map(|index| ArrayPosition { index, size: None });
        let attempt = Attempt { array, ..Attempt::default() };
        let storage = Arc::new(Storage::new(Transfers::default()));
        Audio::new(&attempt, storage, &Location::Local(folder.join("out")), folder, true)
    }

    #[test]
    fn one_worker_stores_the_sound() {
        for (index, is_wanted) in [(None, true), (Some(0), true), (Some(1), false)] {
            assert_eq!(audio(Path::new("/o"), index).is_wanted(), is_wanted, "{index:?}");
        }
    }

    #[tokio::test]
    async fn the_sound_is_stored_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut audio = audio(folder.path(), None);
        assert_eq!((audio.is_mixed(), audio.store().await), (false, Ok(false)));
        fs::write(&audio.file, b"fLaC...").unwrap();
        assert_eq!((audio.is_mixed(), audio.store().await), (true, Ok(true)));
        assert!(!audio.is_wanted());
        let stored = fs::read(folder.path().join("out").join(SceneAudio::FILE)).unwrap();
        assert_eq!(stored, b"fLaC...");
    }

    #[tokio::test]
    async fn what_is_no_sound_is_not_stored() {
        let folder = tempfile::tempdir().unwrap();
        let mut audio = audio(folder.path(), None);
        for content in [b"".as_slice(), b"fLa", b"RIFF...."] {
            fs::write(&audio.file, content).unwrap();
            assert!(audio.store().await.is_err(), "{content:?}");
        }
        audio.remove_leftovers();
        symlink("/etc/passwd", &audio.file).unwrap();
        assert!(audio.store().await.is_err());
        audio.remove_leftovers();
        fs::write(audio.error_file(), "no such codec\n").unwrap();
        assert_eq!(
            (audio.is_mixed(), audio.store().await),
            (true, Err("no such codec".to_owned()))
        );
        assert!(audio.is_wanted() && !folder.path().join("out").exists());
    }
}
