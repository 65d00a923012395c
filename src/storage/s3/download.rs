//! Objects on their way in: whole in memory, or in ranges to a file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::bucket::{Bucket, PART, PARTS_AT_ONCE};
use super::classify::{body_failure, failure};
use super::scratch::{create, write_at};
use crate::storage::Failure;

/// The longest pause between two attempts at an object whose body did not arrive whole.
const MAX_PAUSE: Duration = Duration::from_secs(15);

impl Bucket {
    /// The whole object, in memory.
    pub(in crate::storage) async fn read(&self, key: &str) -> Result<Bytes, Failure> {
        self.get(key, None, None).await.map(|piece| piece.content)
    }

    /// Downloads an object to `file`, in parts.
    pub(in crate::storage) async fn download(&self, key: &str, file: &Path) -> Result<(), Failure> {
        // The first part tells how large the whole is: small objects take one request.
        let first = self.get(key, Some((0, PART - 1)), None).await?;
        let part = partial_path(file);
        let out = Arc::new(create(&part).await?);
        write_at(&out, 0, first.content).await?;
        let etag = first.etag.as_deref();
        stream::iter((1..first.total.div_ceil(PART)).map(|n| n * PART))
            .map(|start| async move {
                // Never closed, so it is always had.
                let _place = self.places.acquire().await;
                let end = (start + PART).min(first.total) - 1;
                Ok::<_, Failure>((start, self.get(key, Some((start, end)), etag).await?.content))
            })
            .buffer_unordered(PARTS_AT_ONCE)
            .try_for_each(|(start, content)| {
                let out = Arc::clone(&out);
                async move { write_at(&out, start, content).await }
            })
            .await?;
        tokio::fs::rename(&part, file).await?;
        Ok(())
    }

    /// Gets an object, or the bytes of `range` (both ends included), of the version
    /// `etag` if given. Repeats until the body has arrived whole.
    async fn get(
        &self,
        key: &str,
        range: Option<(u64, u64)>,
        etag: Option<&str>,
    ) -> Result<Piece, Failure> {
        let mut attempt = 1;
        loop {
            let request = self
                .client
                .get_object()
                .bucket(&self.name)
                .key(key)
                .set_range(range.map(|(start, end)| format!("bytes={start}-{end}")))
                .set_if_match(etag.map(str::to_owned));
            let error = match request.send().await {
                // An empty object has no first byte, so no range of it can be had.
                Err(error)
                    if range.is_some_and(|(start, _)| start == 0)
                        && error.raw_response().is_some_and(|r| r.status().as_u16() == 416) =>
                {
                    return Ok(Piece { content: Bytes::new(), total: 0, etag: None });
                }
                Err(error) => return Err(failure(error)),
                Ok(answer) => match Piece::receive(answer, range).await {
                    Ok(piece) => return Ok(piece),
                    Err(error) => error,
                },
            };
            if attempt >= self.body_attempts {
                return Err(error);
            }
            tracing::debug!(key, attempt, "the object's body did not arrive whole: trying again");
            let pause = Duration::from_millis(100) * 2u32.saturating_pow(attempt);
            tokio::time::sleep(pause.min(MAX_PAUSE)).await;
            attempt += 1;
        }
    }
}

/// An object or a part of it.
struct Piece {
    content: Bytes,
    /// The size of the whole object.
    total: u64,
    etag: Option<String>,
}

impl Piece {
    /// The answer to a request for an object, or for the bytes of `range`.
    async fn receive(answer: GetObjectOutput, range: Option<(u64, u64)>) -> Result<Self, Failure> {
        let total = answer
            .content_range()
            .and_then(|range| range.rsplit_once('/'))
            .and_then(|(_, total)| total.parse().ok());
        let expected = answer.content_length().and_then(|length| u64::try_from(length).ok());
        let etag = answer.e_tag().map(str::to_owned);
        let body = answer.body.collect().await.map_err(|error| body_failure(&error))?;
        let content = body.into_bytes();
        let length = content.len() as u64;
        if expected.is_some_and(|expected| expected != length) {
            return Err(Failure::Transient(
                format!("the body ended after {length} of {} bytes", expected.unwrap_or(0)).into(),
            ));
        }
        let total = total.unwrap_or(length);
        // A store that knows no ranges answers with the whole.
        if let Some((start, end)) = range
            && length != (end + 1).min(total).saturating_sub(start)
        {
            let text =
                format!("asked for bytes {start} to {end} of {total}, the store sent {length}");
            return Err(Failure::Denied(text.into()));
        }
        Ok(Self { content, total, etag })
    }
}

fn partial_path(file: &Path) -> PathBuf {
    let mut path = OsString::from(file);
    path.push(".part");
    path.into()
}
