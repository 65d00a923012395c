//! One bucket: its objects listed, read, downloaded and written.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, EncodingType};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use percent_encoding::percent_decode_str;
use tokio::sync::Semaphore;

use super::classify::{body_failure, failure};
use crate::storage::{Entry, Failure};

/// What travels in one request at most; larger objects go in parts of this size or
/// of a ten-thousandth of the object, S3's limit on their number.
const PART: u64 = 16 * 1024 * 1024;

/// S3's limit on the number of parts of an upload.
const MAX_PARTS: u64 = 10_000;

/// Parts that are under way at once, of all objects together. Bounds memory, and lets
/// each have its share of a slow network before it times out.
const PARTS_AT_ONCE: usize = 4;

/// Attempts at an object whose body does not arrive whole, the first one included and
/// unless the user says otherwise. The SDK retries requests, but not bodies.
const BODY_ATTEMPTS: u32 = 8;

/// The longest pause between two of them.
const MAX_PAUSE: Duration = Duration::from_secs(15);

/// A client and the bucket it is for.
#[derive(Clone, Debug)]
pub(in crate::storage) struct Bucket {
    client: Client,
    name: String,
    /// Whether TLS protects what travels. Then the payload is not signed as well: its
    /// checksum suffices, and SHA-256 is most of the CPU time of an upload.
    tls: bool,
    body_attempts: u32,
    /// A place for each of [`PARTS_AT_ONCE`].
    places: Arc<Semaphore>,
}

impl Bucket {
    pub(super) fn new(client: Client, name: &str, tls: bool, attempts: Option<u32>) -> Self {
        let body_attempts = attempts.unwrap_or(BODY_ATTEMPTS);
        let places = Arc::new(Semaphore::new(PARTS_AT_ONCE));
        Self { client, name: name.to_owned(), tls, body_attempts, places }
    }

    /// The objects directly below `folder`.
    pub(in crate::storage) async fn list(&self, folder: &str) -> Result<Vec<Entry>, Failure> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(&prefix)
            .delimiter("/")
            // XML has no way to write control characters, and keys may have them.
            .encoding_type(EncodingType::Url)
            .into_paginator()
            .send();
        let mut entries = Vec::new();
        while let Some(page) = pages.try_next().await.map_err(failure)? {
            // Other stores may know nothing of it.
            let encoded = page.encoding_type() == Some(&EncodingType::Url);
            for object in page.contents.unwrap_or_default() {
                let key = object.key().unwrap_or_default();
                let key = if encoded { decode(key) } else { key.to_owned() };
                let name = key.strip_prefix(&prefix);
                // The empty name is what the console makes to show an empty folder; a slash
                // only a store could list that does not know the delimiter.
                let name = name.filter(|name| !name.is_empty() && !name.contains('/'));
                if let Some(name) = name {
                    entries.push(Entry {
                        name: name.to_owned(),
                        size: object.size().and_then(|size| size.try_into().ok()).unwrap_or(0),
                        modified: object.last_modified().map_or(UNIX_EPOCH, system_time),
                    });
                }
            }
        }
        Ok(entries)
    }

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

    /// Writes an object, in one request.
    pub(in crate::storage) async fn write(&self, key: &str, content: Bytes) -> Result<(), Failure> {
        let request = self
            .client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .set_content_type(content_type(key))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(content))
            .customize();
        let request = if self.tls { request.disable_payload_signing() } else { request };
        request.send().await.map(drop).map_err(failure)
    }

    /// Writes the file `source` as an object, in parts if it is large, and says how
    /// large it is.
    pub(in crate::storage) async fn upload(
        &self,
        source: &Path,
        key: &str,
    ) -> Result<u64, Failure> {
        let file = open(source).await?;
        let size = file.metadata()?.len();
        let file = Arc::new(file);
        if size <= PART {
            self.write(key, read_at(&file, 0, size).await?).await?;
            return Ok(size);
        }
        let started = self
            .client
            .create_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .set_content_type(content_type(key))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .send()
            .await
            .map_err(failure)?;
        let upload = started.upload_id().unwrap_or_default();
        let unfinished = Unfinished { bucket: self, key, upload, armed: true };
        self.upload_parts(&file, size, key, upload).await?;
        unfinished.complete();
        Ok(size)
    }

    async fn upload_parts(
        &self,
        file: &Arc<File>,
        size: u64,
        key: &str,
        upload: &str,
    ) -> Result<(), Failure> {
        let length = PART.max(size.div_ceil(MAX_PARTS));
        let numbers = (1i32..).zip((0..size.div_ceil(length)).map(|n| n * length));
        let parts: Vec<CompletedPart> = stream::iter(numbers)
            .map(|(number, start)| async move {
                let _place = self.places.acquire().await;
                let content = read_at(file, start, length.min(size - start)).await?;
                self.upload_part(key, upload, number, content).await
            })
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await?;
        self.client
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .upload_id(upload)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await
            .map(drop)
            .map_err(failure)
    }

    async fn upload_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        content: Bytes,
    ) -> Result<CompletedPart, Failure> {
        let request = self
            .client
            .upload_part()
            .bucket(&self.name)
            .key(key)
            .upload_id(upload)
            .part_number(number)
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .body(ByteStream::from(content))
            .customize();
        let request = if self.tls { request.disable_payload_signing() } else { request };
        let stored = request.send().await.map_err(failure)?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(stored.e_tag)
            .set_checksum_crc32(stored.checksum_crc32)
            .build())
    }
}

