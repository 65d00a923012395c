//! Checksums of objects, for checks that the SDK does not do.
//!
//! The SDK compares the checksum in the response to a request for a whole object. A part of an
//! object comes without a checksum. So does an object that an older tool has stored without one.
//! Then the `ETag` is left, which is the MD5 of the content for most objects ("Checking object
//! integrity" in the S3 user guide). It is not for objects that were uploaded in parts, that are
//! encrypted with KMS keys, or that are in directory buckets. The last kind cannot be recognised.
//! So a different `ETag` is treated as corruption only until the same bytes have arrived twice.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumType, ServerSideEncryption};
use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_checksums::http::HttpChecksum;
use md5::{Digest as _, Md5};

use crate::hex::hex;
use crate::storage::crc::{Algorithm, Crc};
use crate::storage::fingerprint::ContentId;

/// How much of a file is read at once, in bytes.
const BLOCK: usize = 256 * 1024;

/// The checksum of an object's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    /// A checksum that S3 stores with the object.
    Stored {
        /// Its name in the API of S3, such as `crc64nvme`.
        algorithm: &'static str,
        /// In Base64.
        value: String,
    },
    /// An `ETag` that may be the MD5, in hexadecimal digits.
    ETag(String),
}

impl Checksum {
    /// The algorithm, if it is a CRC: that of an object can be computed from those of its parts.
    pub(crate) fn crc_algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::Stored { algorithm, .. } => Algorithm::from_name(algorithm),
            Self::ETag(_) => None,
        }
    }

    /// `crc` as a checksum of the same algorithm as this one; `None` for an `ETag`.
    pub(crate) fn with_crc(&self, crc: &Crc) -> Option<Self> {
        match self {
            Self::Stored { algorithm, .. } => {
                Some(Self::Stored { algorithm, value: crc.to_string() })
            }
            Self::ETag(_) => None,
        }
    }

    /// The checksum in the response to a `HEAD` request.
    pub(crate) fn from_head(head: &HeadObjectOutput) -> Option<Self> {
        // Each with the length of its Base64 text.
        let stored = [
            ("crc64nvme", 12, head.checksum_crc64_nvme()),
            ("crc32", 8, head.checksum_crc32()),
            ("crc32c", 8, head.checksum_crc32_c()),
            ("sha256", 44, head.checksum_sha256()),
            ("sha1", 28, head.checksum_sha1()),
        ];
        // An object that was uploaded in parts may have a checksum of the parts' checksums, whose
        // sizes are unknown. S3 appends the number of parts to it. Some stores do not, do not
        // report the type either, or report a checksum under the name of another algorithm.
        let multipart = head.e_tag().is_some_and(|e_tag| e_tag.contains('-'));
        let whole = !multipart || head.checksum_type() == Some(&ChecksumType::FullObject);
        let stored = stored.into_iter().find_map(|(algorithm, length, value)| {
            let value = value.filter(|value| whole && value.len() == length)?.to_owned();
            Some(Self::Stored { algorithm, value })
        });
        let customer_key = head.sse_customer_algorithm().is_some();
        stored
            .or_else(|| Self::from_e_tag(head.e_tag(), head.server_side_encryption(), customer_key))
    }

    /// The checksum in the response to a `GET` request that the SDK does not compare.
    pub(crate) fn from_response(response: &GetObjectOutput) -> Option<Self> {
        let stored = [
            response.checksum_crc64_nvme(),
            response.checksum_crc32(),
            response.checksum_crc32_c(),
            response.checksum_sha256(),
            response.checksum_sha1(),
        ];
        if stored.iter().flatten().any(|value| !value.contains('-')) {
            return None;
        }
        let customer_key = response.sse_customer_algorithm().is_some();
        Self::from_e_tag(response.e_tag(), response.server_side_encryption(), customer_key)
    }

    fn from_e_tag(
        e_tag: Option<&str>,
        encryption: Option<&ServerSideEncryption>,
        customer_key: bool,
    ) -> Option<Self> {
        let plain =
            matches!(encryption, None | Some(ServerSideEncryption::Aes256)) && !customer_key;
        let e_tag = e_tag?.trim_matches('"');
        let md5 = e_tag.len() == 32 && e_tag.bytes().all(|b| b.is_ascii_hexdigit());
        (plain && md5).then(|| Self::ETag(e_tag.to_ascii_lowercase()))
    }

    /// Computes the checksum of `content`, with the same algorithm as this one.
    pub(crate) fn compute(&self, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(self);
        hasher.update(content);
        hasher.finish()
    }

    /// Computes the checksum of a file from its current position, with the same algorithm as this
    /// one.
    pub(crate) fn compute_file(&self, mut file: &File) -> io::Result<Self> {
        let mut hasher = Hasher::new(self);
        let mut buffer = vec![0; BLOCK];
        loop {
            let length = file.read(&mut buffer)?;
            match buffer.get(..length) {
                None | Some([]) => return Ok(hasher.finish()),
                Some(bytes) => hasher.update(bytes),
            }
        }
    }
}

