//! Whether an object arrived as it was stored, where the SDK does not see to it.
//!
//! The SDK compares the checksum that comes with a whole object. None comes with a part
//! of one, nor where an older tool has stored the object without any; then the `ETag` is
//! left, which for most objects is the MD5 of their content ("Checking object integrity"
//! in the S3 user guide). It is not for those that were uploaded in parts, encrypted with
//! keys of KMS, or kept in directory buckets, and nothing tells the last ones apart: so an
//! `ETag` that differs is believed only until the same bytes have come twice.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;

use crate::storage::crc::{Crc, Kind};
use crate::storage::fingerprint::Content;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumType, ServerSideEncryption};
use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_checksums::http::HttpChecksum;
use md5::{Digest as _, Md5};

/// How much of a file is read at once.
const BLOCK: usize = 256 * 1024;

/// What the content of an object must add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    /// A checksum that S3 keeps with the object.
    Kept {
        /// Its name.
        algorithm: &'static str,
        /// In base 64.
        value: String,
    },
    /// What may be the MD5, in hexadecimal digits.
    ETag(String),
}

impl Sum {
    /// The kind that parts can be added up to.
    pub(crate) fn crc(&self) -> Option<Kind> {
        match self {
            Self::Kept { algorithm, .. } => Kind::named(algorithm),
            Self::ETag(_) => None,
        }
    }

    /// The same sum of a content that has this one.
    pub(crate) fn of_crc(&self, crc: &Crc) -> Option<Self> {
        match self {
            Self::Kept { algorithm, .. } => Some(Self::Kept { algorithm, value: crc.to_string() }),
            Self::ETag(_) => None,
        }
    }

    /// What the head of an object tells.
    pub(crate) fn of_head(head: &HeadObjectOutput) -> Option<Self> {
        // With how many letters a sum of that kind is written.
        let kept = [
            ("crc64nvme", 12, head.checksum_crc64_nvme()),
            ("crc32", 8, head.checksum_crc32()),
            ("crc32c", 8, head.checksum_crc32_c()),
            ("sha256", 44, head.checksum_sha256()),
            ("sha1", 28, head.checksum_sha1()),
        ];
        // What was uploaded in parts may have a sum of the parts' sums, whose sizes we do not
        // know. S3 writes their number behind it; not every store does, nor says the type, and
        // some write one kind of sum under the name of another.
        let parts = head.e_tag().is_some_and(|e_tag| e_tag.contains('-'));
        let whole = !parts || head.checksum_type() == Some(&ChecksumType::FullObject);
        let kept = kept.into_iter().find_map(|(algorithm, length, value)| {
            let value = value.filter(|value| whole && value.len() == length)?.to_owned();
            Some(Self::Kept { algorithm, value })
        });
        let secret = head.sse_customer_algorithm().is_some();
        kept.or_else(|| Self::of_e_tag(head.e_tag(), head.server_side_encryption(), secret))
    }

    /// What the head of an answer tells that the SDK does not compare.
    pub(crate) fn of_answer(answer: &GetObjectOutput) -> Option<Self> {
        let kept = [
            answer.checksum_crc64_nvme(),
            answer.checksum_crc32(),
            answer.checksum_crc32_c(),
            answer.checksum_sha256(),
            answer.checksum_sha1(),
        ];
        if kept.iter().flatten().any(|value| !value.contains('-')) {
            return None;
        }
        let secret = answer.sse_customer_algorithm().is_some();
        Self::of_e_tag(answer.e_tag(), answer.server_side_encryption(), secret)
    }

    fn of_e_tag(
        e_tag: Option<&str>,
        encryption: Option<&ServerSideEncryption>,
        secret: bool,
    ) -> Option<Self> {
        let plain = matches!(encryption, None | Some(ServerSideEncryption::Aes256)) && !secret;
        let e_tag = e_tag?.trim_matches('"');
        let md5 = e_tag.len() == 32 && e_tag.bytes().all(|b| b.is_ascii_hexdigit());
        (plain && md5).then(|| Self::ETag(e_tag.to_ascii_lowercase()))
    }

