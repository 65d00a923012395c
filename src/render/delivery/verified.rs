//! Verifies the file of a frame by decoding it, and makes its preview.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::image;
use crate::image::preview::{PREVIEW_BOUNDS, jpeg, shrink};
use crate::image::{Picture, View};
use crate::request::{ByteSize, ImageFormat};

/// The largest file that is read. Frames of 8K with thirty passes are not larger.
const LARGEST_FILE: ByteSize = ByteSize::gib(4);

/// What is behind the transparent parts of a preview: black, as in a video.
const BACKGROUND: [u8; 3] = [0; 3];

/// A frame whose file is whole.
#[derive(Debug)]
pub struct Verified {
    /// The open file.
    pub file: File,
    /// The preview, a JPEG, if one was wanted.
    pub preview: Option<Vec<u8>>,
}

impl Verified {
    /// Opens the file of a frame, and decodes it. If there is a `view`, makes a preview, which shows
    /// linear light by it. Whoever stores the frame must take the same open
    /// file: a script in the scene could replace the file meanwhile.
    ///
    /// # Errors
    /// The damage, as a predicate of the file: `ends after 60 bytes`.
    pub fn read(path: &Path, format: ImageFormat, view: Option<&View>) -> Result<Self, String> {
        let (file, content) = open(path)?;
        let picture = image::decode(format, &content, None).map_err(|damage| damage.to_string())?;
        drop(content);
        let preview = view.map(|view| preview(&picture, view));
        Ok(Self { file, preview })
    }
}

/// Opens a side file, and decodes all that is in it. It need not be a picture: it can hold depths,
/// normals or the names of objects. As with a frame, the same open file must be stored.
///
/// # Errors
/// The damage, as a predicate of the file: `ends after 60 bytes`.
pub fn open_whole(path: &Path) -> Result<File, String> {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let format = ImageFormat::from_extension(extension);
    let format = format.ok_or("does not have the name of an image")?;
    let (file, content) = open(path)?;
    image::check(format, &content).map_err(|damage| damage.to_string())?;
    Ok(file)
}

/// Opens and reads a file that Blender has saved.
fn open(path: &Path) -> Result<(File, Vec<u8>), String> {
    // A link could point to any of our files, and opening a pipe would block forever.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
    let unreadable = |error: io::Error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => "is not a regular file".to_owned(),
        Some(Errno::ENOENT | Errno::ENOTDIR) => "does not exist".to_owned(),
        _ => format!("cannot be read: {error}"),
    };
    let file = opened.map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    if metadata.len() > LARGEST_FILE.bytes() {
        return Err(format!("is larger than {LARGEST_FILE}, the most that is read of a frame"));
    }
    let mut content = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    (&file).take(LARGEST_FILE.bytes()).read_to_end(&mut content).map_err(unreadable)?;
    Ok((file, content))
}

/// The preview of a picture. Linear light is made smaller before it gets its display values: there
/// are far fewer pixels then.
fn preview(picture: &Picture, view: &View) -> Vec<u8> {
    let small = shrink(&picture.pixels, picture.pixel_aspect, PREVIEW_BOUNDS);
    jpeg(view.apply(small), BACKGROUND)
}

#[cfg(test)]
mod tests {
    use ::image::{Rgb, Rgb32FImage};

    use super::*;

    #[test]
    fn the_preview_of_linear_light_is_as_bright_as_srgb() {
        // Middle grey of 18 % is 118 of 255 in sRGB.
        let picture = Picture::plain(Rgb32FImage::from_pixel(64, 36, Rgb([0.18; 3])).into());
        let decoded =
            image::decode(ImageFormat::Jpeg, &preview(&picture, &View::Srgb), None).unwrap();
        let shade = decoded.pixels.to_luma8().get_pixel(32, 18).0[0];
        assert!(shade.abs_diff(118) <= 1, "{shade}");
    }

    #[test]
    fn what_is_no_file_of_a_frame_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let damage = |name: &str| {
            let verified = Verified::read(&path(name), ImageFormat::Png, Some(&View::Srgb));
            let of_side_file = open_whole(&path(name)).unwrap_err();
            assert_eq!(verified.unwrap_err(), of_side_file);
            of_side_file
        };
        assert!(damage("0001.png").contains("does not exist"));
        assert!(open_whole(&path("frame")).unwrap_err().contains("does not have the name"));
        std::os::unix::fs::symlink("/etc/passwd", path("0002.png")).unwrap();
        std::fs::create_dir(path("0003.png")).unwrap();
        for name in ["0002.png", "0003.png"] {
            assert!(damage(name).contains("is not a regular file"), "{name}");
        }
        // Sparse: it takes no space on the disk.
        File::create(path("0004.png")).unwrap().set_len(5 << 30).unwrap();
        assert!(damage("0004.png").contains("is larger than 4"), "{}", damage("0004.png"));
    }
}
