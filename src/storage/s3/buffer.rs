//! Room for what is on its way out: it is held in memory, so that an attempt that fails can
//! be repeated, and however many there are, together they stay within this.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::request::ByteSize;

/// What it is counted in: places of a semaphore are 32 bit.
const UNIT: u64 = 4 * 1024;

/// So many bytes of memory.
#[derive(Debug)]
pub(super) struct Buffer {
    places: Semaphore,
    units: u32,
}

/// A share of the room, given back when it is dropped.
pub(super) struct Share<'a> {
    _permit: Option<SemaphorePermit<'a>>,
}

impl Buffer {
    pub(super) fn new(size: ByteSize) -> Self {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let units = u32::try_from(size.bytes().div_ceil(UNIT)).unwrap_or(most).clamp(1, most);
        Self { places: Semaphore::new(units as usize), units }
    }

    /// Room for so many bytes, as soon as there is some; first come, first served. What is
    /// larger than all there is gets all.
    pub(super) async fn room(&self, bytes: u64) -> Share<'_> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(self.units).min(self.units);
        // Never closed, so it is always had.
        Share { _permit: self.places.acquire_many(units).await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn what_is_too_large_gets_all_there_is_and_the_next_one_waits() {
        let buffer = Buffer::new(ByteSize::from(10 * UNIT));
        let share = buffer.room(1000 * UNIT).await;
        let mut next = pin!(buffer.room(1));
        assert!(poll!(next.as_mut()).is_pending());
        drop(share);
        let small = next.await;
        let _rest = buffer.room(9 * UNIT).await;
        assert!(poll!(pin!(buffer.room(1))).is_pending());
        drop(small);
        buffer.room(1).await;
    }
}
