//! How frames reach FFmpeg: whole images in a stream with lengths.
//!
//! `image2pipe` has to find where one image ends and the next begins; it cannot at
//! all for `OpenEXR` and TIFF, and a damaged PNG swallows those behind it. IVF is
//! the simplest container there is that tells the lengths: 32 bytes at the
//! beginning, 12 before each frame. (Layout: FFmpeg's `libavformat/ivfdec.c`.)

/// The beginning of the stream. Rate and size are left blank: the rate is given to
/// FFmpeg as an option and the decoder knows the size.
///
/// The codec's mark must be `MPNG` whatever the images are, because FFmpeg's PNG
/// decoder takes images that are not marked as key frames, which IVF cannot do, for
/// changes of the one before unless it sees that mark (`decode_frame_common` in
/// `libavcodec/pngdec.c`). Other decoders do not look at it: `-c:v` chooses them.
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

/// What precedes the `index`-th image, from 0. `None` for an image too large for the
/// container, 4 GiB.
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
    fn the_stream_is_laid_out_as_ffmpeg_reads_it() {
        assert_eq!(FILE_HEADER.get(..12), Some(&b"DKIF\0\0\x20\0MPNG"[..]));
        assert_eq!(packet_header(3, 258), Some([2, 1, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(packet_header(0, usize::MAX), None);
    }
}
