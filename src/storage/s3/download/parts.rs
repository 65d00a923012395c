//! An object that is downloaded in parts, several at the same time, each to its place in a file.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::OnceCell;

use super::errors::{truncated, version_error, wrong_length};
use super::scratch::{create, write_checksummed};
use crate::ending::Size;
use crate::space::Space;
use crate::storage::Failure;
use crate::storage::crc::Crc;
use crate::storage::s3::bucket::{Bucket, PART_SIZE};
use crate::storage::s3::integrity::Checksum;
use crate::storage::s3::requests::adaptive_concurrency::MAX_CONCURRENCY;
use crate::storage::s3::requests::classify::{AttemptError, body_error};
use crate::storage::s3::requests::deadlines::{content_timeout, response_timeout, with_timeout};

/// How much of a part is collected in memory before it is written, in bytes.
const BLOCK: u64 = 256 * 1024;

/// An object that is downloaded in parts.
pub(super) struct Source<'a> {
    pub(super) key: &'a str,
    pub(super) etag: Option<&'a str>,
    pub(super) size: u64,
    /// The checksum that S3 reports, once requested.
    pub(super) expected: OnceCell<Option<Checksum>>,
}

impl Bucket {
    /// Downloads an object to `file`, except its first bytes, which are `known`. Also returns the
    /// CRC of the object, if its checksum is a CRC.
    pub(super) async fn download_parts(
        &self,
        source: &Source<'_>,
        known: Bytes,
        file: &Path,
    ) -> Result<(Arc<File>, Option<Crc>), AttemptError> {
        // Truncates what an earlier round has written.
        let out = Arc::new(create(file).await?);
        let size = source.size;
        if let Some(full) = too_large(size, file) {
            return Err(Failure::Io(full.into()).into());
        }
        let begin = known.len() as u64;
        write_checksummed(&out, 0, vec![known.clone()], None).await?;
        if begin == size {
            // `get_verified` has compared its checksum.
            return Ok((out, None));
        }
        let parts: Vec<Option<Crc>> =
            stream::iter((0..(size - begin).div_ceil(PART_SIZE)).map(|n| begin + n * PART_SIZE))
                .map(|start| self.download_part(source, start, (start + PART_SIZE).min(size), &out))
                .buffered(MAX_CONCURRENCY)
                .try_collect()
                .await?;
        let expected = source.expected.get().and_then(Option::as_ref);
        let algorithm = expected.and_then(Checksum::crc_algorithm);
        let first = algorithm.map(|algorithm| Crc::of(algorithm, &known));
        let crc = Crc::concat(first.into_iter().chain(parts.into_iter().flatten()));
        Ok((out, crc))
    }

    /// Downloads the bytes from `start` up to but not including `end` to their place in `out`.
    /// Returns their CRC, if the object's checksum is a CRC.
    async fn download_part(
        &self,
        source: &Source<'_>,
        start: u64,
        end: u64,
        out: &Arc<File>,
    ) -> Result<Option<Crc>, AttemptError> {
        self.requester
            .send_classified(source.key, |client| {
                let request = client
                    .get_object()
                    .bucket(self.name())
                    .key(source.key)
                    .range(format!("bytes={start}-{}", end - 1))
                    .set_if_match(source.etag.map(str::to_owned));
                let received = async move {
                    let response = with_timeout(response_timeout(0), async {
                        request.send().await.map_err(version_error)
                    });
                    // Parts come without a checksum. That of the object is fetched at the same
                    // time, once for all parts.
                    let expected = source.expected.get_or_try_init(|| self.expected(source));
                    let (response, expected) = futures_util::try_join!(response, expected)?;
                    let crc = expected.as_ref().and_then(Checksum::crc_algorithm).map(Crc::new);
                    let received = receive(response, (start, end), source.size, out, crc);
                    with_timeout(content_timeout(end - start), received).await
                };
                self.concurrency.limited(move |_| end - start, received)
            })
            .await
    }

    /// The checksum of an object, if S3 reports one.
    async fn expected(&self, source: &Source<'_>) -> Result<Option<Checksum>, AttemptError> {
        let head = self.requester.send_classified(source.key, |client| {
            let request = client.head_object().bucket(self.name()).key(source.key);
            let request = request.checksum_mode(ChecksumMode::Enabled);
            let request = request.set_if_match(source.etag.map(str::to_owned));
            with_timeout(response_timeout(0), async { request.send().await.map_err(version_error) })
        });
        match head.await {
            Ok(head) => Ok(Checksum::from_head(&head)),
            // S3 allows this request to all clients that may read the object. Other stores may not.
            Err(AttemptError {
                failure: Failure::Denied(_) | Failure::Refused(_) | Failure::Missing(_),
                ..
            }) => Ok(None),
            Err(failed) => Err(failed),
        }
    }
}

/// An error message if the disk has no room for `file` with so many bytes. This is checked before
/// the download, because a download that fills the disk still costs time and money.
fn too_large(bytes: u64, file: &Path) -> Option<String> {
    let space = Space::on(file.parent()?).ok().filter(|space| !space.holds(bytes))?;
    Some(format!("it is {} large, and {space}", Size(bytes)))
}

/// Writes the body of a response, the bytes from `start` up to but not including `end` of an object
/// of `size` bytes, to their place in `out`, and appends them to `crc`.
async fn receive(
    response: GetObjectOutput,
    (start, end): (u64, u64),
    size: u64,
    out: &Arc<File>,
    mut crc: Option<Crc>,
) -> Result<Option<Crc>, AttemptError> {
    let length = response.content_length().and_then(|length| u64::try_from(length).ok());
    if let Some(length) = length.filter(|&length| length != end - start) {
        return Err(wrong_length((start, end - 1), size, length));
    }
    let (mut body, mut offset) = (response.body, start);
    let (mut blocks, mut buffered) = (Vec::new(), 0);
    loop {
        let block = body.try_next().await.map_err(|error| body_error(&error))?;
        let ended = block.is_none();
        if let Some(block) = block {
            buffered += block.len() as u64;
            blocks.push(block);
        }
        if offset + buffered > end {
            return Err(wrong_length((start, end - 1), size, offset + buffered - start));
        }
        if buffered >= BLOCK || ended {
            crc = write_checksummed(out, offset, std::mem::take(&mut blocks), crc).await?;
            offset += buffered;
            buffered = 0;
        }
        if ended {
            let (length, expected) = (offset - start, end - start);
            return if offset == end { Ok(crc) } else { Err(truncated(length, expected)) };
        }
    }
}