    /// The same sum of a content that is in memory.
    pub(crate) fn of_bytes(&self, content: &[u8]) -> Self {
        let mut adding = Adding::new(self);
        adding.add(content);
        adding.sum()
    }

    /// The same sum of a whole file.
    pub(crate) fn of_file(&self, mut file: &File) -> io::Result<Self> {
        let mut adding = Adding::new(self);
        let mut buffer = vec![0; BLOCK];
        loop {
            let length = file.read(&mut buffer)?;
            match buffer.get(..length) {
                None | Some([]) => return Ok(adding.sum()),
                Some(bytes) => adding.add(bytes),
            }
        }
    }
}

/// The name that the content of an object has for its `ETag`.
const ETAG: &str = "etag";

/// Whether an object is the one that `content` was taken of, as far as its head tells: by a
/// checksum that S3 keeps of the whole, or else by its `ETag`. Where it tells nothing, it is
/// not known to be.
pub(crate) fn is_content_of(content: &Content, head: &HeadObjectOutput) -> bool {
    let size = head.content_length().and_then(|size| u64::try_from(size).ok());
    if size != Some(content.size()) {
        return false;
    }
    if let Some(Sum::Kept { algorithm, value }) = Sum::of_head(head)
        && let Some(sum) = content.sum(algorithm)
    {
        return sum == value;
    }
    let e_tag = head.e_tag().map(|e_tag| e_tag.trim_matches('"').to_ascii_lowercase());
    e_tag.is_some() && content.sum(ETAG) == e_tag.as_deref()
}

/// What will be known of an object that is stored in one request.
pub(crate) fn content_of(bytes: &[u8]) -> Content {
    let content = Content::new(bytes.len() as u64);
    let content = content.with(ETAG, digits(&Md5::digest(bytes)));
    [("crc32", Kind::Crc32), ("crc64nvme", Kind::Crc64Nvme)]
        .into_iter()
        .fold(content, |content, (name, kind)| content.with(name, Crc::of(kind, bytes)))
}

/// What will be known of an object that is stored in parts of `length` bytes: the `ETag` is made
/// of theirs ("Checking object integrity" in the S3 user guide).
pub(crate) fn content_of_parts(file: &File, size: u64, length: u64) -> io::Result<Content> {
    let (mut whole, mut parts) = (Crc::new(Kind::Crc64Nvme), Md5::new());
    let (mut start, mut count) = (0, 0);
    let mut buffer = vec![0; BLOCK];
    while start < size {
        let end = size.min(start + length);
        let mut part = Md5::new();
        while start < end {
            let most = usize::try_from(end - start).unwrap_or(BLOCK).min(BLOCK);
            let block = buffer.get_mut(..most).unwrap_or_default();
            file.read_exact_at(block, start)?;
            whole.update(block);
            part.update(&block);
            start += block.len() as u64;
        }
        parts.update(part.finalize());
        count += 1;
    }
    let e_tag = format!("{}-{count}", digits(&parts.finalize()));
    Ok(Content::new(size).with("crc64nvme", whole).with(ETAG, e_tag))
}

fn digits(hash: &[u8]) -> String {
    hash.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a text does not fail.
        _ = write!(digits, "{byte:02x}");
        digits
    })
}

