//! A file on its way to the server: a hidden file beside its place until it is whole.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::task::spawn_blocking;

use crate::ending::Size;
use crate::serve::problem::{Problem, ProblemKind};
use crate::serve::store::names::{FileName, random};
use crate::space::Space;

/// The largest picture in bytes.
pub const MAX_PICTURE: u64 = 512 << 20;

/// The largest sound in bytes.
pub const MAX_SOUND: u64 = 4 << 30;

/// The largest archive in bytes, and the most that it may hold.
pub const MAX_ARCHIVE: u64 = 64 << 30;

/// The most pictures of a video.
pub const MAX_PICTURES: usize = 100_000;

/// What stays free on the disk, in bytes: the video, the log and other programs need room as well.
const RESERVE: u64 = 256 << 20;

/// After how many bytes of unknown total size the free space is looked at again.
const CHECK_INTERVAL: u64 = 64 << 20;

/// How many bytes are collected before they are written: each write goes through another thread.
const COLLECTED: usize = 256 * 1024;

/// The beginning of the names of files that are not whole.
pub const PARTIAL: &str = ".partial-";

/// A file that is not whole yet. It is removed when this is dropped.
#[derive(Debug)]
pub struct Incoming {
    file: Arc<fs::File>,
    partial: Partial,
    limit: u64,
    written: u64,
    checked: u64,
    /// What has arrived and is not written yet.
    collected: Vec<u8>,
}

/// The path of a file that is not whole yet. The file is removed when this is dropped.
#[derive(Debug)]
pub struct Partial(PathBuf);

impl Partial {
    /// A new name in `folder`.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self(folder.join(format!("{PARTIAL}{}", random::<8>()?))))
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // It is gone if the file has got its name.
        _ = fs::remove_file(&self.0);
    }
}

impl Incoming {
    /// Starts to receive a file of up to `limit` bytes in `folder`. Its size is `declared`, if that is
    /// known.
    ///
    /// # Errors
    /// If it is too large or does not fit on the disk: nothing is written then.
    pub async fn start(
        folder: PathBuf,
        limit: u64,
        declared: Option<u64>,
    ) -> Result<Self, Problem> {
        check_size(declared.unwrap_or(0), limit)?;
        let made = spawn_blocking(move || {
            check_space(&folder, declared.unwrap_or(0))?;
            let partial = Partial::new(&folder).map_err(cannot_store)?;
            let file = fs::File::create_new(partial.path()).map_err(cannot_store)?;
            Ok((file, partial))
        });
        let (file, partial) = made.await.map_err(io::Error::other).map_err(cannot_store)??;
        Ok(Self {
            file: Arc::new(file),
            partial,
            limit,
            written: 0,
            checked: declared.unwrap_or(0),
            collected: Vec::new(),
        })
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// If the file becomes too large, or the disk full.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.written += bytes.len() as u64;
        check_size(self.written, self.limit)?;
        if self.written > self.checked + CHECK_INTERVAL {
            self.checked = self.written;
            check_space(self.partial.path().parent().unwrap_or(Path::new("/")), 0)?;
        }
        self.collected.extend_from_slice(bytes);
        if self.collected.len() >= COLLECTED { self.write_collected().await } else { Ok(()) }
    }

    async fn write_collected(&mut self) -> Result<(), Problem> {
        let (mut collected, file) = (std::mem::take(&mut self.collected), Arc::clone(&self.file));
        let write = move || {
            (&*file).write_all(&collected)?;
            collected.clear();
            Ok(collected)
        };
        let written = spawn_blocking(write).await.map_err(io::Error::other).flatten();
        self.collected = written.map_err(cannot_store)?;
        Ok(())
    }

    /// Ends the file, without a name of its own.
    ///
    /// # Errors
    /// If not all of it can be written.
    pub async fn finish(mut self) -> Result<Partial, Problem> {
        self.write_collected().await?;
        Ok(self.partial)
    }
}

impl Partial {
    /// Gives the file its name in its folder, and the time of its last change if that is known.
    /// Whether no file had that name.
    ///
    /// # Errors
    /// The error of the system.
    pub fn keep(self, name: &FileName, modified: Option<SystemTime>) -> Result<bool, Problem> {
        let place = self.0.with_file_name(name.as_str());
        let keep = || {
            if let Some(modified) = modified {
                fs::File::options().write(true).open(&self.0)?.set_modified(modified)?;
            }
            let is_new = !fs::exists(&place)?;
            fs::rename(&self.0, &place)?;
            Ok(is_new)
        };
        keep().map_err(cannot_store)
    }
}

/// Checks that a file is not too large.
///
/// # Errors
/// How large it may be.
fn check_size(bytes: u64, limit: u64) -> Result<(), Problem> {
    if bytes <= limit {
        return Ok(());
    }
    let message =
        format!("the file is larger than {}, which is the most; make it smaller", Size(limit));
    Err(Problem::new(ProblemKind::TooLarge, message))
}

/// Checks that so many bytes fit on the disk of a folder.
///
/// # Errors
/// How much is free.
pub fn check_space(folder: &Path, bytes: u64) -> Result<(), Problem> {
    let space = Space::on(folder).map_err(cannot_store)?;
    if space.holds(bytes.saturating_add(RESERVE)) {
        return Ok(());
    }
    let message = format!(
        "{} more do not fit on the disk of the server ({space}, of which {} stay free); make room on \
         it",
        Size(bytes),
        Size(RESERVE)
    );
    Err(Problem::new(ProblemKind::NoSpace, message))
}

/// Removes what broken uploads have left in a folder.
///
/// # Errors
/// The error of the system.
pub fn remove_partial(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn cannot_store(error: io::Error) -> Problem {
    Problem::io("store the file", &error)
}
