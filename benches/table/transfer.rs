//! The worker's own storage as a program, for comparison with programs that copy objects:
//! `table transfer up DIR URI`, `table transfer down URI DIR`, and `table transfer project URI DIR [CACHE]`,
//! which fetches what a manifest names.
//!
//! It makes the calls that the worker makes. [`Storage::upload`] stores every file, as it stores
//! frames. [`Storage::read`] fetches objects up to the size of a frame, as for `stitch`;
//! [`Storage::open`] and [`Storage::localise`] fetch larger ones, as for scenes. Unlike `stitch`,
//! it writes what it fetches to files. No file content is inspected.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use render_worker::project::{ProjectCache, SceneInput};
use render_worker::request::{Location, Transfers};
use render_worker::storage::{Entry, START_LENGTH, Storage};

/// The first argument that turns this executable into that program.
pub const WORD: &str = "transfer";

/// The transfers handed to the storage at once. The storage itself limits those in progress.
const AT_ONCE: usize = 128;

/// The largest object in bytes that is read in one piece: larger than any frame.
const WHOLE: u64 = 16 << 20;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the program with these arguments.
pub fn run(arguments: &[String]) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let copied =
        runtime.expect("a runtime").block_on(async {
            match arguments {
                [up, folder, uri] if up == "up" => self::up(Path::new(folder), &uri.parse()?).await,
                [down, uri, folder] if down == "down" => {
                    self::down(&uri.parse()?, Path::new(folder)).await
                }
                [project, uri, folder, cache @ ..] if project == "project" => {
                    self::project(&uri.parse()?, Path::new(folder), cache.first()).await
                }
                _ => Err(format!("{WORD} up DIR URI, {WORD} down URI DIR, {WORD} project URI DIR")
                    .into()),
            }
        });
    match copied {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

async fn up(folder: &Path, to: &Location) -> Result<(), Failure> {
    let storage = Arc::new(Storage::new(Transfers::default()));
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let files: Vec<PathBuf> = names.collect::<Result<_, Failure>>()?;
    let uploads = files.into_iter().map(|path| {
        let storage = Arc::clone(&storage);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let object = to.join(&name);
        async move { Ok::<_, Failure>(storage.upload(File::open(path)?, &object, None).await?) }
    });
    at_once(uploads).await
}

async fn down(from: &Location, folder: &Path) -> Result<(), Failure> {
    let storage = Arc::new(Storage::new(Transfers::default()));
    let entries = storage.list(from).await?;
    let downloads = entries.into_iter().map(|Entry { name, size, .. }| {
        let (storage, object, file) = (Arc::clone(&storage), from.join(&name), folder.join(&name));
        async move {
            if size > WHOLE {
                let opened = storage.open(&object).await?;
                storage.localise(&opened, &file).await?;
            } else {
                let content = storage.read(&object, size).await?;
                tokio::task::spawn_blocking(move || fs::write(file, content)).await??;
            }
            Ok::<_, Failure>(size)
        }
    });
    at_once(downloads).await
}

/// Fetches a project as a worker does.
async fn project(from: &Location, folder: &Path, cache: Option<&String>) -> Result<(), Failure> {
    let storage = Storage::new(Transfers::default());
    let cache = cache.map(|cache| ProjectCache::new(Path::new(cache), u64::MAX, false));
    let scene = SceneInput::open(&storage, from, None, folder, START_LENGTH).await?;
    scene.fetch(&storage, folder, cache.as_ref()).await?;
    Ok(())
}

/// Waits for all transfers, [`AT_ONCE`] at a time, each in a task of its own as in the worker.
async fn at_once<F>(transfers: impl Iterator<Item = F>) -> Result<(), Failure>
where
    F: Future<Output = Result<u64, Failure>> + Send + 'static,
{
    let tasks = stream::iter(transfers.map(|transfer| async { tokio::spawn(transfer).await? }));
    tasks.buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
}
