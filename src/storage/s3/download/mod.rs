//! Downloads: whole objects to memory, or ranges of them to a file.

mod errors;
mod parts;
mod received;
pub(crate) mod scratch;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::OnceCell;

use super::bucket::Bucket;
use super::integrity::Checksum;
use super::requests::classify::AttemptError;
use super::requests::deadlines::{response_timeout, with_timeout};
use crate::request::Location;
use crate::space::Space;
use crate::storage::{Failure, Opened, Version};
use errors::{truncated, version_error};
use parts::Source;
use received::{GetRange, Received};
use scratch::{checksum_of, read_at};

/// The maximum number of downloads of an object until its checksum matches.
const ROUNDS: u32 = 4;

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

fn corrupt() -> Failure {
    Failure::Transient("the bytes that arrived do not match the object's checksum".into())
}

/// The name of `file` while it is incomplete.
fn partial_path(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".part");
    path.into()
}
