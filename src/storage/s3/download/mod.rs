//! Downloads: whole objects to memory, or ranges of them to a file.

pub(crate) mod scratch;

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::OnceCell;

use super::bucket::{Bucket, PART_SIZE};
use super::integrity::Checksum;
use super::requests::adaptive_concurrency::MAX_CONCURRENCY;
use super::requests::classify::{AttemptError, attempt_error, body_error};
use super::requests::deadlines::{content_timeout, response_timeout, with_timeout};
use crate::ending::Size;
use crate::request::Location;
use crate::space::Space;
use crate::storage::crc::Crc;
use crate::storage::{Failure, Opened, Version};
use scratch::{checksum_of, create, read_at, write_checksummed};

/// The maximum number of downloads of an object until its checksum matches.
const ROUNDS: u32 = 4;

/// How much of a part is collected in memory before it is written, in bytes.
const BLOCK: u64 = 256 * 1024;

impl Bucket {
    /// Reads the whole object, of `size` bytes at most, into memory.
    pub(in crate::storage) async fn read(&self, key: &str, size: u64) -> Result<Bytes, Failure> {
        Ok(self.get_verified(key, GetRange::Whole { max: size }).await?.content)
    }

    /// Reads the first `length` bytes of an object.
    pub(in crate::storage) async fn open(
        &self,
        location: &Location,
        key: &str,
        length: u64,
    ) -> Result<Opened, Failure> {
        let range = GetRange::Bytes(0, length.max(1) - 1);
        let Received { content, total, etag, .. } = self.get_verified(key, range).await?;
        let (location, version) = (location.clone(), Version::S3 { etag });
        Ok(Opened { location, start: content, size: total, version })
    }

    /// Checks the beginning of an object by fetching it again. A range comes without a checksum,
    /// but two transfers are unlikely to have the same error.
    pub(in crate::storage) async fn confirm(
        &self,
        key: &str,
        etag: Option<&str>,
        start: &Bytes,
    ) -> Result<(), Failure> {
        let range = GetRange::Bytes(0, (start.len() as u64).max(1) - 1);
        let again = self.get(key, range, etag).await;
        let again = again.map_err(|failed| failed.failure)?;
        if again.content == *start {
            return Ok(());
        }
        Err(Failure::Transient("its beginning arrived in two versions, one of them corrupt".into()))
    }

    /// Reads the bytes from `start` up to but not including `end`, of the version `etag` if given.
    pub(in crate::storage) async fn read_range(
        &self,
        key: &str,
        etag: Option<&str>,
        start: u64,
        end: u64,
    ) -> Result<Bytes, Failure> {
        if start >= end {
            return Ok(Bytes::new());
        }
        let received = self.get(key, GetRange::Bytes(start, end - 1), etag).await;
        let content = received.map_err(|failed| failed.failure)?.content;
        let (length, expected) = (content.len() as u64, end - start);
        if length < expected { Err(truncated(length, expected).failure) } else { Ok(content) }
    }

    /// Gets an object or its first bytes. If that is the whole object, its checksum is compared.
    async fn get_verified(&self, key: &str, range: GetRange) -> Result<Received, Failure> {
        let mut previous = None;
        for _ in 0..ROUNDS {
            let received = self.get(key, range, None).await.map_err(|failed| failed.failure)?;
            let Some(expected) = &received.expected else { return Ok(received) };
            let actual = expected.compute(&received.content);
            if is_intact(&actual, expected, &mut previous) {
                return Ok(received);
            }
        }
        Err(corrupt())
    }

    /// Downloads an object whose beginning is known to `file`, the rest of it in parts.
    pub(in crate::storage) async fn download(
        &self,
        key: &str,
        etag: Option<&str>,
        opened: &Opened,
        file: &Path,
    ) -> Result<(), Failure> {
        let part = partial_path(file);
        let mut previous = None;
        for round in 0..ROUNDS {
            // On later rounds, fetch the beginning again: it may be the corrupt part.
            let known = if round == 0 { opened.start.clone() } else { Bytes::new() };
            let source = Source { key, etag, size: opened.size, expected: OnceCell::new() };
            let out = self.download_parts(&source, known, &part).await;
            let (out, crc) = out.map_err(|failed| with_space(failed.failure, file))?;
            if let Some(Some(expected)) = source.expected.into_inner() {
                let actual = match crc.and_then(|crc| expected.with_crc(&crc)) {
                    Some(actual) => actual,
                    None => checksum_of(&out, expected.clone()).await?,
                };
                if !is_intact(&actual, &expected, &mut previous) {
                    continue;
                }
            }
            if read_at(&out, 0, opened.start.len() as u64).await? != opened.start {
                // `opened.start` was the corrupt part, and the caller has already relied on it.
                break;
            }
            tokio::fs::rename(&part, file).await?;
            return Ok(());
        }
        Err(corrupt())
    }

