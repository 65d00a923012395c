//! `stitch`: how pictures look in a video, whatever their size, format, depth and alpha.

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageBuffer, Rgb, Rgba};
use tempfile::TempDir;

use crate::support::frames::{self, frame, pixels, png};
use crate::support::{Run, names, probe, worker};

/// A folder of pictures with any names, and an output folder.
struct Album(TempDir);

impl Album {
    fn new() -> Self {
        let album = Self(tempfile::tempdir().unwrap());
        fs::create_dir(album.folder()).unwrap();
        album
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("pictures")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.folder().join(name), content).unwrap();
    }

    /// Writes a picture of any kind as PNG.
    fn draw(&self, name: &str, picture: impl Into<DynamicImage>) {
        let picture = picture.into();
        let mut file = Vec::new();
        let mut encoder = ::png::Encoder::new(&mut file, picture.width(), picture.height());
        let (colour, depth) = match &picture {
            DynamicImage::ImageRgba8(_) => (::png::ColorType::Rgba, ::png::BitDepth::Eight),
            DynamicImage::ImageRgb16(_) => (::png::ColorType::Rgb, ::png::BitDepth::Sixteen),
            _ => (::png::ColorType::Rgb, ::png::BitDepth::Eight),
        };
        encoder.set_color(colour);
        encoder.set_depth(depth);
        let bytes = match &picture {
            DynamicImage::ImageRgb16(deep) => deep.iter().flat_map(|v| v.to_be_bytes()).collect(),
            other => other.as_bytes().to_vec(),
        };
        encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
        self.write(name, file);
    }

    fn stitch(&self, flags: &str) -> Run {
        let output = self.0.path().join("out");
        worker("stitch").input(self.folder()).output(output).args(flags).run()
    }

    fn video(&self, name: &str) -> PathBuf {
        self.0.path().join("out").join(name)
    }

    #[track_caller]
    fn stitched(&self, flags: &str) -> PathBuf {
        self.stitch(&format!("--fps 5 {flags}")).exits(0);
        let output = self.0.path().join("out");
        let mut videos = names(&output);
        videos.retain(|name| name.starts_with("output."));
        assert_eq!(videos.len(), 1, "{videos:?}");
        output.join(&videos[0])
    }
}

fn plain(size: (u32, u32), colour: [u8; 3]) -> ImageBuffer<Rgb<u8>, Vec<u8>> {
    ImageBuffer::from_pixel(size.0, size.1, Rgb(colour))
}

#[track_caller]
fn assert_near(found: [u8; 3], expected: [u8; 3], tolerance: u8, what: &str) {
    let near = found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= tolerance);
    assert!(near, "{what}: {found:?} is not nearly {expected:?}");
}

/// The colour in the middle of each frame of a video.
fn middles(video: &Path, size: (u32, u32)) -> Vec<[u8; 3]> {
    let middle = usize::try_from(size.0 * (size.1 / 2) + size.0 / 2).unwrap();
    pixels(video, size).into_iter().map(|frame| frame[middle]).collect()
}

fn stream(video: &Path) -> serde_json::Value {
    let streams = probe(video)["streams"].take();
    let streams = streams.as_array().unwrap();
    let is_video = |stream: &&serde_json::Value| stream["codec_type"] == "video";
    streams.iter().find(is_video).unwrap().clone()
}

#[test]
fn transparent_pictures_are_laid_over_a_background() {
    let album = Album::new();
    let alphas = [0, 128, 255];
    for (index, alpha) in alphas.into_iter().enumerate() {
        let picture = ImageBuffer::from_pixel(32, 32, Rgba([200u8, 100, 50, alpha]));
        album.draw(&format!("{}.png", index + 1), picture);
    }
    for (flags, background) in [
        ("", [0; 3]),
        ("--background white", [255; 3]),
        ("--background #102040", [16, 32, 64]),
        ("--background white --codec gif", [255; 3]),
    ] {
        let video = album.stitched(flags);
        let shown = middles(&video, (32, 32));
        fs::remove_file(&video).unwrap();
        for (found, alpha) in shown.into_iter().zip(alphas) {
            let over = |front: u32, back: u8| {
                let sum = front * u32::from(alpha) + u32::from(back) * (255 - u32::from(alpha));
                u8::try_from((sum + 127) / 255).unwrap()
            };
            let [r, g, b] = background;
            assert_near(found, [over(200, r), over(100, g), over(50, b)], 3, flags);
        }
    }
}

