//! Objects on their way out: in one request, or large files in parts.
//!
//! S3 compares each part with a checksum, and with an upload that was begun so, the whole:
//! CRC-64/NVME, the one that S3 computes by itself as well, and that every store has which
//! knows checksums of whole objects ("Checking object integrity for data uploads" in the
//! S3 user guide). It is what a download is compared with. Where a store knows none of
//! this, an object is uploaded with the checksums of its parts alone.

pub(crate) mod buffer;
pub(crate) mod labels;
pub(crate) mod unfinished;

use std::error::Error;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aws_sdk_s3::client::customize::CustomizableOperation;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::bucket::{Bucket, PART, WHOLE};
use super::connection::carrying;
use super::download::scratch::{blocking, sum_of};
use super::integrity::{content_of, content_of_parts};
use super::requests::adaptive_concurrency::MOST;
use super::requests::classify::{AttemptError, RetryAction, attempt_error};
use super::requests::deadlines::{limit, while_moving, within};
use crate::error_chain::chain;
use crate::http::Meter;
use crate::storage::crc::{Crc, Kind};
use crate::storage::fingerprint::Bound;
use crate::storage::{Failure, Fingerprint, TransferProgress};
use labels::{Labels, algorithm};
use unfinished::Unfinished;

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
        let size = content.len() as u64;
        let bound = match fingerprint {
            Some(fingerprint) => {
                let content = content.clone();
                let content = blocking(move || Ok(content_of(&content))).await?;
                Some(Bound { fingerprint, content })
            }
            None => None,
        };
        let labels = Labels::of(key, bound);
        self.requester
            .persist(key, |client| {
                let request = client
                    .put_object()
                    .bucket(self.name())
                    .key(key)
                    .set_content_type(labels.content_type.clone())
                    .set_metadata(labels.metadata.clone())
                    .checksum_algorithm(ChecksumAlgorithm::Crc32)
                    .body(ByteStream::from(content.clone()))
                    .customize()
                    .config_override(carrying());
                let request = if self.tls { request.disable_payload_signing() } else { request };
                let meter = Meter::default();
                let request = metered(request, &meter);
                let sent = async move {
                    let sent = async { request.send().await.map(drop).map_err(attempt_error) };
                    while_moving(&meter, sent).await
                };
                self.concurrency.limited(move |()| size, sent)
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
        progress: &TransferProgress,
    ) -> Result<u64, Failure> {
        let size = source.metadata()?.len();
        let file = Arc::new(source);
        if size <= WHOLE {
            let content = self.buffer.hold(&file, 0, size).await?;
            self.write(key, content, fingerprint).await?;
            return Ok(size);
        }
        let length = part_length(size);
        let bound = match fingerprint {
            Some(fingerprint) => {
                let file = Arc::clone(&file);
                let content = blocking(move || content_of_parts(&file, size, length)).await?;
                Some(Bound { fingerprint, content })
            }
            None => None,
        };
        let mut labels = Labels::of(key, bound);
        labels.summed = !self.refuses_sums.load(Relaxed);
        let mut rounds = 0;
        let mut refused = None;
        loop {
            match self.upload_in_parts(&file, size, key, &labels, progress).await {
                Err(failed) if failed.code == "NoSuchUpload" && rounds < ROUNDS => rounds += 1,
                Err(failed) if labels.summed && may_be_of_sums(&failed) => {
                    labels.summed = false;
                    refused = Some(chain(failed.failure.cause()));
                }
                Err(failed) => return Err(failed.failure),
                Ok(()) => break,
            }
        }
        if let Some(why) = refused
            && !self.refuses_sums.swap(true, Relaxed)
        {
            tracing::warn!(
                "s3://{}: the store takes no checksum of a whole object that is uploaded in parts, \
                 only those of the parts: {why}",
                self.name()
            );
        }
        Ok(size)
    }

    async fn upload_in_parts(
        &self,
        file: &Arc<File>,
        size: u64,
        key: &str,
        labels: &Labels,
        progress: &TransferProgress,
    ) -> Result<(), AttemptError> {
        let unfinished =
            Unfinished::begin(&self.requester, &self.background, key, labels.clone()).await?;
        let arrived = AtomicU64::new(0);
        let tell = |bytes| progress.reached(arrived.fetch_add(bytes, Relaxed) + bytes);
        let result = self.upload_parts(file, size, key, labels, unfinished.id(), &tell).await;
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
        labels: &Labels,
        upload: &str,
        arrived: &(dyn Fn(u64) + Sync),
    ) -> Result<(), AttemptError> {
        let length = part_length(size);
        let numbers = (1i32..).zip((0..size.div_ceil(length)).map(|n| n * length));
        let parts: Vec<(CompletedPart, Crc)> = stream::iter(numbers)
            .map(|(number, start)| async move {
                let content = self.buffer.hold(file, start, length.min(size - start)).await?;
                let sum = sum_of(content.clone(), Kind::Crc64Nvme).await?;
                let summed = labels.summed.then_some(&sum);
                let size = content.len() as u64;
                let part = self.upload_part(key, upload, number, content, summed).await?;
                arrived(size);
                Ok::<_, AttemptError>((part, sum))
            })
            .buffered(MOST)
            .try_collect()
            .await?;
        let (parts, sums): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let sum = Crc::whole(sums).filter(|_| labels.summed).map(|sum| sum.to_string());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        self.requester
            .try_until(key, |client| {
                let request = client
                    .complete_multipart_upload()
                    .bucket(self.name())
                    .key(key)
                    .upload_id(upload)
                    .multipart_upload(parts.clone())
                    .set_checksum_crc64_nvme(sum.clone())
                    .set_checksum_type(labels.checksum_type());
                within(limit(PART), async { request.send().await.map(drop).map_err(of_completion) })
            })
            .await
    }

    async fn upload_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        content: Bytes,
        sum: Option<&Crc>,
    ) -> Result<CompletedPart, AttemptError> {
        let size = content.len() as u64;
        let sum = sum.map(Crc::to_string);
        let stored = self.requester.try_until(key, |client| {
            let request = client
                .upload_part()
                .bucket(self.name())
                .key(key)
                .upload_id(upload)
                .part_number(number)
                .checksum_algorithm(algorithm(sum.is_some()))
                .set_checksum_crc64_nvme(sum.clone())
                .body(ByteStream::from(content.clone()))
                .customize()
                .config_override(carrying());
            let request = if self.tls { request.disable_payload_signing() } else { request };
            let meter = Meter::default();
            let request = metered(request, &meter);
            let sent = async move {
                while_moving(&meter, async { request.send().await.map_err(attempt_error) }).await
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

/// How large the parts of an object of so many bytes are.
fn part_length(size: u64) -> u64 {
    PART.max(size.div_ceil(MAX_PARTS))
}

/// `request`, of whose body `meter` counts what the connection takes.
fn metered<T, E, B>(
    request: CustomizableOperation<T, E, B>,
    meter: &Meter,
) -> CustomizableOperation<T, E, B> {
    let meter = meter.clone();
    request.mutate_request(move |request| request.add_extension(meter.clone()))
}

/// Whether a store may take the same upload without the checksum of the whole: it knows
/// none, or computes another one from parts that it has compared.
fn may_be_of_sums(failed: &AttemptError) -> bool {
    matches!(failed.failure, Failure::Refused(_)) || failed.code == "BadDigest"
}

/// Sorts an error of a completion. What the parts add up to is the same the next time.
fn of_completion<E>(error: SdkError<E, HttpResponse>) -> AttemptError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let mut failed = attempt_error(error);
    if failed.code == "BadDigest" {
        failed.action = RetryAction::None;
    }
    failed
}