    /// Downloads an object to `file`, except its first bytes, which are `known`. Also returns the
    /// CRC of the object, if its checksum is a CRC.
    async fn download_parts(
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

    /// Gets an object or some of its bytes, of the version `etag` if given, with retries until the
    /// body is complete.
    async fn get(
        &self,
        key: &str,
        range: GetRange,
        etag: Option<&str>,
    ) -> Result<Received, AttemptError> {
        self.requester
            .send_classified(key, |client| {
                let request = client
                    .get_object()
                    .bucket(self.name())
                    .key(key)
                    .set_range(range.header())
                    .set_if_match(etag.map(str::to_owned));
                let received = async move {
                    let response = async { Ok(request.send().await) };
                    match with_timeout(response_timeout(0), response).await? {
                        // An empty object has no bytes, so no range of it can be satisfied.
                        Err(error)
                            if matches!(range, GetRange::Bytes(0, _))
                                && error
                                    .raw_response()
                                    .is_some_and(|r| r.status().as_u16() == 416) =>
                        {
                            Ok(Received {
                                content: Bytes::new(),
                                total: 0,
                                etag: None,
                                expected: None,
                            })
                        }
                        Err(error) => Err(version_error(error)),
                        Ok(response) => Received::read(response, range).await,
                    }
                };
                let size = |received: &Received| received.content.len() as u64;
                self.concurrency.limited(size, received)
            })
            .await
    }
}

/// Whether an object has arrived intact. A [`Checksum::ETag`] that differs is not an MD5 if the
/// same content has arrived twice. `previous` is the checksum of the last round.
fn is_intact(actual: &Checksum, expected: &Checksum, previous: &mut Option<Checksum>) -> bool {
    if actual == expected {
        return true;
    }
    let twice = previous.as_ref() == Some(actual);
    *previous = Some(actual.clone());
    twice && matches!(actual, Checksum::ETag(_))
}

/// An error message if the disk has no room for `file` with so many bytes. This is checked before
/// the download, because a download that fills the disk still costs time and money.
fn too_large(bytes: u64, file: &Path) -> Option<String> {
    let space = Space::on(file.parent()?).ok().filter(|space| !space.holds(bytes))?;
    Some(format!("it is {} large, and {space}", Size(bytes)))
}

/// Names the disk of `file` in an error about a disk that is full.
fn with_space(failure: Failure, file: &Path) -> Failure {
    let space = file.parent().and_then(|folder| Space::on(folder).ok());
    match (failure, space) {
        (Failure::Io(why), Some(space)) if space.is_tight() => {
            Failure::Io(format!("{why}: {space}").into())
        }
        (failure, _) => failure,
    }
}

/// Classifies an error of a request for one version of an object.
fn version_error<E>(error: SdkError<E, HttpResponse>) -> AttemptError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if error.raw_response().is_some_and(|response| response.status().as_u16() == 412) {
        let text = "it was replaced by another version while it was being read";
        return Failure::Transient(text.into()).into();
    }
    attempt_error(error)
}

fn corrupt() -> Failure {
    Failure::Transient("the bytes that arrived do not match the object's checksum".into())
}

/// An object that is downloaded in parts.
struct Source<'a> {
    key: &'a str,
    etag: Option<&'a str>,
    size: u64,
    /// The checksum that S3 reports, once requested.
    expected: OnceCell<Option<Checksum>>,
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

/// The error for a body that is shorter than its `Content-Length`.
fn truncated(length: u64, expected: u64) -> AttemptError {
    AttemptError::transient(format!("the body ended after {length} of {expected} bytes"))
}

/// The error for a response of another length than the requested range, both ends of which are
/// included. A store without support for ranges sends the whole object.
fn wrong_length((start, end): (u64, u64), total: u64, length: u64) -> AttemptError {
    let text =
        format!("asked for bytes {start} to {end} of {total}, but the store sent {length} bytes");
    Failure::Refused(text.into()).into()
}

/// The requested bytes of an object.
#[derive(Clone, Copy)]
enum GetRange {
    /// The whole object, of `max` bytes at most.
    Whole { max: u64 },
    /// The bytes from the first to the second offset, both included.
    Bytes(u64, u64),
}

impl GetRange {
    /// The value of the `Range` header.
    fn header(self) -> Option<String> {
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
struct Received {
    content: Bytes,
    /// The size of the whole object, in bytes.
    total: u64,
    etag: Option<String>,
    /// The checksum of the object, if `content` is the whole of it and the SDK has not compared it.
    expected: Option<Checksum>,
}

impl Received {
    /// Reads the response to a request for `range`.
    async fn read(response: GetObjectOutput, range: GetRange) -> Result<Self, AttemptError> {
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

/// The name of `file` while it is incomplete.
fn partial_path(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".part");
    path.into()
}
