//! Outputs that the page watches: `outputs/ID/` in the folder of the server for each of them.
//!
//! ```text
//! fence      the local folders that the page may read
//! output     one output: looks at it while somebody watches
//! compact    what it has as JSON, and what has changed
//! columns    frames as columns
//! pictures   previews, the version before, and full pictures that browsers can show
//! ```
//!
//! The server writes nothing to an output. What it keeps of one is its address, and the previews that the
//! page has shown.

mod columns;
pub mod compact;
pub mod fence;
pub mod output;
pub mod pictures;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use super::problem::{Problem, ProblemKind};
use super::store::names::Id;
use crate::request::Location;
use fence::Fence;
use output::{Document, Output, Place, Shared};

/// The folder of the outputs.
const OUTPUTS: &str = "outputs";

/// The most outputs that are remembered.
const MAX_OUTPUTS: usize = 1000;

/// The outputs that the page watches. Clones share them.
#[derive(Clone, Debug)]
pub struct Outputs {
    all: Arc<RwLock<BTreeMap<Id, Arc<Output>>>>,
    /// Those of renders, by the id that requests have.
    renders: Arc<RwLock<BTreeMap<String, Arc<Output>>>>,
    folder: PathBuf,
    shared: Arc<Shared>,
    changes: Arc<watch::Sender<()>>,
}

impl Outputs {
    /// Opens the outputs in the folder of the server. `fence` has the local folders of outputs.
    ///
    /// # Errors
    /// The error of the system.
    pub fn open(
        data: &Path,
        fence: &Fence,
        shared: Arc<Shared>,
        changes: Arc<watch::Sender<()>>,
    ) -> io::Result<Self> {
        let folder = data.join(OUTPUTS);
        fs::create_dir_all(&folder)?;
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Ok(id) = name.parse::<Id>() else { continue };
            match Document::read(&path) {
                Ok(document) => {
                    let shared = Arc::clone(&shared);
                    let place = Place { folder: path, fence: fence.clone(), may_be_missing: false };
                    let output = Output::new(id.to_string(), place, &document, shared);
                    all.insert(id, Arc::new(output));
                }
                Err(error) => {
                    tracing::warn!("leaving out {}, which is no output: {error}", path.display());
                }
            }
        }
        let all = Arc::new(RwLock::new(all));
        Ok(Self { all, renders: Arc::default(), folder, shared, changes })
    }

    /// Adds an output; `false` if it was there already.
    ///
    /// # Errors
    /// If it may not be read, or there are too many.
    pub fn add(&self, location: &Location, fence: &Fence) -> Result<(Arc<Output>, bool), Problem> {
        let location = match location {
            Location::Local(path) => Location::Local(fence.output(path)?),
            Location::S3 { .. } => location.clone(),
        };
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(output) = all.values().find(|output| *output.location() == location) {
            return Ok((Arc::clone(output), false));
        }
        if all.len() >= MAX_OUTPUTS {
            let message =
                format!("{MAX_OUTPUTS} outputs are watched, which is the most; remove some");
            return Err(Problem::new(ProblemKind::Conflict, message));
        }
        let cannot = |error| Problem::io("remember the output", &error);
        let output = self.insert(&mut all, &location, fence, false).map_err(cannot)?;
        drop(all);
        self.changes.send_replace(());
        Ok((output, true))
    }

    /// Adds the output of a run, whose folder comes with its first frame.
    ///
    /// # Errors
    /// The error of the system.
    pub fn add_of_run(&self, location: &Location, fence: &Fence) -> io::Result<Arc<Output>> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        self.insert(&mut all, location, fence, true)
    }

    fn insert(
        &self,
        all: &mut BTreeMap<Id, Arc<Output>>,
        location: &Location,
        fence: &Fence,
        may_be_missing: bool,
    ) -> io::Result<Arc<Output>> {
        let id = Id::random()?;
        let folder = self.folder.join(id.to_string());
        let document = Document::new(location);
        document.create(&folder)?;
        let shared = Arc::clone(&self.shared);
        let place = Place { folder, fence: fence.clone(), may_be_missing };
        let output = Arc::new(Output::new(id.to_string(), place, &document, shared));
        all.insert(id, Arc::clone(&output));
        Ok(output)
    }

    /// Finds an output.
    pub fn find(&self, id: &Id) -> Option<Arc<Output>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// The output in a folder of the render in `render`. `id` is what requests call it.
    pub fn of_render(&self, id: &str, render: &Path, output: PathBuf) -> Arc<Output> {
        let mut renders = self.renders.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let name = if id.ends_with("-preview") { "watched-preview" } else { "watched" };
            let place = Place {
                folder: render.join(name),
                fence: Fence::new(vec![render.to_owned()]),
                may_be_missing: true,
            };
            let document = Document::new(&Location::Local(output));
            Arc::new(Output::new(id.to_owned(), place, &document, Arc::clone(&self.shared)))
        };
        Arc::clone(renders.entry(id.to_owned()).or_insert_with(new))
    }

    /// Forgets the output of a render that is removed.
    pub fn forget_render(&self, id: &str) {
        self.renders.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// All outputs, the newest first.
    pub fn all(&self) -> Vec<Arc<Output>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let mut outputs: Vec<_> = all.values().cloned().collect();
        drop(all);
        outputs.sort_by_key(|output| std::cmp::Reverse(output.created()));
        outputs
    }

    /// Forgets an output. Its own files stay.
    ///
    /// # Errors
    /// The error of the system.
    pub fn remove(&self, output: &Output) -> io::Result<()> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, other| other.id() != output.id());
        drop(all);
        self.changes.send_replace(());
        fs::remove_dir_all(output.folder())
    }
}
