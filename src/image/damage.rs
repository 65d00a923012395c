//! Reasons why a file is not a whole image.

use std::fmt;
use std::io;

use thiserror::Error;

use crate::placeholder::Placeholder;
use crate::request::ImageFormat;

/// Why a file is not a whole image. The messages continue the name of the file: "`0001.png` ends
/// after 8192 bytes, ...".
#[derive(Debug, Error)]
pub enum Damage {
    /// The file has no bytes.
    #[error("is empty (0 bytes)")]
    Empty,
    /// The file does not begin like an image of the expected format.
    #[error("is not a {expected} image: it {}", beginning(*found))]
    WrongFormat {
        /// The format that the file's name promises.
        expected: ImageFormat,
        /// The format that the first bytes indicate, if they indicate one.
        found: Option<ImageFormat>,
    },
    /// The file is a placeholder, such as a Git LFS pointer.
    #[error("is {0}")]
    Placeholder(Placeholder),
    /// The file is an animation of several images.
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
        /// Its offset in bytes, from 0.
        offset: u64,
    },
    /// The file could not be read.
    #[error("could not be read")]
    Io(#[from] io::Error),
}

/// How the file begins, to follow "it".
fn beginning(found: Option<ImageFormat>) -> impl fmt::Display {
    fmt::from_fn(move |f| match found {
        Some(found) => write!(f, "begins like {found}"),
        None => f.write_str("does not begin like one"),
    })
}
