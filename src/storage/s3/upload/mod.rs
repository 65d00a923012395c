//! Uploads: in one request, or in parts for large files.
//!
//! S3 checks each part against its checksum, and also the whole object if the upload was begun with
//! a full checksum. That is CRC-64/NVME, which S3 computes by default, and which every store with
//! full checksums supports ("Checking object integrity for data uploads" in the S3 user guide).
//! Downloads are compared with it. If a store does not support full checksums, the object is
//! uploaded with the checksums of its parts alone.

pub(crate) mod buffer;
pub(crate) mod labels;
pub(crate) mod unfinished;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aws_sdk_s3::client::customize::CustomizableOperation;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::bucket::{Bucket, MAX_SINGLE_UPLOAD, PART_SIZE};
use super::connection::upload_config;
use super::download::scratch::{blocking, crc_of};
use super::integrity::{content_id, multipart_content_id};
use super::requests::adaptive_concurrency::MAX_CONCURRENCY;
use super::requests::classify::{AttemptError, RetryAction, attempt_error};
use super::requests::deadlines::{response_timeout, until_stalled, with_timeout};
use crate::error_chain::chain;
use crate::http::Meter;
use crate::storage::crc::{Algorithm, Crc};
use crate::storage::fingerprint::BoundFingerprint;
use crate::storage::uploaded_file::UploadedFile;
use crate::storage::{Failure, Fingerprint, TransferProgress};
use labels::{Labels, algorithm};
use unfinished::Unfinished;

/// S3's limit on the number of parts of an upload.
const MAX_PARTS: u64 = 10_000;

/// How often a multipart upload is begun again that S3 no longer knows. Most likely it was
/// completed, and the response was lost.
const ROUNDS: u32 = 3;

impl Bucket {
    /// Writes an object in one request.
    pub(in crate::storage) async fn write(
        &self,
        key: &str,
        content: Bytes,
        fingerprint: Option<Fingerprint>,
    ) -> Result<(), Failure> {
        let size = content.len() as u64;
        let bound = match fingerprint {
            Some(fingerprint) => {
                let content = content.clone();
                let content = blocking(move || Ok(content_id(&content))).await?;
                Some(BoundFingerprint { fingerprint, content })
            }
            None => None,
        };
        let labels = Labels::new(key, bound);
        self.requester
            .send(key, |client| {
                let request = client
                    .put_object()
                    .bucket(self.name())
                    .key(key)
                    .set_content_type(labels.content_type.clone())
                    .set_metadata(labels.metadata.clone())
                    .checksum_algorithm(ChecksumAlgorithm::Crc32)
                    .body(ByteStream::from(content.clone()))
                    .customize();
                let request = if self.tls { request.disable_payload_signing() } else { request };
                let (request, meter) = uploading(request);
                let sent = async move {
                    let sent = async { request.send().await.map(drop).map_err(attempt_error) };
                    until_stalled(&meter, sent).await
                };
                self.concurrency.limited(move |()| size, sent)
            })
            .await
    }

    /// Writes a file as an object, in parts if it is large. Returns its size in bytes.
    pub(in crate::storage) async fn upload(
        &self,
        content: UploadedFile,
        key: &str,
        progress: &TransferProgress,
    ) -> Result<u64, Failure> {
        let size = content.source.metadata()?.len();
        let fingerprint = content.fingerprint;
        let file = &content.source;
        if size <= MAX_SINGLE_UPLOAD {
            let bytes = self.buffer.read(file, 0, size).await?;
            content.check()?;
            self.write(key, bytes, fingerprint).await?;
            return Ok(size);
        }
        let length = part_length(size);
        let bound = match fingerprint {
            Some(fingerprint) => {
                let file = Arc::clone(file);
                let content = blocking(move || multipart_content_id(&file, size, length)).await?;
                Some(BoundFingerprint { fingerprint, content })
            }
            None => None,
        };
        let mut labels = Labels::new(key, bound);
        labels.full_checksum = !self.refuses_full_checksum.load(Relaxed);
        let mut rounds = 0;
        let mut refusal = None;
        loop {
            match self.upload_in_parts(&content, size, key, &labels, progress).await {
                Err(failed) if failed.code == "NoSuchUpload" && rounds < ROUNDS => rounds += 1,
                Err(failed) if labels.full_checksum && may_refuse_checksum(&failed) => {
                    labels.full_checksum = false;
                    refusal = Some(chain(&failed.failure));
                }
                Err(failed) => return Err(failed.failure),
                Ok(()) => break,
            }
        }
        if let Some(refusal) = refusal
            && !self.refuses_full_checksum.swap(true, Relaxed)
        {
            tracing::warn!(
                "s3://{}: the store accepts no checksum of a whole object in a multipart upload; \
                 only its parts have checksums: {refusal}",
                self.name()
            );
        }
        Ok(size)
    }

