//! Objects on their way in: whole in memory, or in ranges to a file.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::bucket::{Bucket, PART, PARTS_AT_ONCE};
use super::classify::{Fault, body_fault, fault};
use super::integrity::Sum;
use super::retry::{limit, within};
use super::scratch::{create, sum, write_at};
use crate::ending::Size;
use crate::space::Space;
use crate::storage::Failure;

/// How often a download is begun again that was spoilt: the object was replaced meanwhile,
/// or does not add up.
const ROUNDS: u32 = 4;

impl Bucket {
    /// The whole object, in memory.
    pub(in crate::storage) async fn read(&self, key: &str) -> Result<Bytes, Failure> {
        let mut before = None;
        for _ in 0..ROUNDS {
            let piece = self.get(key, None, None).await.map_err(|fault| fault.failure)?;
            let Some(expected) = piece.expected else { return Ok(piece.content) };
            let found = expected.of_bytes(&piece.content);
            if agrees(&found, &expected, &mut before) {
                return Ok(piece.content);
            }
        }
        Err(spoilt())
    }

    /// Downloads an object to `file`, in parts.
    pub(in crate::storage) async fn download(&self, key: &str, file: &Path) -> Result<(), Failure> {
        let part = partial_path(file);
        let mut before = None;
        let mut rounds = 0;
        loop {
            rounds += 1;
            let round = async {
                let (out, expected) = self.download_parts(key, &part).await?;
                let Some(expected) = expected else { return Ok(true) };
                let found = sum(&out, expected.clone()).await?;
                Ok(agrees(&found, &expected, &mut before))
            };
            match round.await {
                Ok(true) => break,
                Ok(false) if rounds < ROUNDS => {}
                Ok(false) => return Err(spoilt()),
                Err::<_, Fault>(fault) if fault.code == "PreconditionFailed" && rounds < ROUNDS => {
                    tracing::debug!(key, "the object was replaced while it was downloaded");
                }
                Err(fault) => return Err(fault.failure),
            }
        }
        tokio::fs::rename(&part, file).await?;
        Ok(())
    }

    /// Downloads an object to `file`, and says what it must add up to, where that is known
    /// and not compared yet.
    async fn download_parts(
        &self,
        key: &str,
        file: &Path,
    ) -> Result<(Arc<File>, Option<Sum>), Fault> {
        // The first part tells how large the whole is: small objects take one request.
        let first = self.get(key, Some((0, PART - 1)), None).await?;
        // What an earlier round left is gone now.
        let out = Arc::new(create(file).await?);
        if let Some(full) = too_large(first.total, file) {
            return Err(Failure::Io(full.into()).into());
        }
        write_at(&out, 0, first.content).await?;
        if first.total <= PART {
            return Ok((out, first.expected));
        }
        let etag = first.etag.as_deref();
        stream::iter((1..first.total.div_ceil(PART)).map(|n| n * PART))
            .map(|start| async move {
                // Never closed, so it is always had.
                let _place = self.places.acquire().await;
                let end = (start + PART).min(first.total) - 1;
                Ok::<_, Fault>((start, self.get(key, Some((start, end)), etag).await?.content))
            })
            .buffer_unordered(PARTS_AT_ONCE)
            .try_for_each(|(start, content)| {
                let out = Arc::clone(&out);
                async move { Ok(write_at(&out, start, content).await?) }
            })
            .await?;
        // No sum comes with a part.
        let head = self.try_until(key, |client| {
            let request = client.head_object().bucket(&self.name).key(key);
            let request = request.checksum_mode(ChecksumMode::Enabled);
            let request = request.set_if_match(etag.map(str::to_owned));
            within(limit(0), async { request.send().await.map_err(fault) })
        });
        match head.await {
            Ok(head) => Ok((out, Sum::of_head(&head))),
            // Whoever may read it may ask this; of other stores one never knows.
            Err(Fault { failure: Failure::Denied(_) | Failure::Missing(_), .. }) => Ok((out, None)),
            Err(fault) => Err(fault),
        }
    }

    /// Gets an object, or the bytes of `range` (both ends included), of the version
    /// `etag` if given. Repeats until the body has arrived whole.
    async fn get(
        &self,
        key: &str,
        range: Option<(u64, u64)>,
        etag: Option<&str>,
    ) -> Result<Piece, Fault> {
        self.try_until(key, |client| {
            let request = client
                .get_object()
                .bucket(&self.name)
                .key(key)
                .set_range(range.map(|(start, end)| format!("bytes={start}-{end}")))
                .set_if_match(etag.map(str::to_owned));
            async move {
                let answer = within(limit(0), async { Ok(request.send().await) }).await?;
                match answer {
                    // An empty object has no first byte, so no range of it can be had.
                    Err(error)
                        if range.is_some_and(|(start, _)| start == 0)
                            && error.raw_response().is_some_and(|r| r.status().as_u16() == 416) =>
                    {
                        Ok(Piece { content: Bytes::new(), total: 0, etag: None, expected: None })
                    }
                    Err(error) => Err(fault(error)),
                    Ok(answer) => Piece::receive(answer, range).await,
                }
            }
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

fn spoilt() -> Failure {
    Failure::Transient("what arrived does not add up to the object's checksum".into())
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
    /// The answer to a request for an object, or for the bytes of `range`.
    async fn receive(answer: GetObjectOutput, range: Option<(u64, u64)>) -> Result<Self, Fault> {
        let sum = Sum::of_answer(&answer);
        let total = answer
            .content_range()
            .and_then(|range| range.rsplit_once('/'))
            .and_then(|(_, total)| total.parse().ok());
        let expected = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let etag = answer.e_tag().map(str::to_owned);
        let body = async { answer.body.collect().await.map_err(|error| body_fault(&error)) };
        let body = within(limit(expected.unwrap_or(PART)), body).await?;
        let content = body.into_bytes();
        let length = content.len() as u64;
        if let Some(expected) = expected.filter(|&expected| expected != length) {
            return Err(Fault::passing(format!(
                "the body ended after {length} of {expected} bytes"
            )));
        }
        let total = total.unwrap_or(length);
        // A store that knows no ranges answers with the whole.
        if let Some((start, end)) = range
            && length != (end + 1).min(total).saturating_sub(start)
        {
            let text =
                format!("asked for bytes {start} to {end} of {total}, the store sent {length}");
            return Err(Failure::Denied(text.into()).into());
        }
        let expected = sum.filter(|_| length == total);
        Ok(Self { content, total, etag, expected })
    }
}

fn partial_path(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".part");
    path.into()
}
