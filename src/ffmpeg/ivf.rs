//! FFmpeg's input: image files in an IVF stream, which states the length of each.
//!
//! FFmpeg's `image2pipe` must find where one image ends and the next begins. It cannot do that
//! for `OpenEXR` and TIFF, and a damaged PNG swallows the images after it. IVF is the simplest
//! container that states lengths: 32 bytes at the beginning, 12 before each frame. (Layout:
//! FFmpeg's `libavformat/ivfdec.c`.)

/// The header of the stream. Rate and size are left blank: FFmpeg takes the rate from an option,
/// and the size from the decoder.
///
/// The codec must be `MPNG`, whatever the format of the images is. With any other, FFmpeg's PNG
/// decoder takes an image that is not marked as a key frame for a change to the previous one
/// (`decode_frame_common` in `libavcodec/pngdec.c`), and IVF has no such mark. Other decoders
/// ignore the codec here: `-c:v` chooses them.
#[rustfmt::skip]
pub const FILE_HEADER: [u8; 32] = [
    b'D', b'K', b'I', b'F',
    0, 0, // version
    32, 0, // length of this header
    b'M', b'P', b'N', b'G',
    0, 0, 0, 0, // width, height
    1, 0, 0, 0, 1, 0, 0, 0, // ticks a second
    0, 0, 0, 0, // number of frames
    0, 0, 0, 0,
];

/// The header of the image with this index, from 0, and this length in bytes; `None` for an image
/// of 4 GiB or more, which IVF cannot hold.
pub fn packet_header(index: u64, length: usize) -> Option<[u8; 12]> {
    let mut header = [0; 12];
    let (size, position) = header.split_at_mut(4);
    size.copy_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
    position.copy_from_slice(&index.to_le_bytes());
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_the_layout_that_ffmpeg_reads() {
        assert_eq!(FILE_HEADER.get(..12), Some(&b"DKIF\0\0\x20\0MPNG"[..]));
        assert_eq!(packet_header(3, 258), Some([2, 1, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(packet_header(0, usize::MAX), None);
    }
}
