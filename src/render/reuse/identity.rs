//! Which scene and which Blender it is that frames are made from.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::external_state::size_and_time;
use crate::blender::{SceneFileError, VersionAnswer, version_command};
use crate::error::Error;
use crate::process::supervisor::{Event, Running, Stdin, Stream};
use crate::storage::{Fingerprint, Opened, Version};
use crate::worker::{Worker, sandbox_policy};

/// How long a Blender that is not a program itself may take to say its version. It
/// takes half a second; a network volume and a cold cache need more.
const VERSION_TIMEOUT: Duration = Duration::from_secs(30);

/// What is read of a file at once.
const CHUNK: usize = 1024 * 1024;

/// A scene file that Blender opens where it lies.
#[derive(Clone, Debug)]
pub struct LocalScene {
    path: PathBuf,
    looks: String,
}

impl LocalScene {
    /// This one as it is now, if it is a local one.
    ///
    /// # Errors
    /// If the system does not tell.
    pub async fn of(scene: &Opened) -> Result<Option<Self>, Error> {
        match &scene.version {
            Version::S3 { .. } => Ok(None),
            Version::Local(path) => {
                let looks = look_at(path).await.map_err(|error| unreadable(scene, error))?;
                Ok(Some(Self { path: path.clone(), looks }))
            }
        }
    }

    /// The folder that it is in.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Whether it still is what it was: Blender opens it long after it was identified, and
    /// again after each failure.
    pub async fn is_unchanged(&self) -> bool {
        look_at(&self.path).await.is_ok_and(|now| now == self.looks)
    }
}

async fn look_at(file: &Path) -> io::Result<String> {
    Ok(size_and_time(&tokio::fs::metadata(file).await?))
}

fn unreadable(scene: &Opened, error: io::Error) -> Error {
    Error::SceneFile { scene: scene.location.clone(), source: SceneFileError::Io(error) }
}

/// What tells this scene file from others: where it lies, because relative paths in it
/// mean other files elsewhere, and what tells its content. `None` where nothing does.
///
/// # Errors
/// If a local file cannot be read to its end.
pub async fn scene(scene: &Opened) -> Result<Option<String>, Error> {
    match &scene.version {
        Version::S3 { etag } => {
            Ok(etag.as_ref().map(|etag| format!("{} {etag} {}", scene.location, scene.size)))
        }
        Version::Local(path) => {
            let mut hash = Sha256::new();
            let (path, place) = (path.clone(), path.display().to_string());
            let read = blocking(move || {
                each_chunk(&path, |chunk| hash.update(chunk))?;
                Ok(Fingerprint::from(<[u8; 32]>::from(hash.finalize())))
            });
            let hash = read.await?.map_err(|error| unreadable(scene, error))?;
            Ok(Some(format!("{place} {hash}")))
        }
    }
}

/// What tells this Blender from others; `None` if it does not say. A program is known by
/// its content. A script may start any Blender, so that it is asked as well.
///
/// # Errors
/// If we were told to stop meanwhile.
pub async fn blender(
    worker: &Worker,
    blender: &Path,
    home: &Path,
) -> Result<Option<String>, Error> {
    /// How an ELF file begins.
    const ELF: &[u8] = b"\x7fELF";

    let path = blender.to_owned();
    let read = blocking(move || {
        // Nobody forges a Blender to get an old frame. This is much faster than SHA-256,
        // and a Blender has a hundred megabytes.
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
            let version = ask_version(worker, blender, home).await?;
            Ok(version.map(|version| format!("{content}, {version}")))
        }
        Err(error) => {
            // There are programs that may be executed and not be read.
            tracing::debug!("{} cannot be read: {error}", blender.display());
            ask_version(worker, blender, home).await
        }
    }
}

async fn ask_version(
    worker: &Worker,
    blender: &Path,
    home: &Path,
) -> Result<Option<String>, Error> {
    // What cannot be started is told when it is to render.
    let command = version_command(blender, home, &worker.confinement.environment);
    let policy = sandbox_policy::for_version(worker, blender, home);
    let Ok(mut child) = Running::start(command, Stdin::Null, &worker.sandbox, policy) else {
        return Ok(None);
    };
    // To its end in any case: what is started next would be taken for something of its own.
    let answer = async {
        let (mut answer, mut in_time) = (VersionAnswer::default(), true);
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
    worker.unless_stopped(answer).await
}

fn each_chunk(path: &PathBuf, mut take: impl FnMut(&[u8])) -> io::Result<()> {
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
