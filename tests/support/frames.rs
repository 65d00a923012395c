//! Distinguishable frames, and the order in which a video shows them.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// The default size of frames.
pub const SIZE: (u32, u32) = (64, 48);

/// Creates a PNG of `size`. `colour` maps column and row of a pixel to its colour.
pub fn png(size: (u32, u32), colour: impl Fn(u32, u32) -> Rgb) -> Vec<u8> {
    let (width, height) = size;
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::fast());
    for y in 0..height {
        let row: Vec<u8> = (0..width).flat_map(|x| colour(x, y)).collect();
        pixels.write_all(&[0]).expect("memory");
        pixels.write_all(&row).expect("memory");
    }
    let pixels = pixels.finish().expect("memory");
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 2, 0, 0, 0]); // 8 bit RGB
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [(b"IHDR", &header), (b"IDAT", &pixels), (b"IEND", &Vec::new())] {
        file.extend(u32::try_from(content.len()).expect("a small image").to_be_bytes());
        let body = [kind.as_slice(), content].concat();
        file.extend(&body);
        file.extend(crc32fast::hash(&body).to_be_bytes());
    }
    file
}

/// Returns the colour that encodes a frame number, modulo 625. Compression leaves the colours
/// distinguishable.
fn shade(frame: i32) -> Rgb {
    let code = frame.rem_euclid(625);
    let level = |n: i32| u8::try_from(n * 10).expect("at most 240");
    [level(code % 25), level(code / 25), 128]
}

/// Creates the frame with this number, of one colour.
pub fn frame(number: i32) -> Vec<u8> {
    png(SIZE, |_, _| shade(number))
}

/// Returns the file name that Blender gives a frame.
pub fn name(number: i32) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:04}.png", number.unsigned_abs())
}

/// Returns the number of frames from 1 to `last`.
pub fn count(last: i32) -> usize {
    usize::try_from(last).expect("not negative")
}

/// Writes the frames with these numbers into a folder.
pub fn write(folder: &Path, numbers: impl IntoIterator<Item = i32>) {
    fs::create_dir_all(folder).expect("a writable folder");
    for number in numbers {
        fs::write(folder.join(name(number)), frame(number)).expect("a writable folder");
    }
}

/// Creates a PNG of noise, which does not compress.
pub fn noise(size: (u32, u32), seed: u32) -> Vec<u8> {
    png(size, |x, y| {
        let mixed = (x ^ (y << 12) ^ (seed << 24)).wrapping_mul(0x9E37_79B1);
        let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x85EB_CA77);
        let [a, b, c, _] = (mixed ^ (mixed >> 13)).to_be_bytes();
        [a, b, c]
    })
}

/// Converts an image with FFmpeg. `options` are output options.
pub fn convert(source: &Path, options: &str, target: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-i"]).arg(source).args(options.split_whitespace());
    let status = command.arg(target).stdin(Stdio::null()).status().expect("FFmpeg runs");
    assert!(status.success(), "{}", target.display());
}

/// Decodes a video to the pixels of its frames. The video counts as BT.709, whatever its metadata.
pub fn pixels(video: &Path, (width, height): (u32, u32)) -> Vec<Vec<Rgb>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(video)
        .args(["-vf", "scale=in_color_matrix=bt709:in_range=tv,format=rgb24"])
        .args(["-f", "rawvideo", "-fps_mode", "passthrough", "-"])
        .stdin(Stdio::null())
        .output()
        .expect("FFmpeg runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (colours, rest) = output.stdout.as_chunks::<3>();
    let frame = usize::try_from(width * height).expect("a small image");
    assert!(rest.is_empty() && colours.len() % frame == 0, "not {width}x{height}");
    colours.chunks(frame).map(<[Rgb]>::to_vec).collect()
}

/// Asserts that a video shows exactly these frames, in this order.
#[track_caller]
pub fn assert_shows(video: &Path, numbers: impl IntoIterator<Item = i32>) {
    let code = |[r, g, _]: Rgb| (i32::from(r) + 5) / 10 + (i32::from(g) + 5) / 10 * 25;
    let middle = usize::try_from(SIZE.0 * SIZE.1 / 2 + SIZE.0 / 2).expect("a small image");
    let shown: Vec<_> = pixels(video, SIZE).iter().map(|frame| code(frame[middle])).collect();
    let expected: Vec<_> = numbers.into_iter().map(|number| number.rem_euclid(625)).collect();
    assert_eq!(shown, expected);
}

/// Returns the mean difference between the colour channels of two pictures, from 0 to 255.
pub fn difference(a: &[Rgb], b: &[Rgb]) -> f64 {
    assert_eq!(a.len(), b.len());
    let channels = a.as_flattened().iter().zip(b.as_flattened());
    let sum: u32 = channels.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    f64::from(sum) / f64::from(u32::try_from(a.len() * 3).expect("a small image"))
}
