//! The checksums of multipart uploads: of each part, and of the whole object for the type
//! `FULL_OBJECT`. Checksums of the type `COMPOSITE` are not kept, because no test needs them.

use s3s::checksum::ChecksumHasher;
use s3s::dto::{
    Checksum, ChecksumAlgorithm, ChecksumType, CompleteMultipartUploadInput,
    CreateMultipartUploadInput, UploadPartInput,
};
use s3s::{S3Request, S3Result, s3_error};

/// The checksum algorithm and type of an upload.
pub struct Checksums {
    algorithm: Option<ChecksumAlgorithm>,
    kind: Option<ChecksumType>,
}

impl Checksums {
    /// Reads them from the request that creates the upload. Some combinations are invalid
    /// ("Checking object integrity for data uploads" in the S3 user guide).
    pub fn declared(input: &CreateMultipartUploadInput) -> S3Result<Self> {
        let algorithm = input.checksum_algorithm.clone();
        let name = algorithm.as_ref().map(ChecksumAlgorithm::as_str);
        let kind = input.checksum_type.as_ref().map(ChecksumType::as_str);
        let kind = match (name, kind) {
            (Some(ChecksumAlgorithm::CRC64NVME), Some(ChecksumType::COMPOSITE))
            | (
                Some(ChecksumAlgorithm::SHA1 | ChecksumAlgorithm::SHA256) | None,
                Some(ChecksumType::FULL_OBJECT),
            ) => {
                return Err(s3_error!(
                    InvalidRequest,
                    "The algorithm does not support this checksum type"
                ));
            }
            (_, Some(kind)) => Some(kind),
            (Some(ChecksumAlgorithm::CRC64NVME), None) => Some(ChecksumType::FULL_OBJECT),
            (Some(_), None) => Some(ChecksumType::COMPOSITE),
            (None, None) => None,
        };
        Ok(Self { algorithm, kind: kind.map(|kind| ChecksumType::from(kind.to_owned())) })
    }

    /// Verifies the checksums of a part and returns them.
    pub fn of_part(&self, bytes: &[u8], req: &S3Request<UploadPartInput>) -> S3Result<Checksum> {
        let trailers = req.trailing_headers.as_ref().and_then(s3s::TrailingHeaders::take);
        let sent = |header: Option<&String>, name: &str| {
            let trailer = || trailers.as_ref()?.get(name)?.to_str().ok().map(str::to_owned);
            header.cloned().or_else(trailer)
        };
        let input = &req.input;
        let sent = Checksum {
            checksum_crc32: sent(input.checksum_crc32.as_ref(), "x-amz-checksum-crc32"),
            checksum_crc32c: sent(input.checksum_crc32c.as_ref(), "x-amz-checksum-crc32c"),
            checksum_crc64nvme: sent(input.checksum_crc64nvme.as_ref(), "x-amz-checksum-crc64nvme"),
            checksum_sha1: sent(input.checksum_sha1.as_ref(), "x-amz-checksum-sha1"),
            checksum_sha256: sent(input.checksum_sha256.as_ref(), "x-amz-checksum-sha256"),
            ..Checksum::default()
        };
        let names = names(&sent);
        let declared = self.algorithm.as_ref().map(ChecksumAlgorithm::as_str);
        if declared.is_some() && names.iter().any(|name| Some(*name) != declared) {
            return Err(s3_error!(InvalidRequest, "The checksum is not of the upload's algorithm"));
        }
        let mut hasher = hasher(&names);
        hasher.update(bytes);
        if hasher.finalize() == sent {
            Ok(sent)
        } else {
            Err(s3_error!(BadDigest, "The checksum of the part did not match"))
        }
    }

    /// Computes the checksum of the object that consists of these parts, if its type is
    /// `FULL_OBJECT`. Compares it with the client's checksum, if there is one.
    pub fn of_whole<'a>(
        &self,
        input: &CompleteMultipartUploadInput,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> S3Result<Option<Checksum>> {
        if input.checksum_type.is_some() && input.checksum_type != self.kind {
            return Err(s3_error!(
                InvalidRequest,
                "The upload was created with another checksum type"
            ));
        }
        let whole = |kind: &&ChecksumType| kind.as_str() == ChecksumType::FULL_OBJECT;
        let Some(kind) = self.kind.as_ref().filter(whole) else { return Ok(None) };
        let algorithm = self.algorithm.as_ref().map(ChecksumAlgorithm::as_str);
        let mut hasher = hasher(algorithm.as_slice());
        for part in parts {
            hasher.update(part);
        }
        let found = hasher.finalize();
        let sent = Checksum {
            checksum_crc32: input.checksum_crc32.clone(),
            checksum_crc32c: input.checksum_crc32c.clone(),
            checksum_crc64nvme: input.checksum_crc64nvme.clone(),
            checksum_sha1: input.checksum_sha1.clone(),
            checksum_sha256: input.checksum_sha256.clone(),
            ..Checksum::default()
        };
        if sent != Checksum::default() && sent != found {
            return Err(s3_error!(BadDigest, "The checksum of the object did not match"));
        }
        Ok(Some(Checksum { checksum_type: Some(kind.clone()), ..found }))
    }
}

/// Returns the algorithms of the checksums that are present.
fn names(checksums: &Checksum) -> Vec<&'static str> {
    [
        (ChecksumAlgorithm::CRC32, &checksums.checksum_crc32),
        (ChecksumAlgorithm::CRC32C, &checksums.checksum_crc32c),
        (ChecksumAlgorithm::CRC64NVME, &checksums.checksum_crc64nvme),
        (ChecksumAlgorithm::SHA1, &checksums.checksum_sha1),
        (ChecksumAlgorithm::SHA256, &checksums.checksum_sha256),
    ]
    .into_iter()
    .filter_map(|(name, checksum)| checksum.is_some().then_some(name))
    .collect()
}

fn hasher(names: &[&str]) -> ChecksumHasher {
    ChecksumHasher {
        crc32: names.contains(&ChecksumAlgorithm::CRC32).then(Default::default),
        crc32c: names.contains(&ChecksumAlgorithm::CRC32C).then(Default::default),
        crc64nvme: names.contains(&ChecksumAlgorithm::CRC64NVME).then(Default::default),
        sha1: names.contains(&ChecksumAlgorithm::SHA1).then(Default::default),
        sha256: names.contains(&ChecksumAlgorithm::SHA256).then(Default::default),
    }
}
