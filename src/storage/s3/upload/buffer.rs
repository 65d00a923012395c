//! Memory for what is on its way out. It is held there, so that an attempt that fails can be
//! repeated, and however many files are sent, together they stay within a size. The memory is
//! used again: new memory comes from the system, which clears every page of it.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::request::ByteSize;
use crate::storage::Failure;
use crate::storage::s3::download::scratch::read_into;

/// What it is counted in: places of a semaphore are 32 bit.
const UNIT: u64 = 4 * 1024;

/// So many bytes of memory.
#[derive(Debug)]
pub(crate) struct Buffer {
    places: Arc<Semaphore>,
    units: u32,
    spare: Arc<Spare>,
}

impl Buffer {
    /// No more than `size`.
    pub(crate) fn new(size: ByteSize) -> Self {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let units = u32::try_from(size.bytes().div_ceil(UNIT)).unwrap_or(most).clamp(1, most);
        let spare = Spare { size: size.bytes(), pieces: Mutex::default() };
        Self { places: Arc::new(Semaphore::new(units as usize)), units, spare: Arc::new(spare) }
    }

    /// The `length` bytes of `file` from `offset` on, as soon as there is room for them; first
    /// come, first served. What is larger than all there is gets all. The room is given back
    /// with the last that is left of them.
    pub(crate) async fn hold(
        &self,
        file: &Arc<File>,
        offset: u64,
        length: u64,
    ) -> Result<Bytes, Failure> {
        let room = self.room(length).await;
        let content = read_into(file, offset, length, self.spare.take(length)).await?;
        Ok(Bytes::from_owner(Held { content, spare: Arc::clone(&self.spare), _room: room }))
    }

    async fn room(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(self.units).min(self.units);
        // Never closed, so it is always had.
        Arc::clone(&self.places).acquire_many_owned(units).await.ok()
    }
}

/// What was read, in its share of the room.
struct Held {
    content: Vec<u8>,
    spare: Arc<Spare>,
    _room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.spare.put(std::mem::take(&mut self.content));
    }
}

/// Pieces of memory that wait to be used again, no more than so many bytes together.
#[derive(Debug)]
struct Spare {
    size: u64,
    pieces: Mutex<Vec<Vec<u8>>>,
}

impl Spare {
    /// The smallest piece that `length` bytes fit in, or an empty one.
    fn take(&self, length: u64) -> Vec<u8> {
        let mut pieces = self.pieces();
        let fitting = pieces.iter().enumerate().filter(|(_, piece)| room_of(piece) >= length);
        let best = fitting.min_by_key(|(_, piece)| piece.capacity()).map(|(index, _)| index);
        best.map(|index| pieces.swap_remove(index)).unwrap_or_default()
    }

    fn put(&self, piece: Vec<u8>) {
        let mut pieces = self.pieces();
        pieces.push(piece);
        // The oldest go first, which are of the size that was.
        while pieces.iter().map(room_of).sum::<u64>() > self.size {
            pieces.remove(0);
        }
    }

    fn pieces(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn room_of(piece: &Vec<u8>) -> u64 {
    piece.capacity() as u64
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    const SIZE: u64 = 10 * UNIT;

    /// A buffer of [`SIZE`], and a file of ten times that.
    fn setting() -> (Buffer, Arc<File>) {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..SIZE * 10).map(|n| (n % 251) as u8).collect();
        file.write_all(&content).unwrap();
        (Buffer::new(ByteSize::from(SIZE)), Arc::new(file))
    }

    #[tokio::test]
    async fn what_is_too_large_gets_all_there_is_and_the_next_one_waits() {
        let (buffer, file) = setting();
        let all = buffer.hold(&file, 0, SIZE * 10).await.unwrap();
        let copy = all.slice(7..9);
        assert_eq!((all.len() as u64, &*copy), (SIZE * 10, &[7, 8][..]));
        let mut next = pin!(buffer.hold(&file, 3, 1));
        drop(all);
        assert!(poll!(next.as_mut()).is_pending(), "a part of it is still held");
        drop(copy);
        assert_eq!(&*next.await.unwrap(), [3]);
        assert_eq!(buffer.places.available_permits(), 10);
    }

    #[tokio::test]
    async fn memory_is_used_again_and_not_too_much_is_kept() {
        let (buffer, file) = setting();
        let first = buffer.hold(&file, 0, SIZE).await.unwrap();
        let memory = first.as_ptr();
        drop(first);
        let second = buffer.hold(&file, 5, SIZE / 2).await.unwrap();
        assert_eq!((second.as_ptr(), second.len() as u64, second[0]), (memory, SIZE / 2, 5));
        drop(second);
        drop(buffer.hold(&file, 0, SIZE * 10).await.unwrap());
        assert_eq!(buffer.spare.pieces().len(), 0, "it was larger than there is room for");
    }

    #[tokio::test]
    async fn a_file_that_became_shorter_is_an_error_and_takes_no_room() {
        let (buffer, file) = setting();
        assert!(buffer.hold(&file, SIZE * 10 - 1, 2).await.is_err());
        assert_eq!(buffer.places.available_permits(), 10);
    }
}
