//! Objects on their way out: in one request, or large files in parts.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::runtime::Handle;

use super::bucket::{Bucket, PART, PARTS_AT_ONCE};
use super::classify::failure;
use super::scratch::{open, read_at};
use crate::storage::Failure;

/// S3's limit on the number of parts of an upload.
const MAX_PARTS: u64 = 10_000;

impl Bucket {
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
        // Without a runtime the process is ending, and nothing can be sent any more.
        if let Ok(runtime) = Handle::try_current()
            && self.armed
        {
            let Bucket { client, name, .. } = self.bucket;
            let abort = client.abort_multipart_upload().bucket(name).key(self.key);
            let abort = abort.upload_id(self.upload).send();
            // In the background: it may fail like everything else, and nothing depends
            // on it but money.
            runtime.spawn(async move { drop(abort.await) });
        }
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