enum Adding {
    Kept(&'static str, Box<dyn HttpChecksum>),
    Md5(Md5),
}

impl Adding {
    fn new(sum: &Sum) -> Self {
        match sum {
            Sum::ETag(_) => Self::Md5(Md5::new()),
            Sum::Kept { algorithm, .. } => {
                let known = algorithm.parse::<ChecksumAlgorithm>().unwrap_or_default();
                Self::Kept(algorithm, known.into_impl())
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Kept(_, sum) => sum.update(bytes),
            Self::Md5(sum) => sum.update(bytes),
        }
    }

    fn sum(self) -> Sum {
        match self {
            Self::Kept(algorithm, sum) => {
                let value = sum.header_value().to_str().unwrap_or_default().to_owned();
                Sum::Kept { algorithm, value }
            }
            Self::Md5(sum) => Sum::ETag(digits(&sum.finalize())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(algorithm: &'static str, value: &str) -> Sum {
        Sum::Kept { algorithm, value: value.to_owned() }
    }

    #[test]
    fn sums_are_those_of_the_catalogues() {
        // The check values of "123456789": RFC 1321 has its MD5 in an appendix, the
        // catalogue of CRC algorithms at reveng.sourceforge.io the others.
        for sum in [
            kept("crc32", "y/Q5Jg=="),
            kept("crc32c", "4waSgw=="),
            kept("crc64nvme", "rosUhgp5mIg="),
            Sum::ETag("25f9e794323b453885f5181f1b624d0b".to_owned()),
        ] {
            assert_eq!(sum.of_bytes(b"123456789"), sum);
            assert_ne!(sum.of_bytes(b"123456788"), sum);
        }
    }

    #[test]
    fn what_is_kept_with_the_object_comes_first() {
        let e_tag = "\"25f9e794323b453885f5181f1b624d0b\"";
        let head = HeadObjectOutput::builder().e_tag(e_tag);
        let whole = head.clone().checksum_crc32("y/Q5Jg==").build();
        assert_eq!(Sum::of_head(&whole), Some(kept("crc32", "y/Q5Jg==")));
        let md5 = Some(Sum::ETag("25f9e794323b453885f5181f1b624d0b".to_owned()));
        let of_parts = head.clone().checksum_crc32("y/Q5Jg==-2").build();
        assert_eq!(Sum::of_head(&of_parts), md5);
        let in_parts =
            head.e_tag("\"25f9e794323b453885f5181f1b624d0b-2\"").checksum_crc32("y/Q5Jg==");
        assert_eq!(Sum::of_head(&in_parts.clone().build()), None);
        let full = in_parts.checksum_type(ChecksumType::FullObject);
        assert_eq!(Sum::of_head(&full.clone().build()), Some(kept("crc32", "y/Q5Jg==")));
        let other = full.checksum_crc64_nvme("y/Q5Jg==");
        assert_eq!(Sum::of_head(&other.build()), Some(kept("crc32", "y/Q5Jg==")));
        let answer = || GetObjectOutput::builder().e_tag(e_tag);
        assert_eq!(Sum::of_answer(&answer().build()), md5);
        assert_eq!(Sum::of_answer(&answer().checksum_sha1("x").build()), None);
    }

    #[test]
    fn an_object_is_known_again_by_whatever_its_head_tells() {
        let content = content_of(b"123456789");
        let e_tag = "\"25f9e794323b453885f5181f1b624d0b\"";
        let head = || HeadObjectOutput::builder().content_length(9).e_tag("\"another\"");
        for (of, head) in [
            (true, head().checksum_crc32("y/Q5Jg==")),
            (false, head().checksum_crc32("y/Q5Jh==").e_tag(e_tag)),
            (true, head().checksum_crc64_nvme("rosUhgp5mIg=")),
            // Of a kind that we keep none of.
            (false, head().checksum_crc32_c("4waSgw==")),
            (true, head().checksum_crc32_c("4waSgw==").e_tag(e_tag)),
            (true, head().e_tag(e_tag)),
            (false, head()),
            (false, head().checksum_crc32("y/Q5Jg==").content_length(8)),
            (false, HeadObjectOutput::builder().content_length(9)),
        ] {
            assert_eq!(is_content_of(&content, &head.clone().build()), of, "{head:?}");
        }
    }

    #[test]
    fn an_object_in_parts_has_an_e_tag_of_the_parts() {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, b"123456789").unwrap();
        let content = content_of_parts(&file, 9, 4).unwrap();
        assert_eq!(content.sum("crc64nvme"), Some("rosUhgp5mIg="));
        // printf 1234 | md5sum and so on, their bytes one after the other, md5sum.
        assert_eq!(content.sum("etag"), Some("393e928fcf5925fcbd3a06aaf20b2d38-3"));
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
            assert_eq!(Sum::of_head(&head.build()), None);
        }
        let ours = head().server_side_encryption(ServerSideEncryption::Aes256).build();
        assert_eq!(Sum::of_head(&ours), Some(Sum::ETag(e_tag.to_owned())));
    }
}
