//! The queue: one item is worked on at a time, and the others wait in the order in which they were
//! asked for. It survives a restart, because each item remembers that it was asked for.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;

use super::run::{Work, run};
use crate::process::shutdown::{Shutdown, Stage};
use crate::serve::store::item::Kind;
use crate::serve::store::making::Making;
use crate::serve::store::shelf::Shelf;
use crate::serve::store::time::millis;

/// The items that wait, and the one that is worked on.
#[derive(Debug)]
pub struct Queue<K> {
    state: Mutex<State<K>>,
    added: Notify,
}

#[derive(Debug)]
struct State<K> {
    waiting: VecDeque<Arc<K>>,
    current: Option<Current<K>>,
}

#[derive(Debug)]
struct Current<K> {
    item: Arc<K>,
    stop: Arc<Notify>,
}

impl<K: Kind> Queue<K> {
    /// The queue that the items remember.
    pub fn of(shelf: &Shelf<K>) -> Self {
        let mut requested: Vec<_> = shelf
            .all()
            .into_iter()
            .filter_map(|item| Some((item.item().document().requested?, item)))
            .collect();
        requested.sort_by_key(|(when, _)| *when);
        let waiting = requested.into_iter().map(|(_, item)| item).collect();
        let state = State { waiting, current: None };
        state.renumber();
        Self { state: Mutex::new(state), added: Notify::new() }
    }

    /// Lets an item be worked on. Nothing changes if it is in the queue already.
    ///
    /// # Errors
    /// The error of the system, if the request cannot be remembered.
    pub fn add(&self, item: &Arc<K>, choose: impl FnOnce(&mut K::Choices)) -> io::Result<()> {
        let mut state = self.lock();
        if state.has(item) {
            return Ok(());
        }
        item.item().change(|document| {
            choose(&mut document.choices);
            document.requested = Some(millis(SystemTime::now()));
        })?;
        state.waiting.push_back(Arc::clone(item));
        state.renumber();
        drop(state);
        self.added.notify_one();
        Ok(())
    }

    /// Takes an item out of the queue, or stops the work on it.
    ///
    /// # Errors
    /// The error of the system, if this cannot be remembered.
    pub fn remove(&self, item: &K) -> io::Result<()> {
        let mut state = self.lock();
        let id = &item.item().id;
        if let Some(current) = state.current.as_ref().filter(|it| it.item.item().id == *id) {
            current.stop.notify_one();
            return Ok(());
        }
        let before = state.waiting.len();
        state.waiting.retain(|waiting| waiting.item().id != *id);
        if state.waiting.len() < before {
            item.item().change(|document| document.requested = None)?;
            item.item().set_making(Making::Stopped);
            state.renumber();
        }
        Ok(())
    }

    /// Works on one item after the other until a stop is requested, each with a new `W`.
    pub async fn work<W: Work<Kind = K>>(&self, shutdown: &Shutdown, new: impl Fn() -> W) {
        let noun = K::NOUN;
        while shutdown.requested().is_none() {
            let Some((item, stop)) = self.next() else {
                tokio::select! {
                    () = self.added.notified() => {}
                    _ = shutdown.beyond(Stage::Working) => {}
                }
                continue;
            };
            let id = &item.item().id;
            tracing::info!("starting {noun} {id}");
            let making = run(new(), &item, &stop, shutdown).await;
            if shutdown.requested().is_some() {
                // It is done again after the restart.
                return;
            }
            if let Making::Failed(failure) = &making {
                tracing::warn!("{noun} {id}: {}", failure.error);
            } else {
                tracing::info!("ended with {noun} {id}");
            }
            // Both at once: the item must not be asked for again in between.
            let mut state = self.lock();
            let forgotten = item.item().change(|document| document.requested = None);
            if let Err(error) = forgotten {
                tracing::warn!("cannot take note of the end of {noun} {id}: {error}");
            }
            item.item().set_making(making);
            state.current = None;
            state.renumber();
        }
    }

    fn next(&self) -> Option<(Arc<K>, Arc<Notify>)> {
        let mut state = self.lock();
        let item = state.waiting.pop_front()?;
        let stop = Arc::new(Notify::new());
        state.current = Some(Current { item: Arc::clone(&item), stop: Arc::clone(&stop) });
        item.item().set_making(Making::BEGUN);
        state.renumber();
        Some((item, stop))
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> State<K> {
    fn has(&self, item: &K) -> bool {
        let current = self.current.iter().map(|current| &current.item);
        self.waiting.iter().chain(current).any(|other| other.item().id == item.item().id)
    }

    /// Tells each item how many others are worked on first.
    fn renumber(&self) {
        for (place, item) in self.waiting.iter().enumerate() {
            let ahead = place + usize::from(self.current.is_some());
            if item.item().making() != (Making::Waiting { ahead }) {
                item.item().set_making(Making::Waiting { ahead });
            }
        }
    }
}
