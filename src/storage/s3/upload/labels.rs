//! What is stored with an object: its content type, its fingerprint and its checksum.

use std::collections::HashMap;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};

use crate::storage::fingerprint::BoundFingerprint;

/// The metadata key of an object's fingerprint. In HTTP headers, it has the prefix `x-amz-meta-`.
pub(crate) const FINGERPRINT: &str = "render-worker-fingerprint";

/// What is stored with an object.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: Option<HashMap<String, String>>,
    /// Whether a multipart upload stores the CRC-64/NVME of the whole object.
    pub(crate) full_checksum: bool,
}

impl Labels {
    /// The labels of the object `key`, as yet without a full checksum.
    pub(crate) fn new(key: &str, bound: Option<BoundFingerprint>) -> Self {
        let entry = |bound: BoundFingerprint| (FINGERPRINT.to_owned(), bound.to_string());
        let metadata = bound.map(|bound| [entry(bound)].into());
        Self { content_type: content_type(key), metadata, full_checksum: false }
    }

    /// The algorithm of the parts' checksums, the same for a whole upload.
    pub(crate) fn algorithm(&self) -> ChecksumAlgorithm {
        algorithm(self.full_checksum)
    }

    /// The type of the upload's checksum; `None` for stores that do not support full checksums.
    pub(crate) fn checksum_type(&self) -> Option<ChecksumType> {
        self.full_checksum.then_some(ChecksumType::FullObject)
    }
}

/// The algorithm of the parts' checksums in an upload with or without a full checksum.
pub(crate) fn algorithm(full_checksum: bool) -> ChecksumAlgorithm {
    if full_checksum { ChecksumAlgorithm::Crc64Nvme } else { ChecksumAlgorithm::Crc32 }
}

/// The content type for browsers, from the extension of `key`.
fn content_type(key: &str) -> Option<String> {
    let (_, extension) = key.rsplit_once('.')?;
    let kind = match extension {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "exr" => "image/x-exr",
        "tif" | "tiff" => "image/tiff",
        "webp" => "image/webp",
        "bmp" => "image/bmp",
        "gif" => "image/gif",
        "hdr" => "image/vnd.radiance",
        "tga" => "image/x-tga",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "mkv" => "video/x-matroska",
        "mxf" => "application/mxf",
        "webm" => "video/webm",
        "flac" => "audio/flac",
        "json" => "application/json",
        _ => return None,
    };
    Some(kind.to_owned())
}
