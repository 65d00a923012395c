//! Reads the reports of an output, each version of one once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::{StreamExt as _, stream};

use super::attempt::Attempt;
use crate::error_chain::chain;
use crate::request::Location;
use crate::storage::{Entry, Storage, StorageError};
use crate::worker::report::{self, LARGEST_REPORT};

/// How many small reports are read concurrently. Larger ones are read one by one, so that they do not
/// fill the memory.
const CONCURRENCY: usize = 8;

/// The size of a small report in bytes.
const SMALL: u64 = 512 * 1024;

/// The most reports that are read: the attempts of the largest array, twice.
const MAX_REPORTS: usize = 20_000;

/// The reports that were read.
#[derive(Debug, Default)]
pub struct Reports(HashMap<String, Known>);

/// A version of a report.
#[derive(Debug)]
struct Known {
    size: u64,
    modified: SystemTime,
    /// `None` if it is damaged or foreign.
    attempt: Option<Arc<Attempt>>,
}

impl Reports {
    /// Reads those of the listed reports that are not known yet, and forgets those that are gone.
    ///
    /// # Errors
    /// If the store cannot be reached. A report that cannot be read for another reason is skipped.
    pub async fn read(
        &mut self,
        storage: &Storage,
        folder: &Location,
        mut listed: Vec<Entry>,
    ) -> Result<(), StorageError> {
        listed.retain(|entry| report::action_of(&entry.name).is_some());
        // The newest ones, if there are too many.
        listed.sort_by_key(|entry| std::cmp::Reverse(entry.modified));
        listed.truncate(MAX_REPORTS);
        let names: HashSet<_> = listed.iter().map(|entry| entry.name.as_str()).collect();
        self.0.retain(|name, _| names.contains(name.as_str()));
        let is_known = |entry: &Entry| {
            self.0
                .get(&entry.name)
                .is_some_and(|known| (known.size, known.modified) == (entry.size, entry.modified))
        };
        listed.retain(|entry| !is_known(entry));
        let (small, large): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|entry| entry.size <= SMALL);
        let mut read = stream::iter(small)
            .map(|entry| read(storage, folder, entry))
            .buffer_unordered(CONCURRENCY);
        while let Some(result) = read.next().await {
            self.keep(result?);
        }
        drop(read);
        for entry in large {
            let result = self::read(storage, folder, entry).await;
            self.keep(result?);
        }
        Ok(())
    }

    fn keep(&mut self, (name, known): (String, Known)) {
        self.0.insert(name, known);
    }

    /// The attempts, in the order in which they began.
    pub fn attempts(&self) -> Vec<Arc<Attempt>> {
        let mut attempts: Vec<_> =
            self.0.values().filter_map(|known| known.attempt.clone()).collect();
        attempts.sort_by(|a, b| (a.started, &a.report).cmp(&(b.started, &b.report)));
        attempts
    }

    /// How many files look like reports and are none.
    pub fn skipped(&self) -> usize {
        self.0.values().filter(|known| known.attempt.is_none()).count()
    }
}

/// Reads a report and what it tells.
async fn read(
    storage: &Storage,
    folder: &Location,
    entry: Entry,
) -> Result<(String, Known), StorageError> {
    let Entry { name, size, modified } = entry;
    let file = folder.join(&name);
    // A link could lead to a file that is not to be read.
    let is_link = matches!(&file, Location::Local(path) if path.is_symlink());
    let attempt = if is_link {
        Err("it is a link".to_owned())
    } else {
        match storage.read_up_to(&file, LARGEST_REPORT).await {
            Ok(Some(content)) => Attempt::parse(&name, &content),
            Ok(None) => Err("it is too large for a report".to_owned()),
            Err(error) if error.failure().is_transient() => return Err(error),
            Err(error) => Err(chain(&error)),
        }
    };
    let attempt = attempt.inspect_err(|why| tracing::debug!("skipping the report {file}: {why}"));
    Ok((name, Known { size, modified, attempt: attempt.ok().map(Arc::new) }))
}
