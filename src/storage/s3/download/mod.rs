//! Objects on their way in: whole in memory, or in ranges to a file.

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

use super::bucket::{Bucket, PART};
use super::integrity::Sum;
use super::requests::adaptive_concurrency::MOST;
use super::requests::classify::{AttemptError, attempt_error, body_error};
use super::requests::deadlines::{arrival, limit, within};
use crate::ending::Size;
use crate::request::Location;
use crate::space::Space;
use crate::storage::crc::Crc;
use crate::storage::{Failure, Opened, Version};
use scratch::{create, read_at, sum, write_summed};

/// How often a download is begun again that does not add up.
const ROUNDS: u32 = 4;

/// How much of a part is held in memory before it is written.
const BLOCK: u64 = 256 * 1024;

impl Bucket {
    /// The whole object, which has `size` bytes at most, in memory.
    pub(in crate::storage) async fn read(&self, key: &str, size: u64) -> Result<Bytes, Failure> {
        Ok(self.first(key, Wanted::Whole { most: size }).await?.content)
    }

    /// The beginning of an object, `length` bytes of it.
    pub(in crate::storage) async fn open(
        &self,
        location: &Location,
        key: &str,
        length: u64,
    ) -> Result<Opened, Failure> {
        let wanted = Wanted::Range(0, length.max(1) - 1);
        let Piece { content, total, etag, .. } = self.first(key, wanted).await?;
        let (location, version) = (location.clone(), Version::S3 { etag });
        Ok(Opened { location, start: content, size: total, version })
    }

    /// Whether the beginning of an object is what it was taken for: no sum comes with a
    /// range, but hardly is the same bit wrong twice.
    pub(in crate::storage) async fn confirm(
        &self,
        key: &str,
        etag: Option<&str>,
        start: &Bytes,
    ) -> Result<(), Failure> {
        let wanted = Wanted::Range(0, (start.len() as u64).max(1) - 1);
        let again = self.get(key, wanted, etag).await;
        let again = again.map_err(|failed| failed.failure)?;
        if again.content == *start {
            return Ok(());
        }
        Err(Failure::Transient("its beginning arrived in two versions, one of them damaged".into()))
    }

    /// An object or its first bytes. Where that is the whole, it adds up.
    async fn first(&self, key: &str, wanted: Wanted) -> Result<Piece, Failure> {
        let mut before = None;
        for _ in 0..ROUNDS {
            let piece = self.get(key, wanted, None).await.map_err(|failed| failed.failure)?;
            let Some(expected) = &piece.expected else { return Ok(piece) };
            let found = expected.of_bytes(&piece.content);
            if agrees(&found, expected, &mut before) {
                return Ok(piece);
            }
        }
        Err(spoilt())
    }

    /// Downloads the object to `file` whose beginning is known, the rest in parts.
    pub(in crate::storage) async fn download(
        &self,
        key: &str,
        etag: Option<&str>,
        opened: &Opened,
        file: &Path,
    ) -> Result<(), Failure> {
        let part = partial_path(file);
        let mut before = None;
        for round in 0..ROUNDS {
            // Later it is had again as well: it may be what is spoilt.
            let known = if round == 0 { opened.start.clone() } else { Bytes::new() };
            let source = Source { key, etag, size: opened.size, expected: OnceCell::new() };
            let out = self.download_parts(&source, known, &part).await;
            let (out, crc) = out.map_err(|failed| failed.failure)?;
            if let Some(Some(expected)) = source.expected.into_inner() {
                let found = match crc.and_then(|crc| expected.of_crc(&crc)) {
                    Some(found) => found,
                    None => sum(&out, expected.clone()).await?,
                };
                if !agrees(&found, &expected, &mut before) {
                    continue;
                }
            }
            if read_at(&out, 0, opened.start.len() as u64).await? != opened.start {
                // Somebody has already relied upon it.
                break;
            }
            tokio::fs::rename(&part, file).await?;
            return Ok(());
        }
        Err(spoilt())
    }

    /// Downloads an object to `file`, but for its first bytes, which are `known`. With it
    /// comes what it adds up to, if parts can be added up to what it must.
    async fn download_parts(
        &self,
        source: &Source<'_>,
        known: Bytes,
        file: &Path,
    ) -> Result<(Arc<File>, Option<Crc>), AttemptError> {
        // What an earlier round left is gone now.
        let out = Arc::new(create(file).await?);
        let size = source.size;
        if let Some(full) = too_large(size, file) {
            return Err(Failure::Io(full.into()).into());
        }
        let begin = known.len() as u64;
        write_summed(&out, 0, vec![known.clone()], None).await?;
        if begin == size {
            // That was compared when it came.
            return Ok((out, None));
        }
        let parts: Vec<Option<Crc>> =
            stream::iter((0..(size - begin).div_ceil(PART)).map(|n| begin + n * PART))
                .map(|start| self.download_part(source, start, (start + PART).min(size), &out))
                .buffered(MOST)
                .try_collect()
                .await?;
        let expected = source.expected.get().and_then(Option::as_ref);
        let kind = expected.and_then(Sum::crc);
        let first = kind.map(|kind| Crc::of(kind, &known));
        let crc = Crc::whole(first.into_iter().chain(parts.into_iter().flatten()));
        Ok((out, crc))
    }