#[test]
fn alpha_is_kept_where_the_codec_can() {
    let album = Album::new();
    for number in 1..=3 {
        let picture = ImageBuffer::from_fn(32, 32, |x, _| {
            Rgba([200u8, 100, 50, if x < 16 { 0 } else { 255 }])
        });
        album.draw(&format!("{number}.png"), picture);
    }
    for (codec, decoder) in [("prores4444", "prores"), ("vp9", "libvpx-vp9"), ("gif", "gif")] {
        let video = album.stitched(&format!("--codec {codec} --alpha"));
        let alpha = alphas(&video, decoder, 32 * 32);
        let (clear, opaque) = (alpha[16 * 32 + 4], alpha[16 * 32 + 28]);
        assert!(clear < 10 && opaque > 245, "{codec}: {clear} {opaque}");
        fs::remove_file(&video).unwrap();
    }
    for flags in ["--alpha", "--alpha --codec vp9 --output-name a.mp4"] {
        let error = album.stitch(flags).exits(2).final_error();
        assert!(error.contains("--alpha (ALPHA)"), "{error}");
    }
}

/// The alpha of the first frame of a video.
fn alphas(video: &Path, decoder: &str, size: usize) -> Vec<u8> {
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-c:v", decoder, "-i"])
        .arg(video)
        .args(["-frames:v", "1", "-pix_fmt", "rgba", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    let (pixels, _) = output.stdout.as_chunks::<4>();
    assert_eq!(pixels.len(), size, "{}", String::from_utf8_lossy(&output.stderr));
    pixels.iter().map(|[.., alpha]| *alpha).collect()
}

#[test]
fn pictures_of_different_sizes_are_fitted_if_asked_for() {
    let album = Album::new();
    album.draw("1.png", plain((64, 48), [200, 100, 50]));
    album.draw("2.png", plain((48, 64), [50, 100, 200]));
    album.draw("3.png", plain((640, 480), [100, 200, 50]));
    let error = album.stitch("--fps 5").exits(65).final_error();
    for part in ["sizes differ", "--size", "64x48", "48x64", "640x480"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    for (flags, (width, height)) in [
        ("--size first", (64, 48)),
        ("--size largest", (640, 480)),
        ("--size 320x180 --background white", (320, 180)),
    ] {
        let video = album.stitched(flags);
        let shown = pixels(&video, (width, height));
        let at = |frame: usize, x: u32, y: u32| shown[frame][(y * width + x) as usize];
        let colours = [[200, 100, 50], [50, 100, 200], [100, 200, 50]];
        for (index, colour) in colours.into_iter().enumerate() {
            assert_near(at(index, width / 2, height / 2), colour, 4, flags);
        }
        // The upright picture has the background beside it.
        let background = if flags.contains("white") { [255; 3] } else { [0; 3] };
        assert_near(at(1, 2, height / 2), background, 4, flags);
        assert_near(at(1, width / 2, 1), colours[1], 12, flags);
    }
}

#[test]
fn sixteen_bits_stay_smooth_in_a_video_of_ten() {
    let album = Album::new();
    // A ramp so flat that 8 bits show 5 levels.
    let ramp =
        ImageBuffer::from_fn(256, 16, |x, _| Rgb([30_000u16 + u16::try_from(x).unwrap() * 4; 3]));
    album.draw("1.png", ramp);
    let levels = |flags: &str| {
        let video = album.stitched(flags);
        let output = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(&video)
            .args(["-pix_fmt", "gray10le", "-f", "rawvideo", "-"])
            .output()
            .unwrap();
        let (samples, _) = output.stdout.as_chunks::<2>();
        let row: std::collections::BTreeSet<_> = samples[..256].iter().copied().collect();
        row.len()
    };
    let (eight, ten) =
        (levels("--codec h265 --crf 0"), levels("--codec h265 --crf 0 --bit-depth 10"));
    assert!(eight <= 6 && ten >= 13, "{eight} {ten}");
}

#[test]
fn pixels_that_are_not_square_keep_their_shape() {
    let album = Album::new();
    let picture = plain((36, 48), [200, 100, 50]);
    let mut file = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut file, 36, 48);
    encoder.set_color(::png::ColorType::Rgb);
    // Twice as many rows per unit as columns: a pixel is twice as wide as high.
    encoder.set_pixel_dims(Some(::png::PixelDimensions {
        xppu: 1000,
        yppu: 2000,
        unit: ::png::Unit::Unspecified,
    }));
    encoder.write_header().unwrap().write_image_data(picture.as_raw()).unwrap();
    album.write("1.png", file);
    for flags in ["", "--size largest"] {
        let kept = stream(&album.stitched(flags));
        assert_eq!((&kept["width"], &kept["sample_aspect_ratio"]), (&36.into(), &"2:1".into()));
    }
    let fitted = stream(&album.stitched("--size 72x48"));
    assert_eq!((&fitted["width"], &fitted["sample_aspect_ratio"]), (&72.into(), &"1:1".into()));
    // A GIF cannot tell their shape.
    fs::remove_file(album.video("output.mp4")).unwrap();
    let gif = stream(&album.stitched("--codec gif"));
    assert_eq!((&gif["width"], &gif["height"]), (&72.into(), &48.into()));
}

#[test]
fn pictures_that_are_too_large_for_a_codec_are_refused_with_the_flag_that_helps() {
    let album = Album::new();
    album.draw("1.png", plain((16_386, 16), [200, 100, 50]));
    album.stitch("--fps 5").exits(65).logs(&["16384x16384", "--size"]);
    let video = album.stitched("--size 1024x16");
    assert_eq!(stream(&video)["width"], 1024);
}

#[test]
fn a_frame_rate_that_a_container_cannot_have_is_refused_with_the_flag_that_helps() {
    let album = Album::new();
    album.draw("1.png", plain((256, 120), [200, 100, 50]));
    let stitch =
        |fps: &str| album.stitch(&format!("--codec dnxhr --output-name film.mxf --fps {fps}"));
    stitch("12").exits(65).logs(&["--fps"]);
    stitch("25").exits(0);
}

#[test]
fn what_is_ignored_of_a_file_is_warned_of() {
    let album = Album::new();
    // A profile with the tag `desc` alone.
    let profile = |name: &str| {
        let length = |count: usize| u32::try_from(count).unwrap().to_be_bytes();
        let text = [&b"desc\0\0\0\0"[..], &length(name.len()), name.as_bytes()].concat();
        [&[0; 128][..], &length(1), b"desc", &length(144), &length(text.len()), &text].concat()
    };
    let picture = plain((32, 32), [200, 100, 50]);
    for (name, title) in [("1.jpg", "sRGB IEC61966-2.1"), ("2.jpg", "Display P3")] {
        let mut file = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut file, 90);
        encoder.add_icc_profile(&profile(title)).unwrap();
        encoder.encode(picture.as_raw(), 32, 32, jpeg_encoder::ColorType::Rgb).unwrap();
        album.write(name, file);
    }
    let mut file = Vec::new();
    let mut info = ::png::Info::with_size(32, 32);
    (info.color_type, info.bit_depth) = (::png::ColorType::Rgb, ::png::BitDepth::Eight);
    info.icc_profile = Some(profile("Display P3").into());
    let encoder = ::png::Encoder::with_info(&mut file, info).unwrap();
    encoder.write_header().unwrap().write_image_data(picture.as_raw()).unwrap();
    album.write("3.png", file);
    let pages = |name: &str, kind: u16| album.write(name, tiff_of_two_images(kind));
    pages("4.tif", 0);
    pages("5.tif", 1);
    let run = album.stitch("--in-order name --size first --fps 5").exits(0);
    run.logs_only_warnings(&["frames 2-3 have the colour profile Display P3", "frame 4 holds"]);
}

/// A grey TIFF of 1x1 pixel, and another image of this kind (`NewSubfileType`) after it.
fn tiff_of_two_images(kind: u16) -> Vec<u8> {
    let directory = |kind: u16, next: u32| {
        let fields: [(u16, u16); 8] =
            [(254, kind), (256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, 8), (279, 1)];
        let entries = fields.iter().flat_map(|(tag, value)| {
            [
                &tag.to_le_bytes()[..],
                &3_u16.to_le_bytes(),
                &1_u32.to_le_bytes(),
                &value.to_le_bytes(),
                &[0; 2],
            ]
            .concat()
        });
        let count = u16::try_from(fields.len()).unwrap().to_le_bytes();
        count.into_iter().chain(entries).chain(next.to_le_bytes()).collect::<Vec<u8>>()
    };
    let length = u32::try_from(directory(0, 0).len()).unwrap();
    let (first, second) = (10_u32, 10 + length);
    let header = [&b"II*\0"[..], &first.to_le_bytes(), &[128, 0]].concat();
    [header, directory(0, second), directory(kind, 0)].concat()
}

#[test]
fn pictures_beside_a_folder_of_frames_are_told_of() {
    let album = Album::new();
    album.write("photo.png", frame(1));
    fs::create_dir(album.folder().join("frames")).unwrap();
    album.write("frames/0001.png", frame(2));
    let film = album.video("film.mp4");
    let stitch = worker("stitch").arg(album.folder()).arg(&film).args("--fps 5");
    stitch.run().exits(0).logs_only_warnings(&["1 picture is beside the folder frames"]);
}

#[test]
fn a_folder_without_flags_becomes_a_video_as_it_is() {
    let album = Album::new();
    album.draw("b.png", plain((64, 48), [200, 100, 50]));
    album.write("a.png", frame(3));
    album.draw("c.png", plain((48, 64), [50, 100, 200]));
    album.write("notes.txt", "no picture");
    let (input, output) = (album.0.path(), album.0.path().join("videos"));
    let run = worker("stitch")
        .args("pictures aquarium.mp4")
        .env("INPUT_DIR", input)
        .env("OUTPUT_DIR", &output)
        .run();
    run.exits(0);
    let video = output.join("aquarium.mp4");
    assert_eq!(stream(&video)["avg_frame_rate"], "5/1");
    let shown = middles(&video, frames::SIZE);
    assert_eq!(shown.len(), 3);
    assert_near(shown[1], [200, 100, 50], 4, "b.png");
    assert_near(shown[2], [50, 100, 200], 4, "c.png");

    let alone = worker("stitch").args("pictures").env("INPUT_DIR", input);
    alone.env("OUTPUT_DIR", &output).run().exits(0);
    assert_eq!(stream(&output.join("output.mp4"))["nb_read_frames"], "3");

    let paths = worker("stitch").arg(album.folder()).arg(album.0.path().join("x/y.webm")).run();
    paths.exits(0);
    assert_eq!(stream(&album.0.path().join("x/y.webm"))["codec_name"], "vp9");
    for wrong in ["pictures film.txt", "pictures -i other film.mp4", "pictures film.mp4 -o out"] {
        worker("stitch").args(wrong).run().exits(2);
    }
}

#[test]
fn a_folder_of_rendered_frames_is_a_sequence_without_gaps() {
    let album = Album::new();
    let frames = album.folder().join("frames");
    frames::write(&frames, 1..=4);
    let video = album.0.path().join("film.mp4");
    let stitch = || worker("stitch").arg(album.folder()).arg(&video).run();
    stitch().exits(0).logs(&["at 25 frames a second"]);
    frames::assert_shows(&video, 1..=4);
    fs::remove_file(frames.join("0002.png")).unwrap();
    let error = stitch().exits(66).final_error();
    assert!(error.contains("frame 2"), "{error}");
    fs::write(frames.join("0002.png"), png((8, 8), |_, _| [0; 3])).unwrap();
    let error = stitch().exits(65).final_error();
    assert!(error.contains("--size (SIZE)"), "{error}");
}

#[test]
fn formats_can_be_mixed_where_names_are_the_order() {
    let album = Album::new();
    album.write("a.png", frame(1));
    let source = album.0.path().join("source.png");
    fs::write(&source, frame(2)).unwrap();
    frames::convert(&source, "-q:v 1", &album.folder().join("b.jpg"));
    frames::convert(&source, "", &album.folder().join("c.bmp"));
    frames::assert_shows(&album.stitched("--in-order name"), [1, 2, 2]);
    album.write("d.heic", "no picture that is known");
    let error = album.stitch("--in-order name --fps 5").exits(65).final_error();
    assert!(error.contains("d.heic") && error.contains("HEIF"), "{error}");
    album.stitch("--in-order name --fps 5 --allow-gaps").exits(0);
}

#[test]
fn the_smallest_pictures_become_videos() {
    for size in [(1, 1), (1, 9), (9, 1), (3, 3)] {
        let album = Album::new();
        album.write("1.png", png(size, |_, _| [200, 100, 50]));
        for codec in ["h264", "vp9", "prores", "gif"] {
            let video = album.stitched(&format!("--codec {codec}"));
            assert_eq!(stream(&video)["nb_read_frames"], "1", "{size:?} {codec}");
            fs::remove_file(video).unwrap();
        }
    }
    let album = Album::new();
    album.write("1.png", png((16, 16), |_, _| [200, 100, 50]));
    album.stitched("--codec h265");
    album.write("1.png", png((16, 14), |_, _| [200, 100, 50]));
    let error = album.stitch("--fps 5 --codec h265").exits(65).final_error();
    assert!(error.contains("16x14") && error.contains("--size (SIZE)"), "{error}");
}

/// One colour after another, and the colours of the video.
fn colours_of(album: &Album, colours: &[[u8; 3]], flags: &str, name: &str) -> Vec<[u8; 3]> {
    for (number, colour) in (1..).zip(colours) {
        album.draw(&format!("{number}.png"), plain((64, 48), *colour));
    }
    album.stitch(&format!("{flags} --output-name {name}")).exits(0);
    middles(&album.video(name), (64, 48))
}

#[test]
fn a_gif_shows_colours_that_come_again() {
    let (red, blue) = ([250, 0, 0], [0, 0, 250]);
    for colours in [vec![red, blue, red], vec![red, blue, red, blue, blue, red]] {
        let found = colours_of(&Album::new(), &colours, "", "film.gif");
        assert_eq!(found.len(), colours.len());
        for (number, (found, expected)) in (1..).zip(found.into_iter().zip(colours)) {
            assert_near(found, expected, 8, &format!("frame {number}"));
        }
    }
}

#[test]
fn every_picture_counts_whatever_its_name_promises() {
    let album = Album::new();
    album.draw("a.jpg", plain((64, 48), [250, 0, 0]));
    album.draw("b.PJP", plain((64, 48), [0, 250, 0]));
    album.stitch("--in-order name --output-name film.mp4").exits(0);
    let found = middles(&album.video("film.mp4"), (64, 48));
    assert_near(found[0], [250, 0, 0], 4, "a PNG with the name of a JPEG");
    assert_near(found[1], [0, 250, 0], 4, "a rare extension");

    // What cannot be read is named and not left out.
    let link = album.folder().join("c.png");
    std::os::unix::fs::symlink("/mnt/photos/c.png", link).unwrap();
    let error = album.stitch("--in-order name --output-name other.mp4").exits(65).final_error();
    assert!(error.contains("c.png") && error.contains("/mnt/photos/c.png"), "{error}");
}

#[test]
fn pictures_beside_a_numbered_sequence_are_told_of() {
    let album = Album::new();
    for name in ["1.png", "2.png", "title.png", "end.png"] {
        album.draw(name, plain((64, 48), [9; 3]));
    }
    let run = album.stitch("--fps 2 --output-name film.mp4").exits(0);
    let warning = run.warnings().join("\n");
    assert!(warning.contains("and 1 more image in") && warning.contains("IN_ORDER"), "{warning}");
}

#[test]
fn a_folder_without_pictures_is_told_what_pictures_are() {
    let album = Album::new();
    fs::create_dir(album.folder().join("deeper")).unwrap();
    album.write("notes.txt", "no picture");
    let error = album.stitch("--in-order name --output-name film.mp4").exits(66).final_error();
    assert!(error.contains("no pictures") && error.contains("WebP"), "{error}");
}

#[test]
fn previews_are_those_of_the_pictures_in_the_video() {
    let album = Album::new();
    album.draw("1.png", plain((64, 48), [250, 0, 0]));
    album.stitch("--output-name film.mp4").exits(0);
    // Another picture of the same number, whose file is older.
    album.draw("1.png", plain((64, 48), [0, 0, 250]));
    let file = fs::File::options().write(true).open(album.folder().join("1.png")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    album.stitch("--output-name film.mp4").exits(0);
    let preview = album.video("previews/0001.jpg");
    let shown = image::open(preview).unwrap().to_rgb8().get_pixel(32, 24).0;
    assert_near(shown, [0, 0, 250], 8, "the preview");
}
