//! Objects on their way out: in one request, or large files in parts.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::bucket::{Bucket, FINGERPRINT, PART, PARTS_AT_ONCE};
use super::classify::{Fault, fault};
use super::connection::carrying;
use super::retry::{limit, within};
use super::scratch::read_at;
use super::unfinished::Unfinished;
use crate::storage::{Failure, Fingerprint};

/// S3's limit on the number of parts of an upload.
const MAX_PARTS: u64 = 10_000;

/// How often an upload in parts is begun again that is gone: most likely it was completed,
/// and the answer to that was lost.
const ROUNDS: u32 = 3;

impl Bucket {
    /// Writes an object, in one request.
    pub(in crate::storage) async fn write(
        &self,
        key: &str,
        content: Bytes,
        fingerprint: Option<Fingerprint>,
    ) -> Result<(), Failure> {
        let (size, labels) = (content.len() as u64, Labels::of(key, fingerprint));
        self.persist(key, |client| {
            let request = client
                .put_object()
                .bucket(&self.name)
                .key(key)
                .set_content_type(labels.content_type.clone())
                .set_metadata(labels.metadata.clone())
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .body(ByteStream::from(content.clone()))
                .customize()
                .config_override(carrying(size));
            let request = if self.tls { request.disable_payload_signing() } else { request };
            within(limit(size), async { request.send().await.map(drop).map_err(fault) })
        })
        .await
    }

    /// Writes the file `source` as an object, in parts if it is large, and says how
    /// large it is.
    pub(in crate::storage) async fn upload(
        &self,
        source: File,
        key: &str,
        fingerprint: Option<Fingerprint>,
    ) -> Result<u64, Failure> {
        let size = source.metadata()?.len();
        let file = Arc::new(source);
        if size <= PART {
            self.write(key, read_at(&file, 0, size).await?, fingerprint).await?;
            return Ok(size);
        }
        let labels = Labels::of(key, fingerprint);
        let mut rounds = 0;
        loop {
            match self.upload_in_parts(&file, size, key, &labels).await {
                Err(fault) if fault.code == "NoSuchUpload" && rounds < ROUNDS => rounds += 1,
                result => return result.map(|()| size).map_err(|fault| fault.failure),
            }
        }
    }

    async fn upload_in_parts(
        &self,
        file: &Arc<File>,
        size: u64,
        key: &str,
        labels: &Labels,
    ) -> Result<(), Fault> {
        let unfinished = Unfinished::begin(self, key, labels.clone()).await?;
        let result = self.upload_parts(file, size, key, unfinished.id()).await;
        if result.is_ok() {
            unfinished.complete();
        } else {
            drop(unfinished);
            // Before anything else is begun, which may fail as well and end the program.
            self.background.settle().await;
        }
        result
    }

    async fn upload_parts(
        &self,
        file: &Arc<File>,
        size: u64,
        key: &str,
        upload: &str,
    ) -> Result<(), Fault> {
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
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        self.try_until(key, |client| {
            let request = client
                .complete_multipart_upload()
                .bucket(&self.name)
                .key(key)
                .upload_id(upload)
                .multipart_upload(parts.clone());
            within(limit(PART), async { request.send().await.map(drop).map_err(fault) })
        })
        .await
    }

    async fn upload_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        content: Bytes,
    ) -> Result<CompletedPart, Fault> {
        let size = content.len() as u64;
        let stored = self.try_until(key, |client| {
            let request = client
                .upload_part()
                .bucket(&self.name)
                .key(key)
                .upload_id(upload)
                .part_number(number)
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .body(ByteStream::from(content.clone()))
                .customize()
                .config_override(carrying(size));
            let request = if self.tls { request.disable_payload_signing() } else { request };
            within(limit(size), async { request.send().await.map_err(fault) })
        });
        let stored = stored.await?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(stored.e_tag)
            .set_checksum_crc32(stored.checksum_crc32)
            .build())
    }
}

/// What is kept with an object.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    pub(super) content_type: Option<String>,
    pub(super) metadata: Option<HashMap<String, String>>,
}

impl Labels {
    fn of(key: &str, fingerprint: Option<Fingerprint>) -> Self {
        let entry = |fingerprint: Fingerprint| (FINGERPRINT.to_owned(), fingerprint.to_string());
        let metadata = fingerprint.map(|fingerprint| [entry(fingerprint)].into());
        Self { content_type: content_type(key), metadata }
    }
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
