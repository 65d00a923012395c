//! Identifies the scene file and the Blender that frames are made from.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::external_state::size_and_time;
use crate::blender::{SceneFileError, VersionOutput, version_command};
use crate::error::Error;
use crate::process::supervisor::{Event, Running, Stdin, Stream};
use crate::storage::{Fingerprint, Opened, Version};
use crate::worker::{Worker, sandbox_policy};

/// How long `blender --version` may take. It takes half a second, and longer on a network volume
/// with a cold cache.
const VERSION_TIMEOUT: Duration = Duration::from_secs(30);

/// The size of the read buffer, in bytes.
const CHUNK: usize = 1024 * 1024;

/// A local scene file, which Blender opens in place.
#[derive(Clone, Debug)]
pub struct LocalScene {
    path: PathBuf,
    size_and_time: String,
}

impl LocalScene {
    /// The current state of a local scene file; `None` if the scene is on S3.
    ///
    /// # Errors
    /// [`Error::SceneFile`] if the metadata of the file cannot be read.
    pub async fn of(scene: &Opened) -> Result<Option<Self>, Error> {
        match &scene.version {
            Version::S3 { .. } => Ok(None),
            Version::Local(path) => {
                let state = state_of(path).await.map_err(|error| unreadable(scene, error))?;
                Ok(Some(Self { path: path.clone(), size_and_time: state }))
            }
        }
    }

    /// The folder of the file.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Whether the file has not changed since. Blender opens it long after it was identified, and
    /// again at each launch.
    pub async fn is_unchanged(&self) -> bool {
        state_of(&self.path).await.is_ok_and(|now| now == self.size_and_time)
    }
}

async fn state_of(file: &Path) -> io::Result<String> {
    Ok(size_and_time(&tokio::fs::metadata(file).await?))
}

fn unreadable(scene: &Opened, error: io::Error) -> Error {
    Error::SceneFile { scene: scene.location.clone(), source: SceneFileError::Io(error) }
}

/// Identifies a scene file by its location and content. The location counts because relative paths
/// in the scene depend on it. `None` if the store has no `ETag` for the content.
///
/// # Errors
/// [`Error::SceneFile`] if a local file cannot be read.
pub async fn scene(scene: &Opened) -> Result<Option<String>, Error> {
    match &scene.version {
        Version::S3 { etag } => {
            Ok(etag.as_ref().map(|etag| format!("{} {etag} {}", scene.location, scene.size)))
        }
        Version::Local(path) => {
            let mut hash = Sha256::new();
            let (path, location) = (path.clone(), path.display().to_string());
            let read = blocking(move || {
                each_chunk(&path, |chunk| hash.update(chunk))?;
                Ok(Fingerprint::from(<[u8; 32]>::from(hash.finalize())))
            });
            let hash = read.await?.map_err(|error| unreadable(scene, error))?;
            Ok(Some(format!("{location} {hash}")))
        }
    }
}

/// Identifies a Blender by the content of its file. If that is not an ELF program, it may be a
/// script that starts any Blender, so its version counts as well. `None` if it prints no version.
///
/// # Errors
/// [`Error::Interrupted`] if the job is stopped meanwhile.
pub async fn blender(
    worker: &Worker,
    blender: &Path,
    home: &Path,
) -> Result<Option<String>, Error> {
    /// The first bytes of an ELF file.
    const ELF: &[u8] = b"\x7fELF";

    let path = blender.to_owned();
    let read = blocking(move || {
        // Much faster than SHA-256, and Blender has a hundred megabytes. Nobody gains anything by
        // forging a Blender with the same CRC: all they would get is an old frame.
        let (mut crc, mut size, mut start) = (crc32fast::Hasher::new(), 0, None);
        each_chunk(&path, |chunk| {
            start.get_or_insert_with(|| chunk.starts_with(ELF));
            size += chunk.len();
            crc.update(chunk);
        })?;
        Ok((format!("crc32 {:08x}, {size} bytes", crc.finalize()), start == Some(true)))
    });
    match read.await? {
        Ok((content, true)) => Ok(Some(content)),
        Ok((content, false)) => {
            let version = query_version(worker, blender, home).await?;
            Ok(version.map(|version| format!("{content}, {version}")))
        }
        Err(error) => {
            // A program can be executable without being readable.
            tracing::debug!("{} cannot be read: {error}", blender.display());
            query_version(worker, blender, home).await
        }
    }
}

/// Runs `blender --version`; `None` if that fails or takes too long.
async fn query_version(
    worker: &Worker,
    blender: &Path,
    home: &Path,
) -> Result<Option<String>, Error> {
    // A program that cannot be started is reported when it is started to render.
    let command = version_command(blender, home, &worker.confinement.environment);
    let policy = sandbox_policy::for_version(worker, blender, home);
    let Ok(mut child) = Running::start(command, Stdin::Null, &worker.sandbox, policy) else {
        return Ok(None);
    };
    // Always wait for its end: the supervisor would take a program that is started meanwhile for a
    // descendant of this one.
    let version = async {
        let (mut answer, mut in_time) = (VersionOutput::default(), true);
        let mut overdue = pin!(sleep(VERSION_TIMEOUT));
        loop {
            tokio::select! {
                event = child.next() => match event {
                    Event::Line(Stream::Stdout, line) => answer.push(&line),
                    Event::Line(Stream::Stderr, _) => {}
                    Event::Ended(_) => {
                        return Ok::<_, Error>(answer.text().filter(|_| in_time));
                    }
                },
                () = overdue.as_mut(), if in_time => {
                    in_time = false;
                    child.stop(Duration::ZERO);
                }
            }
        }
    };
    worker.unless_stopped(version).await
}

/// Reads a file in chunks of bounded size.
///
/// # Errors
/// If it cannot be read.
pub fn each_chunk(path: &Path, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(buffer.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<io::Result<T>, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal(error.to_string()))
}
