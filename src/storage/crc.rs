//! CRCs that can be combined: the checksum of a file follows from those of its parts. Each part is
//! read only once, while it is in memory.

use std::fmt;

use aws_smithy_types::base64;
use crc_fast::{CrcAlgorithm, Digest};

/// A CRC algorithm that S3 supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// CRC-32.
    Crc32,
    /// CRC-32C.
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
}

impl Algorithm {
    /// The algorithm that S3 calls `name`, if it is a CRC.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "crc32" => Some(Self::Crc32),
            "crc32c" => Some(Self::Crc32c),
            "crc64nvme" => Some(Self::Crc64Nvme),
            _ => None,
        }
    }
}

/// The CRC of some bytes. `Display` writes it as S3 does: in Base64.
#[derive(Clone, Debug)]
pub(crate) struct Crc {
    algorithm: Algorithm,
    digest: Digest,
}

impl Crc {
    /// The CRC of no bytes.
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let digest = Digest::new(match algorithm {
            Algorithm::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Algorithm::Crc32c => CrcAlgorithm::Crc32Iscsi,
            Algorithm::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
        });
        Self { algorithm, digest }
    }

    /// The CRC of `bytes`.
    pub(crate) fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut crc = Self::new(algorithm);
        crc.update(bytes);
        crc
    }

    /// Appends `bytes`.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// The CRC of the concatenation of `parts`, all of one algorithm; `None` without parts.
    pub(crate) fn concat(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        parts.into_iter().reduce(|mut whole, part| {
            whole.digest.combine(&part.digest);
            whole
        })
    }
}

impl fmt::Display for Crc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.digest.finalize().to_be_bytes();
        let bytes = match (self.algorithm, &value) {
            (Algorithm::Crc64Nvme, whole) => whole.as_slice(),
            (Algorithm::Crc32 | Algorithm::Crc32c, [_, _, _, _, low @ ..]) => low,
        };
        f.write_str(&base64::encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_of_a_file_is_that_of_its_parts_combined() {
        // The check values of "123456789" in the catalogue of CRC algorithms at
        // reveng.sourceforge.io.
        for (name, value) in
            [("crc32", "y/Q5Jg=="), ("crc32c", "4waSgw=="), ("crc64nvme", "rosUhgp5mIg=")]
        {
            let algorithm = Algorithm::from_name(name).unwrap();
            assert_eq!(Crc::of(algorithm, b"123456789").to_string(), value);
            let parts: [&[u8]; 4] = [b"12345", b"", b"678", b"9"];
            let whole = Crc::concat(parts.map(|part| Crc::of(algorithm, part)));
            assert_eq!(whole.unwrap().to_string(), value, "{name}");
        }
        assert_eq!(Algorithm::from_name("sha256"), None);
        assert!(Crc::concat([]).is_none());
    }
}