/// The name of the `ETag` in a [`ContentId`].
const ETAG: &str = "etag";

/// Whether the object with the metadata `head` has this content: by the checksum that S3 stores of
/// the whole object, or else by its `ETag`. `false` if neither is known.
pub(crate) fn has_content(head: &HeadObjectOutput, content: &ContentId) -> bool {
    let size = head.content_length().and_then(|size| u64::try_from(size).ok());
    if size != Some(content.size()) {
        return false;
    }
    if let Some(Checksum::Stored { algorithm, value }) = Checksum::from_head(head)
        && let Some(checksum) = content.checksum(algorithm)
    {
        return checksum == value;
    }
    let e_tag = head.e_tag().map(|e_tag| e_tag.trim_matches('"').to_ascii_lowercase());
    e_tag.is_some() && content.checksum(ETAG) == e_tag.as_deref()
}

/// The content ID of an object that is uploaded in one request.
pub(crate) fn content_id(bytes: &[u8]) -> ContentId {
    let content = ContentId::new(bytes.len() as u64);
    let content = content.with(ETAG, hex(&Md5::digest(bytes)));
    [("crc32", Algorithm::Crc32), ("crc64nvme", Algorithm::Crc64Nvme)]
        .into_iter()
        .fold(content, |content, (name, algorithm)| content.with(name, Crc::of(algorithm, bytes)))
}

/// The content ID of an object of `size` bytes that is uploaded in parts of `length` bytes. Its
/// `ETag` is the MD5 of the parts' MD5s ("Checking object integrity" in the S3 user guide).
pub(crate) fn multipart_content_id(file: &File, size: u64, length: u64) -> io::Result<ContentId> {
    let (mut whole, mut parts) = (Crc::new(Algorithm::Crc64Nvme), Md5::new());
    let (mut start, mut count) = (0, 0);
    let mut buffer = vec![0; BLOCK];
    while start < size {
        let end = size.min(start + length);
        let mut part = Md5::new();
        while start < end {
            let length = usize::try_from(end - start).unwrap_or(BLOCK).min(BLOCK);
            let block = buffer.get_mut(..length).unwrap_or_default();
            file.read_exact_at(block, start)?;
            whole.update(block);
            part.update(&block);
            start += block.len() as u64;
        }
        parts.update(part.finalize());
        count += 1;
    }
    let e_tag = format!("{}-{count}", hex(&parts.finalize()));
    Ok(ContentId::new(size).with("crc64nvme", whole).with(ETAG, e_tag))
}

