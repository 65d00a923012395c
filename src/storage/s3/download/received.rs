//! The bytes of an object, or a range of them, in memory.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};

use super::errors::{truncated, wrong_length};
use crate::storage::Failure;
use crate::storage::s3::bucket::PART_SIZE;
use crate::storage::s3::integrity::Checksum;
use crate::storage::s3::requests::classify::{AttemptError, body_error};
use crate::storage::s3::requests::deadlines::{content_timeout, with_timeout};

/// The requested bytes of an object.
#[derive(Clone, Copy)]
pub(super) enum GetRange {
    /// The whole object, of `max` bytes at most.
    Whole { max: u64 },
    /// The bytes from the first to the second offset, both included.
    Bytes(u64, u64),
}

impl GetRange {
    /// The value of the `Range` header.
    pub(super) fn header(self) -> Option<String> {
        match self {
            Self::Whole { .. } => None,
            Self::Bytes(start, end) => Some(format!("bytes={start}-{end}")),
        }
    }

    /// The largest number of bytes in the response.
    fn max_length(self) -> u64 {
        match self {
            Self::Whole { max } => max,
            Self::Bytes(start, end) => end - start + 1,
        }
    }

    /// The error for a response of `length` bytes, if that is more.
    fn exceeded(self, length: u64) -> AttemptError {
        match self {
            Self::Whole { max } => Failure::grown(max).into(),
            Self::Bytes(start, end) => wrong_length((start, end), length, length),
        }
    }
}

/// The bytes of an object or a range of it.
pub(super) struct Received {
    pub(super) content: Bytes,
    /// The size of the whole object, in bytes.
    pub(super) total: u64,
    pub(super) etag: Option<String>,
    /// The checksum of the object, if `content` is the whole of it and the SDK has not compared it.
    pub(super) expected: Option<Checksum>,
}

impl Received {
    /// Reads the response to a request for `range`.
    pub(super) async fn read(
        response: GetObjectOutput,
        range: GetRange,
    ) -> Result<Self, AttemptError> {
        let checksum = Checksum::from_response(&response);
        let total = response
            .content_range()
            .and_then(|range| range.rsplit_once('/'))
            .and_then(|(_, total)| total.parse().ok());
        let expected = response.content_length().and_then(|length| u64::try_from(length).ok());
        let etag = response.e_tag().map(str::to_owned);
        if let Some(length) = expected.filter(|&length| length > range.max_length()) {
            return Err(range.exceeded(length));
        }
        let body = collect(response.body, expected.unwrap_or_default(), range);
        let content = with_timeout(content_timeout(expected.unwrap_or(PART_SIZE)), body).await?;
        let length = content.len() as u64;
        if let Some(expected) = expected.filter(|&expected| expected != length) {
            return Err(truncated(length, expected));
        }
        let total = total.unwrap_or(length);
        if let GetRange::Bytes(start, end) = range
            && length != (end + 1).min(total).saturating_sub(start)
        {
            return Err(wrong_length((start, end), total, length));
        }
        let expected = checksum.filter(|_| length == total);
        Ok(Self { content, total, etag, expected })
    }
}

/// Reads a whole body of about `expected` bytes. Each piece is copied and freed as soon as it
/// arrives: the SDK's own `collect` holds everything twice in the end.
async fn collect(
    mut body: ByteStream,
    expected: u64,
    range: GetRange,
) -> Result<Bytes, AttemptError> {
    // Capped, because the length that a store reports may be wrong. The system provides memory only
    // as it is filled.
    let capacity = usize::try_from(expected.min(16 * PART_SIZE)).unwrap_or_default();
    let mut content = BytesMut::with_capacity(capacity);
    while let Some(piece) = body.try_next().await.map_err(|error| body_error(&error))? {
        content.extend_from_slice(&piece);
        let length = content.len() as u64;
        if length > range.max_length() {
            return Err(range.exceeded(length));
        }
    }
    Ok(content.freeze())
}
