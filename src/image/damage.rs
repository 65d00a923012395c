//! What keeps a file from being a whole image.

use std::fmt;
use std::io;

use thiserror::Error;

use crate::placeholder::Placeholder;
use crate::request::ImageFormat;

/// Why a file is not a whole image. Continues the name of the file:
/// "`0001.png` ends after 8192 bytes, ...".
#[derive(Debug, Error)]
pub enum Damage {
    /// The file has no bytes.
    #[error("is empty (0 bytes)")]
    Empty,
    /// The file begins like something else.
    #[error("is not a {expected} image: it {}", beginning(*found))]
    NotThisFormat {
        /// The format that its name promises.
        expected: ImageFormat,
        /// The format that its first bytes are of.
        found: Option<ImageFormat>,
    },
    /// The file is something that lies in the place of an image.
    #[error("is {0}")]
    Instead(Placeholder),
    /// The file has several images, to be shown one after the other.
    #[error("is an animation, and a frame is one image")]
    Animation,
    /// The file ends before the image does.
    #[error(
        "ends after {length} bytes, in the middle of {inside}: it needs {needed} bytes or more"
    )]
    Truncated {
        /// The length of the file, in bytes.
        length: u64,
        /// The shortest length that a whole file could have, in bytes.
        needed: u64,
        /// The part of the file that is cut.
        inside: &'static str,
    },
    /// The file contradicts itself or its format.
    #[error("is damaged at byte {offset}: {what}")]
    Corrupt {
        /// The contradiction.
        what: &'static str,
        /// Its place, in bytes from the beginning.
        offset: u64,
    },
    /// The file could not be read.
    #[error("could not be read")]
    Io(#[from] io::Error),
}

/// How a file begins, to follow "it".
fn beginning(found: Option<ImageFormat>) -> impl fmt::Display {
    fmt::from_fn(move |f| match found {
        Some(found) => write!(f, "begins like {found}"),
        None => f.write_str("does not begin like one"),
    })
}
