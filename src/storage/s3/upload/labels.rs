//! What is kept with an object: its content type, its fingerprint and its checksum.

use std::collections::HashMap;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};

use crate::storage::fingerprint::Bound;

/// The metadata of an object that is its fingerprint: `x-amz-meta-` stands before it on
/// the wire.
pub(crate) const FINGERPRINT: &str = "render-worker-fingerprint";

/// What is kept with an object.
#[derive(Clone, Debug)]
pub(crate) struct Labels {
    pub(crate) content_type: Option<String>,
    pub(crate) metadata: Option<HashMap<String, String>>,
    /// Whether the CRC-64/NVME of the whole is kept with it, if it is uploaded in parts.
    pub(crate) summed: bool,
}

impl Labels {
    pub(crate) fn of(key: &str, bound: Option<Bound>) -> Self {
        let entry = |bound: Bound| (FINGERPRINT.to_owned(), bound.to_string());
        let metadata = bound.map(|bound| [entry(bound)].into());
        Self { content_type: content_type(key), metadata, summed: false }
    }

    /// Of the parts' checksums: one algorithm goes through an upload.
    pub(crate) fn algorithm(&self) -> ChecksumAlgorithm {
        algorithm(self.summed)
    }

    /// Without one, stores that know none are not bothered.
    pub(crate) fn checksum_type(&self) -> Option<ChecksumType> {
        self.summed.then_some(ChecksumType::FullObject)
    }
}

/// Of parts whose whole has a checksum or has none.
pub(crate) fn algorithm(summed: bool) -> ChecksumAlgorithm {
    if summed { ChecksumAlgorithm::Crc64Nvme } else { ChecksumAlgorithm::Crc32 }
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