    /// Makes one attempt at a multipart upload. On failure, the upload is aborted.
    async fn upload_in_parts(
        &self,
        file: &UploadedFile,
        size: u64,
        key: &str,
        labels: &Labels,
        progress: &TransferProgress,
    ) -> Result<(), AttemptError> {
        let unfinished =
            Unfinished::begin(&self.requester, &self.background, key, labels.clone()).await?;
        let stored = AtomicU64::new(0);
        let on_stored = |bytes| progress.reached(stored.fetch_add(bytes, Relaxed) + bytes);
        let result = self.upload_parts(file, size, key, labels, unfinished.id(), &on_stored).await;
        if result.is_ok() {
            unfinished.complete();
        } else {
            drop(unfinished);
            // Waits for the abort before the next request, whose failure may end the program.
            self.background.settle().await;
        }
        result
    }

    /// Uploads all parts and completes the upload. `on_stored` is called with the size of each part
    /// that is stored.
    async fn upload_parts(
        &self,
        file: &UploadedFile,
        size: u64,
        key: &str,
        labels: &Labels,
        upload: &str,
        on_stored: &(dyn Fn(u64) + Sync),
    ) -> Result<(), AttemptError> {
        let length = part_length(size);
        let numbers = (1i32..).zip((0..size.div_ceil(length)).map(|n| n * length));
        let parts: Vec<(CompletedPart, Crc)> = stream::iter(numbers)
            .map(|(number, start)| async move {
                let content =
                    self.buffer.read(&file.source, start, length.min(size - start)).await?;
                let crc = crc_of(content.clone(), Algorithm::Crc64Nvme).await?;
                let sent = labels.full_checksum.then_some(&crc);
                let size = content.len() as u64;
                let part = self.upload_part(key, upload, number, content, sent).await?;
                on_stored(size);
                Ok::<_, AttemptError>((part, crc))
            })
            .buffered(MAX_CONCURRENCY)
            .try_collect()
            .await?;
        file.check()?;
        let (parts, crcs): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let whole = Crc::concat(crcs).filter(|_| labels.full_checksum).map(|crc| crc.to_string());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        self.requester
            .send_classified(key, |client| {
                let request = client
                    .complete_multipart_upload()
                    .bucket(self.name())
                    .key(key)
                    .upload_id(upload)
                    .multipart_upload(parts.clone())
                    .set_checksum_crc64_nvme(whole.clone())
                    .set_checksum_type(labels.checksum_type());
                with_timeout(response_timeout(PART_SIZE), async {
                    request.send().await.map(drop).map_err(completion_error)
                })
            })
            .await
    }

    /// Uploads one part. Its checksum is `crc`, or else a CRC-32.
    async fn upload_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        content: Bytes,
        crc: Option<&Crc>,
    ) -> Result<CompletedPart, AttemptError> {
        let size = content.len() as u64;
        let crc = crc.map(Crc::to_string);
        let stored = self.requester.send_classified(key, |client| {
            let request = client
                .upload_part()
                .bucket(self.name())
                .key(key)
                .upload_id(upload)
                .part_number(number)
                .checksum_algorithm(algorithm(crc.is_some()))
                .set_checksum_crc64_nvme(crc.clone())
                .body(ByteStream::from(content.clone()))
                .customize();
            let request = if self.tls { request.disable_payload_signing() } else { request };
            let (request, meter) = uploading(request);
            let sent = async move {
                until_stalled(&meter, async { request.send().await.map_err(attempt_error) }).await
            };
            self.concurrency.limited(move |_| size, sent)
        });
        let stored = stored.await?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(stored.e_tag)
            .set_checksum_crc32(stored.checksum_crc32)
            .set_checksum_crc64_nvme(stored.checksum_crc64_nvme)
            .build())
    }
}

/// Prepares a request that carries a body. The meter counts the bytes that the connection has taken
/// of it.
fn uploading<T, E, B>(
    request: CustomizableOperation<T, E, B>,
) -> (CustomizableOperation<T, E, B>, Meter) {
    let meter = Meter::default();
    let counter = meter.clone();
    let request = request.config_override(upload_config());
    (request.mutate_request(move |request| request.add_extension(counter.clone())), meter)
}

/// The length of the parts of an object of `size` bytes: [`PART_SIZE`], or more if that would make
/// too many parts.
fn part_length(size: u64) -> u64 {
    PART_SIZE.max(size.div_ceil(MAX_PARTS))
}

/// Whether a store may accept the same upload without a full checksum: it does not support them, or
/// computes a different one from parts that it has checked.
fn may_refuse_checksum(failed: &AttemptError) -> bool {
    matches!(failed.failure, Failure::Refused(_)) || failed.code == "BadDigest"
}

/// Classifies an error of a completion. A `BadDigest` is permanent here: the parts are stored, and
/// their checksum will be the same next time.
fn completion_error<E>(error: SdkError<E, HttpResponse>) -> AttemptError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let mut failed = attempt_error(error);
    if failed.code == "BadDigest" {
        failed.action = RetryAction::None;
    }
    failed
}