    /// Downloads the bytes from `start` to `end` to their place in `out`. The result is what
    /// they add up to, as far as that helps to tell it of the whole.
    async fn download_part(
        &self,
        source: &Source<'_>,
        start: u64,
        end: u64,
        out: &Arc<File>,
    ) -> Result<Option<Crc>, AttemptError> {
        self.requester
            .try_until(source.key, |client| {
                let request = client
                    .get_object()
                    .bucket(self.name())
                    .key(source.key)
                    .range(format!("bytes={start}-{}", end - 1))
                    .set_if_match(source.etag.map(str::to_owned));
                let received = async move {
                    let answer =
                        within(limit(0), async { request.send().await.map_err(of_version) });
                    // Asked at the same time, once for all parts: no sum comes with a part.
                    let expected = source.expected.get_or_try_init(|| self.expected(source));
                    let (answer, expected) = futures_util::try_join!(answer, expected)?;
                    let crc = expected.as_ref().and_then(Sum::crc).map(Crc::new);
                    let received = receive(answer, (start, end), source.size, out, crc);
                    within(arrival(end - start), received).await
                };
                self.concurrency.limited(move |_| end - start, received)
            })
            .await
    }

    /// What an object must add up to, where that can be told.
    async fn expected(&self, source: &Source<'_>) -> Result<Option<Sum>, AttemptError> {
        let head = self.requester.try_until(source.key, |client| {
            let request = client.head_object().bucket(self.name()).key(source.key);
            let request = request.checksum_mode(ChecksumMode::Enabled);
            let request = request.set_if_match(source.etag.map(str::to_owned));
            within(limit(0), async { request.send().await.map_err(of_version) })
        });
        match head.await {
            Ok(head) => Ok(Sum::of_head(&head)),
            // Whoever may read it may ask this; of other stores one never knows.
            Err(AttemptError {
                failure: Failure::Denied(_) | Failure::Refused(_) | Failure::Missing(_),
                ..
            }) => Ok(None),
            Err(failed) => Err(failed),
        }
    }

    /// Gets an object or some of its bytes, of the version `etag` if given. Repeats until the
    /// body has arrived whole.
    async fn get(
        &self,
        key: &str,
        wanted: Wanted,
        etag: Option<&str>,
    ) -> Result<Piece, AttemptError> {
        self.requester
            .try_until(key, |client| {
                let request = client
                    .get_object()
                    .bucket(self.name())
                    .key(key)
                    .set_range(wanted.header())
                    .set_if_match(etag.map(str::to_owned));
                let received = async move {
                    let answer = within(limit(0), async { Ok(request.send().await) }).await?;
                    match answer {
                        // An empty object has no first byte, so no range of it can be had.
                        Err(error)
                            if matches!(wanted, Wanted::Range(0, _))
                                && error
                                    .raw_response()
                                    .is_some_and(|r| r.status().as_u16() == 416) =>
                        {
                            Ok(Piece {
                                content: Bytes::new(),
                                total: 0,
                                etag: None,
                                expected: None,
                            })
                        }
                        Err(error) => Err(of_version(error)),
                        Ok(answer) => Piece::receive(answer, wanted).await,
                    }
                };
                self.concurrency.limited(|piece: &Piece| piece.content.len() as u64, received)
            })
            .await
    }
}

/// Whether an object adds up. An [`Sum::ETag`] that differs is none of its content where
/// the same content has come twice.
fn agrees(found: &Sum, expected: &Sum, before: &mut Option<Sum>) -> bool {
    if found == expected {
        return true;
    }
    let twice = before.as_ref() == Some(found);
    *before = Some(found.clone());
    twice && matches!(found, Sum::ETag(_))
}

/// Why an object of so many bytes cannot become `file`, if there is too little room:
/// found out here, and not when all that fits has been paid for.
fn too_large(bytes: u64, file: &Path) -> Option<String> {
    let space = Space::on(file.parent()?).ok().filter(|space| !space.holds(bytes))?;
    Some(format!("it is {} large, and {space}", Size(bytes)))
}

/// Sorts an error of a request for one version of an object.
fn of_version<E>(error: SdkError<E, HttpResponse>) -> AttemptError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if error.raw_response().is_some_and(|response| response.status().as_u16() == 412) {
        let text = "it was replaced by another version while it was being read";
        return Failure::Transient(text.into()).into();
    }
    attempt_error(error)
}

fn spoilt() -> Failure {
    Failure::Transient("what arrived does not add up to the object's checksum".into())
}

/// An object that is downloaded in parts.
struct Source<'a> {
    key: &'a str,
    etag: Option<&'a str>,
    size: u64,
    /// What it must add up to, where that can be told, once it was asked for.
    expected: OnceCell<Option<Sum>>,
}

