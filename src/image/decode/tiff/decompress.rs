//! Decompression of a strip or a tile.

use std::convert::Infallible;
use std::io::Read;

use fax::Color;
use fax::decoder::{DecodeStatus, Group4Decoder, pels};
use flate2::read::ZlibDecoder;
use weezl::{BitOrder, LzwStatus};

use super::header::{Colours, Compression, Header};
use crate::image::Damage;
use crate::image::decode::jpeg;

/// The data of a strip or a tile, and what they become.
pub(super) struct Packed<'a> {
    pub(super) header: &'a Header,
    pub(super) data: &'a [u8],
    /// The tables that the JPEG images of a file share.
    pub(super) jpeg_tables: Option<&'a [u8]>,
    /// Columns and rows.
    pub(super) width: u32,
    pub(super) height: u32,
    /// The size in bytes when it is decompressed.
    pub(super) size: usize,
}

impl Packed<'_> {
    /// Returns the decompressed bytes; `None` if the data are damaged.
    ///
    /// # Errors
    /// [`Damage::Unsupported`] if the data are of a kind that is not decoded.
    pub(super) fn unpack(&self) -> Result<Option<Vec<u8>>, Damage> {
        let reversed: Vec<u8>;
        let data = if self.header.low_bits_first {
            reversed = self.data.iter().map(|byte| byte.reverse_bits()).collect();
            &reversed
        } else {
            self.data
        };
        let unpacked = match self.header.compression {
            Compression::None => data.get(..self.size).map(<[u8]>::to_vec),
            Compression::Group4 => group_4(data, self.width, self.height),
            Compression::Lzw => lzw(data, self.size),
            Compression::Jpeg => self.jpeg()?,
            Compression::Deflate => deflate(data, self.size),
            Compression::PackBits => pack_bits(data, self.size),
        };
        Ok(unpacked.filter(|unpacked| unpacked.len() == self.size))
    }

    /// The field of the directory says what the components are, not the JPEG image.
    fn jpeg(&self) -> Result<Option<Vec<u8>>, Damage> {
        let ycbcr = self.header.colours == Colours::YCbCr;
        match self.jpeg_file().map(|file| jpeg::embedded(&file, ycbcr)) {
            Some(Ok(jpeg)) => {
                let fits = (jpeg.width, jpeg.height) == (self.width, self.height);
                Ok(fits.then_some(jpeg.components))
            }
            Some(Err(Damage::Unsupported(kind))) => {
                Err(Damage::Unsupported(format!("a TIFF image that holds {kind}")))
            }
            Some(Err(_)) | None => Ok(None),
        }
    }

    /// The data as a whole JPEG file.
    fn jpeg_file(&self) -> Option<Vec<u8>> {
        let mut stream = Vec::new();
        if let Some(tables) = self.jpeg_tables {
            // Without the marker of the end, and the image without that of the start.
            stream.extend_from_slice(tables.get(..tables.len().checked_sub(2)?)?);
            stream.extend_from_slice(self.data.get(2..)?);
        } else {
            stream.extend_from_slice(self.data);
        }
        Some(stream)
    }
}

/// Rows of bits, 1 for black.
fn group_4(data: &[u8], width: u32, height: u32) -> Option<Vec<u8>> {
    let width = u16::try_from(width).ok()?;
    let bytes = data.iter().map(|&byte| Ok::<_, Infallible>(byte));
    let mut decoder = Group4Decoder::new(bytes, width).ok()?;
    let mut unpacked = Vec::new();
    for _ in 0..height {
        if decoder.advance().ok()? == DecodeStatus::End {
            return None;
        }
        let row: Vec<_> = pels(decoder.transition(), width).collect();
        unpacked.extend(row.chunks(8).map(|pixels| {
            let bits = pixels.iter().zip((0..8).rev());
            bits.fold(0, |byte, (pixel, bit)| byte | u8::from(*pixel == Color::Black) << bit)
        }));
    }
    Some(unpacked)
}

/// TIFF 6.0, section 13. The data must end with the code of the end.
fn lzw(data: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut unpacked = vec![0; size];
    let mut rest = data;
    let mut filled = 0;
    loop {
        let result = decoder.decode_bytes(rest, unpacked.get_mut(filled..)?);
        rest = rest.get(result.consumed_in..)?;
        filled += result.consumed_out;
        match result.status {
            Ok(LzwStatus::Done) => break,
            Ok(LzwStatus::Ok) if result.consumed_in + result.consumed_out > 0 => {}
            _ => return None,
        }
    }
    (filled == size).then_some(unpacked)
}

/// zlib, whose checksum is verified at its end.
fn deflate(data: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    let limit = (size as u64).saturating_add(1);
    ZlibDecoder::new(data).take(limit).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

/// TIFF 6.0, section 9.
fn pack_bits(data: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut rest = data;
    while unpacked.len() < size {
        let (&length, after) = rest.split_first()?;
        rest = match length {
            0..=127 => {
                let (literal, after) = after.split_at_checked(usize::from(length) + 1)?;
                unpacked.extend_from_slice(literal);
                after
            }
            128 => after,
            129.. => {
                let (&value, after) = after.split_first()?;
                unpacked.resize(unpacked.len() + 257 - usize::from(length), value);
                after
            }
        };
    }
    Some(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pack_bits_repeats_or_copies() {
        // The example of TIFF 6.0, and a byte that means nothing.
        let packed = [
            0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x80, 0x03, 0x80, 0x00, 0x2A, 0x22,
            0xF7, 0xAA,
        ];
        let unpacked = [
            0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0x22,
            0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA,
        ];
        assert_eq!(pack_bits(&packed, 24).unwrap(), unpacked);
        for length in 0..packed.len() {
            assert_eq!(pack_bits(&packed[..length], 24), None, "{length}");
        }
    }
}