/// An upload in parts that was begun. Aborted when it is dropped before it is complete,
/// on an error as well as when it is given up half way: parts that nobody completes are
/// stored, and paid for, invisibly.
struct Unfinished<'a> {
    bucket: &'a Bucket,
    key: &'a str,
    upload: &'a str,
    armed: bool,
}

impl Unfinished<'_> {
    fn complete(mut self) {
        self.armed = false;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if self.armed {
            let Bucket { client, name, .. } = self.bucket;
            let abort = client.abort_multipart_upload().bucket(name).key(self.key);
            let abort = abort.upload_id(self.upload).send();
            // In the background: it may fail like everything else, and nothing depends
            // on it but money.
            tokio::spawn(async move { drop(abort.await) });
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

/// A key out of a listing, as forms encode it: S3 writes `+` for a space.
fn decode(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn system_time(time: &DateTime) -> SystemTime {
    SystemTime::try_from(*time).unwrap_or(UNIX_EPOCH)
}

/// What browsers should take the object for.
fn content_type(key: &str) -> Option<String> {
    let (_, extension) = key.rsplit_once('.')?;
    let kind = match extension {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "exr" => "image/x-exr",
        "tif" | "tiff" => "image/tiff",
        "webp" => "image/webp",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "mkv" => "video/x-matroska",
        "json" => "application/json",
        _ => return None,
    };
    Some(kind.to_owned())
}

fn partial_path(file: &Path) -> std::path::PathBuf {
    let mut path = OsString::from(file);
    path.push(".part");
    path.into()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Files of ours fail for reasons of the scratch disk, whatever the error's kind.
fn scratch(error: io::Error) -> Failure {
    Failure::Io(error.into())
}

async fn open(path: &Path) -> Result<File, Failure> {
    let path = path.to_owned();
    blocking(move || File::open(path)).await.map_err(scratch)
}

async fn create(path: &Path) -> Result<File, Failure> {
    let path = path.to_owned();
    blocking(move || File::create(path)).await.map_err(scratch)
}

async fn write_at(file: &Arc<File>, offset: u64, content: Bytes) -> Result<(), Failure> {
    let file = Arc::clone(file);
    blocking(move || file.write_all_at(&content, offset)).await.map_err(scratch)
}

async fn read_at(file: &Arc<File>, offset: u64, length: u64) -> Result<Bytes, Failure> {
    let file = Arc::clone(file);
    let length = usize::try_from(length).map_err(|error| Failure::Io(error.into()))?;
    let read = move || {
        let mut content = vec![0; length];
        file.read_exact_at(&mut content, offset)?;
        Ok(Bytes::from(content))
    };
    blocking(read).await.map_err(scratch)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn listed_keys_are_decoded_as_s3_and_others_encode_them() {
        for (listed, key) in [
            ("a/b+c.png", "a/b c.png"),
            ("a%20b%2Bc%25.png", "a b+c%.png"),
            ("%C3%BC%01%0A", "ü\u{1}\n"),
        ] {
            assert_eq!(decode(listed), key);
        }
    }
}
