//! The file name of a video.

use super::codec::Codec;
use crate::request::value::ValueError;

/// A plain file name with the extension of a container that holds the codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputName(String);

impl OutputName {
    /// `output.mp4`, as in the reference script, or another extension for a codec that mp4 cannot
    /// hold.
    pub fn default_for(codec: Codec) -> Self {
        let container = codec.containers().first().copied().unwrap_or("mp4");
        Self(format!("output.{container}"))
    }

    /// Validates the file name of a video.
    ///
    /// # Errors
    /// [`ValueError`], if `name` is not a plain file name, or if no container with this extension
    /// can hold `codec`.
    pub fn new(name: &str, codec: Codec) -> Result<Self, ValueError> {
        let plain = !name.starts_with('.')
            && !name.contains('/')
            && !name.chars().any(char::is_control)
            && name.len() <= 200;
        if plain && extension(name).is_some_and(|end| codec.containers().contains(&&*end)) {
            return Ok(Self(name.to_owned()));
        }
        let wanted = format!(
            "a file name without folders that ends in .{} (the codec is {codec})",
            codec.containers().join(" or .")
        );
        Err(ValueError { given: name.to_owned(), wanted })
    }

    /// Whether a name ends like that of a video file, of any codec.
    pub fn is_video(name: &str) -> bool {
        Self::codec_of(name).is_some()
    }

    /// Whether a name ends like that of a video file, also one that no codec is stored in.
    pub fn looks_like_video(name: &str) -> bool {
        const OTHERS: [&str; 9] = ["avi", "flv", "m4v", "mpeg", "mpg", "ogv", "ts", "vob", "wmv"];
        Self::is_video(name) || extension(name).is_some_and(|end| OTHERS.contains(&&*end))
    }

    /// The codec that the extension of a video's name stands for; `None` if it is that of no video.
    pub fn codec_of(name: &str) -> Option<Codec> {
        Codec::of_container(&extension(name)?)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its extension in small letters, which chooses the container.
    pub fn container(&self) -> String {
        extension(&self.0).unwrap_or_default()
    }

    /// Whether its container tells players the shape of a pixel. FFmpeg writes none to a GIF, and
    /// 1:1 to an MXF.
    pub fn keeps_pixel_aspect(&self) -> bool {
        !matches!(&*self.container(), "gif" | "mxf")
    }
}

/// The extension in small letters, however it is written: FFmpeg makes no difference.
fn extension(name: &str) -> Option<String> {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_video_fits_its_codec() {
        assert_eq!(OutputName::default_for(Codec::H264).as_str(), "output.mp4");
        assert_eq!(OutputName::default_for(Codec::ProRes).as_str(), "output.mov");
        assert_eq!(OutputName::default_for(Codec::Vp9).as_str(), "output.webm");
        assert_eq!(OutputName::new("My shot.mp4", Codec::H265).unwrap().container(), "mp4");
        assert_eq!(OutputName::new("SHOT.MOV", Codec::ProRes).unwrap().container(), "mov");
        for (name, codec) in [
            ("a.mp4", Codec::ProRes),
            ("a.avi", Codec::H264),
            ("a.mp4", Codec::Gif),
            ("../a.mp4", Codec::H264),
            (".mp4", Codec::H264),
            ("mp4", Codec::H264),
            ("a\n.mp4", Codec::H264),
        ] {
            assert!(OutputName::new(name, codec).is_err(), "{name}");
        }
    }

    #[test]
    fn a_video_is_known_by_its_extension() {
        assert!(OutputName::looks_like_video("film.avi") && !OutputName::is_video("film.avi"));
        assert!(OutputName::looks_like_video("film.mp4") && !OutputName::looks_like_video("film"));
        assert_eq!(OutputName::codec_of("a.b.webm"), Some(Codec::Vp9));
        assert_eq!(OutputName::codec_of("FILM.MP4"), Some(Codec::H264));
        for name in ["frames", "a.png", "mp4", ""] {
            assert!(!OutputName::is_video(name), "{name}");
        }
    }
}
