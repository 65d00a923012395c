//! The names that a request may contain. None of them leads out of a folder.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::hex::hex;
use crate::printable::printable;
use crate::request::{ImageFormat, ProjectPath};
use crate::serve::problem::{Problem, ProblemKind};

/// The longest name in bytes. File systems take 255, and the server adds a number or an extension.
const MAX_NAME: usize = 200;

/// The most folders in a path.
const MAX_DEPTH: usize = 32;

/// The length of an id in bytes.
const ID_BYTES: usize = 10;

/// Bytes that nobody can guess, in hexadecimal digits.
///
/// # Errors
/// If the system has none.
pub fn random<const N: usize>() -> io::Result<String> {
    let mut bytes = [0; N];
    // So few bytes are never cut short (`getrandom(2)`).
    getrandom(&mut bytes, GetRandomFlags::empty())?;
    Ok(hex(&bytes))
}

/// The id of a video or render: the name of its folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// A new id.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn random() -> io::Result<Self> {
        random::<ID_BYTES>().map(Self)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 2 * ID_BYTES && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(())
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a file that the user has given to the server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName(String);

impl FileName {
    /// A name that a user gives a file.
    ///
    /// # Errors
    /// Why it cannot be the name of a file.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let why = if text.is_empty() {
            "is empty"
        } else if text.len() > MAX_NAME {
            "is longer than 200 bytes"
        } else if text.starts_with('.') {
            "begins with a dot, so that it is hidden"
        } else if text.contains(['/', '\\']) {
            "contains a slash"
        } else if printable(text) != text || text.contains('\t') {
            "contains characters that cannot be shown"
        } else {
            return Ok(Self(text.to_owned()));
        };
        let shown = printable(text);
        let message = format!("the name \"{shown}\" {why}; give the file another name");
        Err(Problem::new(ProblemKind::Invalid, message))
    }

    /// The name of a picture.
    ///
    /// # Errors
    /// Why it cannot be the name of a file, or that pictures of this kind cannot be read.
    pub fn of_picture(text: &str) -> Result<Self, Problem> {
        let name = Self::new(text)?;
        if name.format().is_some() {
            return Ok(name);
        }
        let kinds = ImageFormat::ALL.map(ImageFormat::extension).join(", ");
        let why = match name.extension().and_then(ImageFormat::unsupported) {
            Some(kind) => format!("is {kind}, which cannot be read"),
            None => "is no picture that can be read".to_owned(),
        };
        let what = format!("{why}; use one of {kinds}");
        Err(Problem::with_picture(ProblemKind::Unsupported, text, what))
    }

    /// The format of the picture that has this name.
    pub fn format(&self) -> Option<ImageFormat> {
        ImageFormat::from_extension(self.extension()?)
    }

    fn extension(&self) -> Option<&str> {
        self.0.rsplit_once('.').map(|(_, extension)| extension)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a file of a scene, in the folder of the scene.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScenePath {
    path: ProjectPath,
    name: FileName,
}

impl ScenePath {
    /// A path with slashes between its parts.
    ///
    /// # Errors
    /// Why it cannot be the path of a file.
    pub fn new(text: &str) -> Result<Self, Problem> {
        let invalid = |message: String| Problem::new(ProblemKind::Invalid, message);
        let path = ProjectPath::new(text).map_err(|error| invalid(error.to_string()))?;
        let folders = path.folders().count();
        if folders > MAX_DEPTH {
            return Err(invalid(format!("{path} is in more than {MAX_DEPTH} folders; move it up")));
        }
        for part in text.split('/') {
            FileName::new(part)?;
        }
        let name = FileName::new(path.name())?;
        Ok(Self { path, name })
    }

    /// The folder of the file, below `folder`.
    pub fn folder(&self, folder: &Path) -> PathBuf {
        self.path.folders().next().map_or_else(|| folder.to_owned(), |above| folder.join(above))
    }

    /// The name of the file.
    pub fn name(&self) -> &FileName {
        &self.name
    }

    /// Whether it is the path of a scene file.
    pub fn is_scene(&self) -> bool {
        self.name.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("blend"))
    }
}

impl fmt::Display for ScenePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_a_folder() {
        let long = format!("{}.png", "a".repeat(200));
        for bad in [
            "",
            ".",
            "..",
            ".png",
            "../a.png",
            "a/b.png",
            "/a.png",
            "a\\b.png",
            "a\0.png",
            "a\n.png",
            "a\u{202e}gnp.exe",
            &long,
        ] {
            assert!(FileName::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a.png", "Ürlaub 1 (2).JPG", "日本.webp", "a..png", "-rf", "%2e%2e", "C:"] {
            assert_eq!(FileName::new(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn no_path_leads_out_of_a_folder() {
        let deep = "a/".repeat(MAX_DEPTH + 1) + "b.png";
        for bad in
            ["", "/", "/a", "a/", "a//b", "a/../b", "../a", "a/./b", "a\\b/c", ".git/a", &deep]
        {
            assert!(ScenePath::new(bad).is_err(), "{bad:?}");
        }
        let path = ScenePath::new("tex/wood/oak 1.png").unwrap();
        assert_eq!(path.folder(Path::new("/p")), Path::new("/p/tex/wood"));
        assert_eq!(path.name().as_str(), "oak 1.png");
        let path = ScenePath::new("a.blend").unwrap();
        assert_eq!(path.folder(Path::new("/p")), Path::new("/p"));
    }

    #[test]
    fn a_picture_has_the_extension_of_one() {
        for (name, kind) in [
            ("a.png", None),
            ("a.JPEG", None),
            ("a.heic", Some(ProblemKind::Unsupported)),
            ("a.txt", Some(ProblemKind::Unsupported)),
            ("png", Some(ProblemKind::Unsupported)),
            ("../a.png", Some(ProblemKind::Invalid)),
        ] {
            assert_eq!(
                FileName::of_picture(name).err().map(|problem| problem.kind),
                kind,
                "{name}"
            );
        }
    }

    #[test]
    fn ids_are_random_and_nothing_else_is_one() {
        let (one, other) = (Id::random().unwrap(), Id::random().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.to_string().parse(), Ok(one));
        for bad in ["", "..", "0123456789abcdef012", "0123456789ABCDEF0123", "0123456789abcdef012/"]
        {
            assert_eq!(bad.parse::<Id>(), Err(()), "{bad}");
        }
    }
}
