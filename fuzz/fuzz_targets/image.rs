//! Decoding of images, in every format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::image::decode;
use render_worker::request::ImageFormat;

fuzz_target!(|bytes: &[u8]| {
    decode_all(bytes);
    if let Some(repaired) = with_valid_checksums(bytes) {
        decode_all(&repaired);
    }
});

fn decode_all(bytes: &[u8]) {
    for format in ImageFormat::ALL {
        if let Ok(picture) = decode(format, bytes, None) {
            assert!(picture.pixels.width() > 0 && picture.pixels.height() > 0);
            // Without its first byte, no image is whole. TGA has no signature.
            assert!(format == ImageFormat::Tga || decode(format, &bytes[1..], None).is_err());
        }
    }
}

/// A PNG with correct checksums after the mutation. Otherwise decoding would stop at the first
/// changed chunk.
fn with_valid_checksums(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = bytes.to_vec();
    let mut at = 8;
    while let Some(length) = repaired.get(at..at + 4) {
        let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
        let end = at.checked_add(8)?.checked_add(length)?;
        let Some(body) = repaired.get(at + 4..end) else { break };
        let checksum = crc32fast::hash(body).to_be_bytes();
        let Some(field) = repaired.get_mut(end..end + 4) else { break };
        field.copy_from_slice(&checksum);
        at = end + 4;
    }
    (bytes.starts_with(b"\x89PNG") && repaired != bytes).then_some(repaired)
}
