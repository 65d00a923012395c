//! Tells the format of a file by its first bytes.

use crate::image::Damage;
use crate::placeholder::Placeholder;
use crate::request::ImageFormat;

/// The length of the longest signature, in bytes. Every image is longer.
const LENGTH: usize = 12;

/// The format that `file` begins like; `None` for TGA, which has no signature, and for others.
pub(in crate::image) fn format_in(file: &[u8]) -> Option<ImageFormat> {
    file.first_chunk().copied().and_then(format_of)
}

/// Checks that `file` begins like an image of `format`.
pub(in crate::image) fn check(format: ImageFormat, file: &[u8]) -> Result<(), Damage> {
    if file.is_empty() {
        return Err(Damage::Empty);
    }
    let head =
        file.first_chunk::<LENGTH>().ok_or_else(|| Damage::truncated(file, "the signature"))?;
    let found = format_of(*head);
    if let Some(kind) = undecodable(*head) {
        return Err(Damage::Unsupported(kind.to_owned()));
    }
    // TGA has no signature at the beginning. Its decoder judges the header.
    if found == Some(format) || (found.is_none() && format == ImageFormat::Tga) {
        return Ok(());
    }
    let placeholder = if found.is_none() { Placeholder::of(file) } else { None };
    Err(match placeholder {
        Some(placeholder) => Damage::Placeholder(placeholder),
        None => Damage::WrongFormat { expected: format, found },
    })
}

/// The format whose files begin with these bytes. No TGA begins with any of them: its second byte
/// is 0 or 1.
fn format_of(head: [u8; LENGTH]) -> Option<ImageFormat> {
    match head {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(ImageFormat::Png),
        [0xFF, 0xD8, 0xFF, ..] => Some(ImageFormat::Jpeg),
        [0x76, 0x2F, 0x31, 0x01, ..] => Some(ImageFormat::OpenExr),
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(ImageFormat::Tiff),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Some(ImageFormat::WebP),
        [b'B', b'M', ..] => Some(ImageFormat::Bmp),
        [b'#', b'?', b'R', b'A', b'D', b'I', b'A', b'N', b'C', b'E', ..]
        | [b'#', b'?', b'R', b'G', b'B', b'E', ..] => Some(ImageFormat::Hdr),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(ImageFormat::Gif),
        _ => None,
    }
}

/// A kind of images that are not decoded and whose files begin with these bytes. Phones and servers
/// give such files the names of others. No TGA begins like this.
fn undecodable(head: [u8; LENGTH]) -> Option<&'static str> {
    match head {
        // ISO/IEC 23008-12, 10.2, and the specification of AVIF, section 8: the brand of the file.
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match &brand {
            b"avif" | b"avis" => Some("an AVIF image"),
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => Some("a HEIF image"),
            _ => None,
        },
        [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] | [0xFF, 0x0A, ..] => Some("a JPEG XL image"),
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => Some("a JPEG 2000 image"),
        [b'8', b'B', b'P', b'S', ..] => Some("a Photoshop image"),
        _ => None,
    }
}
