//! Reasons why a file is not a whole image.

use std::fmt;
use std::io;

use thiserror::Error;

use super::limits::{MAX_DECODED, MAX_SIDE};
use crate::placeholder::Placeholder;
use crate::printable::printable;
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
    #[error("ends after {length} bytes, in the middle of {inside}")]
    Truncated {
        /// The length of the file, in bytes.
        length: u64,
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
    /// The data of the image contradicts itself or its format, in the words of the decoder.
    #[error("cannot be decoded: {}", printable(.0))]
    Undecodable(String),
    /// The image is of a kind that is valid but not decoded. The text is a noun: "12-bit JPEG".
    #[error("is {}, which this program does not decode", printable(.0))]
    Unsupported(String),
    /// The image has no pixels.
    #[error("has a size of {width}x{height} pixels")]
    NoPixels {
        /// The width in pixels.
        width: u64,
        /// The height in pixels.
        height: u64,
    },
    /// The image is larger than a frame can be.
    #[error(
        "has a size of {width}x{height} pixels: a frame has at most {MAX_SIDE} on a side, and \
         {} GiB when it is decoded",
        MAX_DECODED >> 30
    )]
    TooLarge {
        /// The width in pixels.
        width: u64,
        /// The height in pixels.
        height: u64,
    },
    /// The file has no layer of the name that was asked for.
    #[error("has no layer {}: {}", printable(.name), list_of_layers(.layers))]
    NoLayer {
        /// The name that was asked for.
        name: String,
        /// The names of the file's layers, if it has any. The list is short enough to print.
        layers: Vec<String>,
    },
    /// The file could not be read.
    #[error("could not be read")]
    Io(#[from] io::Error),
}

impl Damage {
    /// The damage of a file that ends inside of something.
    pub(super) fn truncated(file: &[u8], inside: &'static str) -> Self {
        Self::Truncated { length: file.len() as u64, inside }
    }
}

fn list_of_layers(layers: &[String]) -> String {
    if layers.is_empty() {
        return "it is a picture without layers".to_owned();
    }
    format!("its layers are {}", printable(&layers.join(", ")))
}

/// How the file begins, to follow "it".
fn beginning(found: Option<ImageFormat>) -> impl fmt::Display {
    fmt::from_fn(move |f| match found {
        Some(found) => write!(f, "begins like {found}"),
        None => f.write_str("does not begin like one"),
    })
}