/// Computes a [`Checksum`] piece by piece.
enum Hasher {
    Stored(&'static str, Box<dyn HttpChecksum>),
    Md5(Md5),
}

impl Hasher {
    /// A hasher for the algorithm of `checksum`.
    fn new(checksum: &Checksum) -> Self {
        match checksum {
            Checksum::ETag(_) => Self::Md5(Md5::new()),
            Checksum::Stored { algorithm, .. } => {
                let known = algorithm.parse::<ChecksumAlgorithm>().unwrap_or_default();
                Self::Stored(algorithm, known.into_impl())
            }
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Stored(_, hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Checksum {
        match self {
            Self::Stored(algorithm, hasher) => {
                let value = hasher.header_value().to_str().unwrap_or_default().to_owned();
                Checksum::Stored { algorithm, value }
            }
            Self::Md5(hasher) => Checksum::ETag(hex(&hasher.finalize())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(algorithm: &'static str, value: &str) -> Checksum {
        Checksum::Stored { algorithm, value: value.to_owned() }
    }

    #[test]
    fn checksums_have_the_published_check_values() {
        // The check values of "123456789": the MD5 is in an appendix of RFC 1321, the others are in
        // the catalogue of CRC algorithms at reveng.sourceforge.io.
        for checksum in [
            stored("crc32", "y/Q5Jg=="),
            stored("crc32c", "4waSgw=="),
            stored("crc64nvme", "rosUhgp5mIg="),
            Checksum::ETag("25f9e794323b453885f5181f1b624d0b".to_owned()),
        ] {
            assert_eq!(checksum.compute(b"123456789"), checksum);
            assert_ne!(checksum.compute(b"123456788"), checksum);
        }
    }

    #[test]
    fn a_stored_checksum_takes_precedence_over_the_e_tag() {
        let e_tag = "\"25f9e794323b453885f5181f1b624d0b\"";
        let head = HeadObjectOutput::builder().e_tag(e_tag);
        let whole = head.clone().checksum_crc32("y/Q5Jg==").build();
        assert_eq!(Checksum::from_head(&whole), Some(stored("crc32", "y/Q5Jg==")));
        let md5 = Some(Checksum::ETag("25f9e794323b453885f5181f1b624d0b".to_owned()));
        let of_parts = head.clone().checksum_crc32("y/Q5Jg==-2").build();
        assert_eq!(Checksum::from_head(&of_parts), md5);
        let in_parts =
            head.e_tag("\"25f9e794323b453885f5181f1b624d0b-2\"").checksum_crc32("y/Q5Jg==");
        assert_eq!(Checksum::from_head(&in_parts.clone().build()), None);
        let full = in_parts.checksum_type(ChecksumType::FullObject);
        assert_eq!(Checksum::from_head(&full.clone().build()), Some(stored("crc32", "y/Q5Jg==")));
        let other = full.checksum_crc64_nvme("y/Q5Jg==");
        assert_eq!(Checksum::from_head(&other.build()), Some(stored("crc32", "y/Q5Jg==")));
        let response = || GetObjectOutput::builder().e_tag(e_tag);
        assert_eq!(Checksum::from_response(&response().build()), md5);
        assert_eq!(Checksum::from_response(&response().checksum_sha1("x").build()), None);
    }

    #[test]
    fn the_content_of_an_object_is_recognised_by_any_checksum_in_its_metadata() {
        let content = content_id(b"123456789");
        let e_tag = "\"25f9e794323b453885f5181f1b624d0b\"";
        let head = || HeadObjectOutput::builder().content_length(9).e_tag("\"another\"");
        for (expected, head) in [
            (true, head().checksum_crc32("y/Q5Jg==")),
            (false, head().checksum_crc32("y/Q5Jh==").e_tag(e_tag)),
            (true, head().checksum_crc64_nvme("rosUhgp5mIg=")),
            // Of an algorithm that the content ID does not have.
            (false, head().checksum_crc32_c("4waSgw==")),
            (true, head().checksum_crc32_c("4waSgw==").e_tag(e_tag)),
            (true, head().e_tag(e_tag)),
            (false, head()),
            (false, head().checksum_crc32("y/Q5Jg==").content_length(8)),
            (false, HeadObjectOutput::builder().content_length(9)),
        ] {
            assert_eq!(has_content(&head.clone().build(), &content), expected, "{head:?}");
        }
    }

    #[test]
    fn the_e_tag_of_a_multipart_upload_is_made_of_those_of_its_parts() {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, b"123456789").unwrap();
        let content = multipart_content_id(&file, 9, 4).unwrap();
        assert_eq!(content.checksum("crc64nvme"), Some("rosUhgp5mIg="));
        // `printf 1234 | md5sum` and so on for each part, then md5sum of the concatenated bytes.
        assert_eq!(content.checksum("etag"), Some("393e928fcf5925fcbd3a06aaf20b2d38-3"));
    }

    #[test]
    fn not_every_e_tag_is_an_md5() {
        let e_tag = "25f9e794323b453885f5181f1b624d0b";
        let head = || HeadObjectOutput::builder().e_tag(e_tag);
        for head in [
            head().server_side_encryption(ServerSideEncryption::AwsKms),
            head().sse_customer_algorithm("AES256"),
            HeadObjectOutput::builder().e_tag(format!("\"{e_tag}-2\"")),
            HeadObjectOutput::builder().e_tag("not one at all, though it is so "),
            HeadObjectOutput::builder(),
        ] {
            assert_eq!(Checksum::from_head(&head.build()), None);
        }
        let ours = head().server_side_encryption(ServerSideEncryption::Aes256).build();
        assert_eq!(Checksum::from_head(&ours), Some(Checksum::ETag(e_tag.to_owned())));
    }
}
