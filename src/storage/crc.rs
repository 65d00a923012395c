//! The checksums of wholes that follow from those of their parts, so that each part is
//! gone through once, while it is at hand.

use std::fmt;

use aws_smithy_types::base64;
use crc_fast::{CrcAlgorithm, Digest};

/// Which checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// CRC-32.
    Crc32,
    /// CRC-32C.
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
}

impl Kind {
    /// The one that S3 has this name for; `None` if that is none of these.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "crc32" => Some(Self::Crc32),
            "crc32c" => Some(Self::Crc32c),
            "crc64nvme" => Some(Self::Crc64Nvme),
            _ => None,
        }
    }
}

/// A checksum. It is shown as S3 writes it: in base 64.
#[derive(Clone, Debug)]
pub(crate) struct Crc {
    kind: Kind,
    digest: Digest,
}

impl Crc {
    /// Of nothing.
    pub(crate) fn new(kind: Kind) -> Self {
        let algorithm = match kind {
            Kind::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Kind::Crc32c => CrcAlgorithm::Crc32Iscsi,
            Kind::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
        };
        Self { kind, digest: Digest::new(algorithm) }
    }

    /// Of these bytes.
    pub(crate) fn of(kind: Kind, bytes: &[u8]) -> Self {
        let mut sum = Self::new(kind);
        sum.update(bytes);
        sum
    }

    /// More bytes follow.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// Of the whole that these parts make, in their order; `None` of no parts.
    pub(crate) fn whole(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        parts.into_iter().reduce(|mut sum, part| {
            sum.digest.combine(&part.digest);
            sum
        })
    }
}

impl fmt::Display for Crc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.digest.finalize().to_be_bytes();
        let bytes = match (self.kind, &value) {
            (Kind::Crc64Nvme, whole) => whole.as_slice(),
            (Kind::Crc32 | Kind::Crc32c, [_, _, _, _, low @ ..]) => low,
        };
        f.write_str(&base64::encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        // The check values of "123456789" in the catalogue of CRC algorithms at
        // reveng.sourceforge.io.
        for (name, value) in
            [("crc32", "y/Q5Jg=="), ("crc32c", "4waSgw=="), ("crc64nvme", "rosUhgp5mIg=")]
        {
            let kind = Kind::named(name).unwrap();
            assert_eq!(Crc::of(kind, b"123456789").to_string(), value);
            let parts: [&[u8]; 4] = [b"12345", b"", b"678", b"9"];
            let whole = Crc::whole(parts.map(|part| Crc::of(kind, part)));
            assert_eq!(whole.unwrap().to_string(), value, "{name}");
        }
        assert_eq!(Kind::named("sha256"), None);
        assert!(Crc::whole([]).is_none());
    }
}
