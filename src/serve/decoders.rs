//! Threads that decode pictures: few, and always the same ones, so that what they take of the memory
//! stays the same however many pictures they decode.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, available_parallelism};

use tokio::sync::{Semaphore, oneshot};

use super::problem::{Problem, ProblemKind};

/// The most threads.
const MAX_THREADS: usize = 2;

/// A file of more bytes is decoded alone: its picture can take a hundred times as much.
const LARGE: u64 = 8 << 20;

type Work = Box<dyn FnOnce() + Send>;

/// Threads that decode pictures. Clones share them.
#[derive(Clone, Debug)]
pub struct Decoders {
    queue: mpsc::Sender<Work>,
    slots: Arc<Semaphore>,
    threads: u32,
}

impl Decoders {
    /// Starts the threads, which end with the last clone.
    pub fn new() -> Self {
        let threads = available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
        let (queue, works) = mpsc::channel::<Work>();
        let works = Arc::new(Mutex::new(works));
        for _ in 0..threads {
            let works = Arc::clone(&works);
            thread::spawn(move || {
                loop {
                    let work = works.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(work) = work else { return };
                    // The one who waits for it notices.
                    _ = catch_unwind(AssertUnwindSafe(work));
                }
            });
        }
        let slots = Arc::new(Semaphore::new(threads));
        Self { queue, slots, threads: u32::try_from(threads).unwrap_or(1) }
    }

    /// Decodes a file of so many bytes on one of the threads, as soon as it is its turn.
    ///
    /// # Errors
    /// The errors of the work.
    pub async fn run<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let ended = |()| Problem::new(ProblemKind::Internal, "the picture cannot be decoded");
        let slots = if bytes > LARGE { self.threads } else { 1 };
        // Never an error: it is not closed. The slots are free once the work has ended, even if nobody
        // waits for it any more.
        let slots = Arc::clone(&self.slots).acquire_many_owned(slots).await.ok();
        let (tell, told) = oneshot::channel();
        let work = move || {
            _ = tell.send(work());
            drop(slots);
        };
        self.queue.send(Box::new(work)).map_err(|_| ()).map_err(ended)?;
        told.await.map_err(|_| ()).map_err(ended)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_goes_on_after_a_panic() {
        let decoders = Decoders::new();
        for bytes in [0, LARGE + 1, 0, LARGE + 1, 0] {
            decoders.run(bytes, || -> Result<(), _> { panic!("a bug") }).await.unwrap_err();
        }
        assert_eq!(decoders.run(1, || Ok(7)).await.unwrap(), 7);
    }
}
