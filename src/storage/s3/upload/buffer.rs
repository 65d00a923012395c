//! Memory for uploads. It holds the content so that a failed attempt can be repeated, and bounds
//! the memory of all concurrent uploads together. Memory is reused, because the system has to clear
//! every page of new memory.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::request::ByteSize;
use crate::storage::Failure;
use crate::storage::s3::download::scratch::read_into;

/// The bytes of one permit: a semaphore hands out permits as 32-bit numbers.
const UNIT: u64 = 4 * 1024;

/// A bounded amount of memory that uploads share.
#[derive(Debug)]
pub(crate) struct Buffer {
    permits: Arc<Semaphore>,
    /// The number of all permits.
    units: u32,
    pool: Arc<Pool>,
}

impl Buffer {
    /// A buffer of `size`.
    pub(crate) fn new(size: ByteSize) -> Self {
        let max = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let units = u32::try_from(size.bytes().div_ceil(UNIT)).unwrap_or(max).clamp(1, max);
        let pool = Pool { size: size.bytes(), pieces: Mutex::default() };
        Self { permits: Arc::new(Semaphore::new(units as usize)), units, pool: Arc::new(pool) }
    }

    /// Reads `length` bytes of `file` from `offset` on, as soon as the buffer has room for them,
    /// first come, first served. Content that is larger than the buffer waits until all of it is
    /// free. The room is free again when the last clone or slice of the bytes is dropped.
    pub(crate) async fn read(
        &self,
        file: &Arc<File>,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, Failure> {
        let permit = self.acquire(length).await;
        let content = read_into(file, offset, length, self.pool.take(length)).await?;
        Ok(Bytes::from_owner(Pooled { content, pool: Arc::clone(&self.pool), _permit: permit }))
    }

    async fn acquire(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(self.units).min(self.units);
        // Cannot fail: the semaphore is never closed.
        Arc::clone(&self.permits).acquire_many_owned(units).await.ok()
    }
}

/// Content in memory from the pool, and the permit for it. Dropping it returns both.
struct Pooled {
    content: Vec<u8>,
    pool: Arc<Pool>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        self.pool.put(std::mem::take(&mut self.content));
    }
}

/// Pieces of memory for reuse, of `size` bytes in total at most.
#[derive(Debug)]
struct Pool {
    size: u64,
    pieces: Mutex<Vec<Vec<u8>>>,
}

impl Pool {
    /// Takes the smallest piece with a capacity of `length` bytes, or else an empty one.
    fn take(&self, length: u64) -> Vec<u8> {
        let mut pieces = self.pieces();
        let fitting = pieces.iter().enumerate().filter(|(_, piece)| capacity(piece) >= length);
        let best = fitting.min_by_key(|(_, piece)| piece.capacity()).map(|(index, _)| index);
        best.map(|index| pieces.swap_remove(index)).unwrap_or_default()
    }

    fn put(&self, piece: Vec<u8>) {
        let mut pieces = self.pieces();
        pieces.push(piece);
        // Frees the oldest pieces first: newer ones fit the sizes that are in use now.
        while pieces.iter().map(capacity).sum::<u64>() > self.size {
            pieces.remove(0);
        }
    }

    fn pieces(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn capacity(piece: &Vec<u8>) -> u64 {
    piece.capacity() as u64
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    const SIZE: u64 = 10 * UNIT;

    /// A buffer of [`SIZE`], and a file ten times as large.
    fn buffer_and_file() -> (Buffer, Arc<File>) {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..SIZE * 10).map(|n| (n % 251) as u8).collect();
        file.write_all(&content).unwrap();
        (Buffer::new(ByteSize::from(SIZE)), Arc::new(file))
    }

    #[tokio::test]
    async fn content_larger_than_the_buffer_takes_all_of_it_and_the_next_one_waits() {
        let (buffer, file) = buffer_and_file();
        let all = buffer.read(&file, 0, SIZE * 10).await.unwrap();
        let copy = all.slice(7..9);
        assert_eq!((all.len() as u64, &*copy), (SIZE * 10, &[7, 8][..]));
        let mut next = pin!(buffer.read(&file, 3, 1));
        drop(all);
        assert!(poll!(next.as_mut()).is_pending(), "a slice of it is still held");
        drop(copy);
        assert_eq!(&*next.await.unwrap(), [3]);
        assert_eq!(buffer.permits.available_permits(), 10);
    }

    #[tokio::test]
    async fn memory_is_reused_and_the_pool_is_bounded() {
        let (buffer, file) = buffer_and_file();
        let first = buffer.read(&file, 0, SIZE).await.unwrap();
        let memory = first.as_ptr();
        drop(first);
        let second = buffer.read(&file, 5, SIZE / 2).await.unwrap();
        assert_eq!((second.as_ptr(), second.len() as u64, second[0]), (memory, SIZE / 2, 5));
        drop(second);
        drop(buffer.read(&file, 0, SIZE * 10).await.unwrap());
        assert_eq!(buffer.pool.pieces().len(), 0, "a piece larger than the pool is freed");
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error_and_releases_its_permits() {
        let (buffer, file) = buffer_and_file();
        assert!(buffer.read(&file, SIZE * 10 - 1, 2).await.is_err());
        assert_eq!(buffer.permits.available_permits(), 10);
    }
}