/// Writes the body of an answer, which is the part from `start` to `end` of `size` bytes, to
/// its place in `out`, adding it up in `crc`.
async fn receive(
    answer: GetObjectOutput,
    (start, end): (u64, u64),
    size: u64,
    out: &Arc<File>,
    mut crc: Option<Crc>,
) -> Result<Option<Crc>, AttemptError> {
    let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
    if let Some(length) = length.filter(|&length| length != end - start) {
        return Err(other_range((start, end - 1), size, length));
    }
    let (mut body, mut offset) = (answer.body, start);
    let (mut blocks, mut held) = (Vec::new(), 0);
    loop {
        let block = body.try_next().await.map_err(|error| body_error(&error))?;
        let ended = block.is_none();
        if let Some(block) = block {
            held += block.len() as u64;
            blocks.push(block);
        }
        if offset + held > end {
            return Err(other_range((start, end - 1), size, offset + held - start));
        }
        if held >= BLOCK || ended {
            crc = write_summed(out, offset, std::mem::take(&mut blocks), crc).await?;
            offset += held;
            held = 0;
        }
        if ended {
            let (length, expected) = (offset - start, end - start);
            return if offset == end { Ok(crc) } else { Err(cut(length, expected)) };
        }
    }
}

/// A body that is shorter than was said.
fn cut(length: u64, expected: u64) -> AttemptError {
    AttemptError::passing(format!("the body ended after {length} of {expected} bytes"))
}

/// An answer of another length than was asked for, both ends of which are included. A store
/// that knows no ranges answers with the whole.
fn other_range((start, end): (u64, u64), total: u64, length: u64) -> AttemptError {
    let text = format!("asked for bytes {start} to {end} of {total}, the store sent {length}");
    Failure::Refused(text.into()).into()
}

/// What is asked for of an object.
#[derive(Clone, Copy)]
enum Wanted {
    /// All of it, which is no more than so many bytes.
    Whole { most: u64 },
    /// The bytes from the first to the second one, both included.
    Range(u64, u64),
}

impl Wanted {
    fn header(self) -> Option<String> {
        match self {
            Self::Whole { .. } => None,
            Self::Range(start, end) => Some(format!("bytes={start}-{end}")),
        }
    }

    /// How many bytes that is at most.
    fn most(self) -> u64 {
        match self {
            Self::Whole { most } => most,
            Self::Range(start, end) => end - start + 1,
        }
    }

    /// An answer has `length` bytes, which is more.
    fn exceeded(self, length: u64) -> AttemptError {
        match self {
            Self::Whole { most } => Failure::grown(most).into(),
            Self::Range(start, end) => other_range((start, end), length, length),
        }
    }
}

/// An object or a part of it.
struct Piece {
    content: Bytes,
    /// The size of the whole object.
    total: u64,
    etag: Option<String>,
    /// What the whole must add up to, where that is not compared yet.
    expected: Option<Sum>,
}

impl Piece {
    /// The answer to a request for an object or a part of it.
    async fn receive(answer: GetObjectOutput, wanted: Wanted) -> Result<Self, AttemptError> {
        let sum = Sum::of_answer(&answer);
        let total = answer
            .content_range()
            .and_then(|range| range.rsplit_once('/'))
            .and_then(|(_, total)| total.parse().ok());
        let expected = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let etag = answer.e_tag().map(str::to_owned);
        if let Some(length) = expected.filter(|&length| length > wanted.most()) {
            return Err(wanted.exceeded(length));
        }
        let body = collect(answer.body, expected.unwrap_or_default(), wanted);
        let content = within(arrival(expected.unwrap_or(PART)), body).await?;
        let length = content.len() as u64;
        if let Some(expected) = expected.filter(|&expected| expected != length) {
            return Err(cut(length, expected));
        }
        let total = total.unwrap_or(length);
        if let Wanted::Range(start, end) = wanted
            && length != (end + 1).min(total).saturating_sub(start)
        {
            return Err(other_range((start, end), total, length));
        }
        let expected = sum.filter(|_| length == total);
        Ok(Self { content, total, etag, expected })
    }
}

/// The whole of a body that should be of so many bytes. Each piece is let go of as soon as
/// it has come: the SDK's own `collect` holds everything twice in the end.
async fn collect(
    mut body: ByteStream,
    expected: u64,
    wanted: Wanted,
) -> Result<Bytes, AttemptError> {
    // Only what is filled costs memory; but what a store says of a length may be wrong.
    let room = usize::try_from(expected.min(16 * PART)).unwrap_or_default();
    let mut content = BytesMut::with_capacity(room);
    while let Some(piece) = body.try_next().await.map_err(|error| body_error(&error))? {
        content.extend_from_slice(&piece);
        let length = content.len() as u64;
        if length > wanted.most() {
            return Err(wanted.exceeded(length));
        }
    }
    Ok(content.freeze())
}

fn partial_path(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".part");
    path.into()
}
