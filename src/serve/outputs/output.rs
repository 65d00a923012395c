//! One output: looks at it while somebody watches.
//!
//! The requests of those who watch cause the looks. So nothing is read while nobody does, and several
//! watchers cause no more looks than one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::fence::Fence;
use crate::error_chain::chain;
use crate::image::View;
use crate::request::Location;
use crate::serve::blocking::blocking;
use crate::serve::decoders::Decoders;
use crate::serve::problem::Problem;
use crate::storage::Storage;
use crate::watch::state::State;
use crate::watch::{Watched, millis};

/// The name of the file with the address of an output.
const FILE: &str = "output.json";

/// The pause between two looks at a local folder, and at S3, where each costs requests.
const LOCAL_PAUSE: Duration = Duration::from_secs(1);
const S3_PAUSE: Duration = Duration::from_secs(5);

/// A look that takes long is followed by a pause of so many times its duration.
const REST: u32 = 10;

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// How long a look may take before the page says that the store does not answer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// What is kept of an output: the file `output.json` in its folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Document {
    /// Its URI or path.
    uri: String,
    /// When it was added, in milliseconds since 1970.
    created: u64,
}

impl Document {
    /// The document of an output that is added now.
    pub fn new(location: &Location) -> Self {
        Self { uri: location.to_string(), created: millis(SystemTime::now()) }
    }

    /// Reads the document of a folder.
    ///
    /// # Errors
    /// If there is none, or if it is no document.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let document: Self = serde_json::from_slice(&fs::read(folder.join(FILE))?)?;
        document.location()?;
        Ok(document)
    }

    /// Creates the folder of an output.
    ///
    /// # Errors
    /// The error of the system.
    pub fn create(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir(folder)?;
        let partial = folder.join(".output.json");
        fs::write(&partial, serde_json::to_vec_pretty(self)?)?;
        fs::rename(partial, folder.join(FILE))
    }

    fn location(&self) -> io::Result<Location> {
        // A local path was stored as it is, and may look like something else.
        if self.uri.starts_with('/') {
            return Ok(Location::Local(PathBuf::from(&self.uri)));
        }
        self.uri.parse().map_err(io::Error::other)
    }
}

/// What all outputs share.
#[derive(Debug)]
pub struct Shared {
    /// Reads them.
    pub storage: Arc<Storage>,
    /// Decode their pictures.
    pub decoders: Decoders,
}

/// What belongs to an output on the server.
#[derive(Debug)]
pub struct Place {
    /// The folder of what the server keeps of it.
    pub folder: PathBuf,
    /// The local folders that may be read for it.
    pub fence: Fence,
    /// Whether its folder comes with its first frame.
    pub may_be_missing: bool,
}

/// An output that the page watches.
#[derive(Debug)]
pub struct Output {
    id: String,
    place: Place,
    location: Location,
    created: u64,
    pub(super) shared: Arc<Shared>,
    looking: Mutex<Looking>,
    latest: RwLock<Option<Arc<Snapshot>>>,
    /// How Blender shows the frames, and how many attempts there were when that was read.
    pub(super) view: Mutex<Option<(usize, View)>>,
}

#[derive(Debug)]
struct Looking {
    watched: Watched,
    /// When the last look ended, and the pause after it.
    last: Option<(Instant, Duration)>,
}

/// What an output had at a time.
#[derive(Debug)]
pub struct Snapshot {
    /// Another number than before says that something has changed. It is higher after a restart.
    pub revision: u64,
    /// What it had.
    pub state: State,
    /// Why the last look has failed. The state is then that of an earlier one.
    pub error: Option<String>,
}

impl Output {
    /// An output that lies at the address in `document`.
    pub fn new(id: String, place: Place, document: &Document, shared: Arc<Shared>) -> Self {
        // Documents are checked when they are read.
        let location =
            document.location().unwrap_or_else(|_| Location::Local(PathBuf::from(&document.uri)));
        let looking = Looking { watched: Watched::new(location.clone()), last: None };
        Self {
            id,
            place,
            location,
            created: document.created,
            shared,
            looking: Mutex::new(looking),
            latest: RwLock::new(None),
            view: Mutex::new(None),
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder of what the server keeps of it.
    pub fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// When it was added, in milliseconds since 1970.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// What it had at the last look, if there was one.
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What it has. It is looked at unless the last look was just now.
    pub async fn look(&self) -> Arc<Snapshot> {
        let mut looking = self.looking.lock().await;
        if let (Some(latest), Some((ended, pause))) = (self.latest(), looking.last)
            && ended.elapsed() < pause
        {
            return latest;
        }
        let began = Instant::now();
        let result = self.look_now(&mut looking.watched).await;
        looking.last = Some((Instant::now(), self.pause(began.elapsed())));
        self.keep(result)
    }

    /// How long to wait until the next look, after one that took so long.
    fn pause(&self, took: Duration) -> Duration {
        let least = match self.location {
            Location::Local(_) => LOCAL_PAUSE,
            Location::S3 { .. } => S3_PAUSE,
        };
        (took * REST).clamp(least, MAX_PAUSE)
    }

    /// After which pause a watcher asks again.
    pub fn interval(&self) -> Duration {
        self.pause(Duration::ZERO)
    }

    async fn look_now(&self, watched: &mut Watched) -> Result<State, String> {
        if self.place.may_be_missing
            && matches!(&self.location, Location::Local(path) if !path.exists())
        {
            return Ok(State::default());
        }
        self.check().await.map_err(|problem| problem.message)?;
        let look = watched.look(&self.shared.storage, SystemTime::now());
        match timeout(LOOK_TIMEOUT, look).await {
            Ok(state) => state.map_err(|error| chain(&error)),
            Err(_) => Err(format!("{} does not answer; it is asked again", self.location)),
        }
    }

    /// Checks that nothing in a local output leads out of the folders that may be read.
    async fn check(&self) -> Result<(), Problem> {
        let Location::Local(path) = self.location.clone() else { return Ok(()) };
        let fence = self.place.fence.clone();
        blocking(move || fence.output(&path).map(drop)).await
    }

    /// The location of a file of the output, without links if it is local.
    ///
    /// # Errors
    /// If it leads out of the folders that may be read, or is not there.
    pub async fn file(&self, folder: &str, name: &str) -> Result<Location, Problem> {
        let folder =
            if folder.is_empty() { self.location.clone() } else { self.location.join(folder) };
        let file = folder.join(name);
        let Location::Local(path) = file else { return Ok(file) };
        let fence = self.place.fence.clone();
        blocking(move || fence.inside(&path).map(Location::Local)).await
    }

    /// Keeps the result of a look.
    fn keep(&self, result: Result<State, String>) -> Arc<Snapshot> {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        let (state, error) = match result {
            Ok(state) => (state, None),
            Err(error) => {
                let state = latest.as_ref().map(|latest| latest.state.clone());
                (state.unwrap_or_default(), Some(error))
            }
        };
        if let Some(latest) = &*latest
            && latest.error == error
            && latest.state == state
        {
            return Arc::clone(latest);
        }
        let revision =
            latest.as_ref().map_or_else(|| millis(SystemTime::now()), |it| it.revision + 1);
        let snapshot = Arc::new(Snapshot { revision, state, error });
        *latest = Some(Arc::clone(&snapshot));
        snapshot
    }
}
