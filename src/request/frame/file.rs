//! File names of frames, and the folders below the output location.

use std::fmt;

use crate::request::FrameNumber;

/// The folder of the frames, below the output location.
pub const FRAMES_DIR: &str = "frames";

/// The folder of the reports, below the output location.
pub const REPORTS_DIR: &str = "reports";

/// The folder of the previews of frames and of the contact sheet, below the output location.
pub const PREVIEWS_DIR: &str = "previews";

/// The folder of the files that a scene makes besides its frames, below the output location.
pub const OUTPUTS_DIR: &str = "outputs";

/// The image formats that the worker decodes: it verifies, delivers and stitches frames in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ImageFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG, baseline or progressive.
    Jpeg,
    /// `OpenEXR`, single or multilayer.
    OpenExr,
    /// TIFF, classic or `BigTIFF`.
    Tiff,
    /// WebP, lossy or lossless.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// Truevision TGA, which Blender calls Targa.
    Tga,
    /// Radiance HDR: linear light.
    Hdr,
    /// A GIF of one image.
    Gif,
}

impl ImageFormat {
    /// All formats.
    pub const ALL: [Self; 9] = [
        Self::Png,
        Self::Jpeg,
        Self::OpenExr,
        Self::Tiff,
        Self::WebP,
        Self::Bmp,
        Self::Tga,
        Self::Hdr,
        Self::Gif,
    ];

    /// The format of files with this extension, without the dot and in any case.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "png" | "apng" => Some(Self::Png),
            // Stereo cameras put two JPEGs in one file. The first one is the picture.
            "jpg" | "jpeg" | "jpe" | "jfif" | "jfi" | "jif" | "pjpeg" | "pjp" | "mpo" | "jps" => {
                Some(Self::Jpeg)
            }
            "exr" | "sxr" | "mxr" => Some(Self::OpenExr),
            "tif" | "tiff" => Some(Self::Tiff),
            "webp" => Some(Self::WebP),
            "bmp" | "dib" => Some(Self::Bmp),
            "tga" | "icb" | "vda" | "vst" => Some(Self::Tga),
            "hdr" | "rgbe" => Some(Self::Hdr),
            "gif" => Some(Self::Gif),
            _ => None,
        }
    }

    /// The name of the format that files with this extension have, if it is a format of images that
    /// the worker cannot decode. The extension is without the dot and in any case.
    pub fn unsupported(extension: &str) -> Option<&'static str> {
        match extension.to_ascii_lowercase().as_str() {
            "avif" | "avifs" => Some("AVIF"),
            "cin" => Some("Cineon"),
            "3fr" | "arw" | "cr2" | "cr3" | "crw" | "dcr" | "dng" | "erf" | "fff" | "gpr"
            | "iiq" | "kdc" | "mef" | "mos" | "mrw" | "nef" | "nrw" | "orf" | "pef" | "raf"
            | "rw2" | "rwl" | "sr2" | "srf" | "srw" | "x3f" => Some("camera raw"),
            "dcm" => Some("DICOM"),
            "dds" => Some("DirectDraw Surface"),
            "dpx" => Some("DPX"),
            "fit" | "fits" => Some("FITS"),
            "heic" | "heif" | "hif" => Some("HEIF"),
            "ico" => Some("icon"),
            "jp2" | "j2k" | "j2c" | "jpx" => Some("JPEG 2000"),
            "jxl" => Some("JPEG XL"),
            "jxr" => Some("JPEG XR"),
            "kra" => Some("Krita"),
            "ora" => Some("OpenRaster"),
            "pcx" => Some("PCX"),
            "pbm" | "pgm" | "ppm" | "pnm" | "pam" | "pfm" => Some("PNM"),
            "psd" | "psb" => Some("Photoshop"),
            "qoi" => Some("QOI"),
            "rgb" | "bw" | "sgi" => Some("Iris"),
            "svg" => Some("SVG"),
            "xbm" | "xpm" => Some("X11"),
            "xcf" => Some("GIMP"),
            _ => None,
        }
    }

    /// The extension that Blender gives to files of this format, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::OpenExr => "exr",
            Self::Tiff => "tif",
            Self::WebP => "webp",
            Self::Bmp => "bmp",
            Self::Tga => "tga",
            Self::Hdr => "hdr",
            Self::Gif => "gif",
        }
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::OpenExr => "OpenEXR",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tga => "TGA",
            Self::Hdr => "HDR",
            Self::Gif => "GIF",
        })
    }
}

/// The file of one frame, with the name that Blender gives it: `0001.png`, `10000.exr`, `-0001.jpg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameFile {
    /// The frame's number.
    pub number: FrameNumber,
    /// The format that the extension indicates.
    pub format: ImageFormat,
}

impl FrameFile {
    /// The name that Blender gives to a frame: at least four digits, after a minus sign if the
    /// number is negative (`BLI_path_frame` in its `path_utils.cc`).
    pub fn name(number: FrameNumber, format: ImageFormat) -> String {
        format!("{}.{}", Self::stem(number), format.extension())
    }

    /// The number as it is in that name: `0001`.
    pub fn stem(number: FrameNumber) -> String {
        Self::number(number, 4)
    }

    /// The number with at least so many digits, after a minus sign if it is negative.
    pub fn number(number: FrameNumber, digits: usize) -> String {
        let sign = if number.get() < 0 { "-" } else { "" };
        format!("{sign}{:0digits$}", number.get().unsigned_abs())
    }

    /// Parses a file name. Returns `None` if it is not that of a frame.
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let format = ImageFormat::from_extension(extension)?;
        let (digits, sign) = stem.strip_prefix('-').map_or((stem, 1), |digits| (digits, -1));
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse::<i64>().ok().filter(|_| is_number)?;
        Some(Self { number: FrameNumber::new(number * sign)?, format })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: i64) -> FrameNumber {
        FrameNumber::new(number).unwrap()
    }

    #[test]
    fn frames_have_the_names_that_blender_gives_them() {
        let table = [
            (1, ImageFormat::Png, "0001.png"),
            (0, ImageFormat::Png, "0000.png"),
            (9999, ImageFormat::Jpeg, "9999.jpg"),
            (10_000, ImageFormat::OpenExr, "10000.exr"),
            (-1, ImageFormat::Tiff, "-0001.tif"),
            (-12_345, ImageFormat::WebP, "-12345.webp"),
        ];
        for (number, format, name) in table {
            assert_eq!(FrameFile::name(frame(number), format), name);
            let parsed = FrameFile::parse(name).unwrap();
            assert_eq!((parsed.number, parsed.format), (frame(number), format));
        }
    }

    #[test]
    fn other_names_are_not_those_of_frames() {
        for name in [
            "",
            ".",
            ".png",
            "png",
            "0001",
            "0001.",
            "0001.mp4",
            "0001_L.png",
            "shot_0001.png",
            "--3.png",
            "+3.png",
            "cover.png",
            "-.png",
            "99999999999999999999.png",
            "2000000.png",
            "1.png.part",
        ] {
            assert_eq!(FrameFile::parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_extension_of_a_format_is_parsed_as_that_format() {
        for format in ImageFormat::ALL {
            assert_eq!(ImageFormat::from_extension(format.extension()), Some(format));
        }
    }
}
