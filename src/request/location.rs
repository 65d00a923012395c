//! Where things lie: `s3://bucket/key`, `file:///path` or a plain path.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// A file or folder, on S3 or on a mounted volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// An object, or what begins with `key` and a slash. Never ends in a slash;
    /// empty stands for the whole bucket.
    S3 {
        /// The bucket's name (or an access point's alias).
        bucket: String,
        /// The key, as S3 knows it: not percent-encoded.
        key: String,
    },
    /// A path, absolute or relative to the working directory.
    Local(PathBuf),
}

impl Location {
    /// What lies at `name` below this location.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        match self {
            Self::S3 { bucket, key } => Self::S3 {
                bucket: bucket.clone(),
                key: if key.is_empty() { name.to_owned() } else { format!("{key}/{name}") },
            },
            Self::Local(path) => Self::Local(path.join(name)),
        }
    }

    /// Whether this is a bucket's root, where no single object can lie.
    pub fn is_root(&self) -> bool {
        matches!(self, Self::S3 { key, .. } if key.is_empty())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::Local(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why a text is no location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocationError {
    /// Nothing at all.
    Empty,
    /// `s3://` without a bucket, or with one that S3 does not allow.
    Bucket(String),
    /// A scheme that is neither `s3` nor `file`.
    Scheme(String),
    /// `file://host/path`, or escapes that are no path.
    FileUri(String),
}

impl fmt::Display for LocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty; give s3://BUCKET/KEY or a path"),
            Self::Bucket(uri) => write!(
                f,
                "`{uri}` names no bucket that S3 could have; write s3://BUCKET/KEY with a bucket of \
                 3 to 255 letters, digits, `.`, `-` or `_`"
            ),
            Self::Scheme(uri) => write!(
                f,
                "`{uri}` is of a kind that cannot be read; give s3://BUCKET/KEY, file:///PATH or a path"
            ),
            Self::FileUri(uri) => write!(
                f,
                "`{uri}` is not a file on this machine; write file:///PATH with three slashes"
            ),
        }
    }
}

impl Error for LocationError {}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err(LocationError::Empty);
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            return parse_s3(rest).ok_or_else(|| LocationError::Bucket(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("file://") {
            return parse_file_uri(rest).ok_or_else(|| LocationError::FileUri(text.to_owned()));
        }
        if looks_like_a_uri(text) {
            return Err(LocationError::Scheme(text.to_owned()));
        }
        Ok(Self::Local(PathBuf::from(text)))
    }
}

fn parse_s3(rest: &str) -> Option<Location> {
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    // The naming rules of today plus what older buckets still have.
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !(3..=255).contains(&bucket.len()) || !bucket.chars().all(allowed) {
        return None;
    }
    Some(Location::S3 { bucket: bucket.to_owned(), key: key.trim_end_matches('/').to_owned() })
}

/// RFC 8089: an empty host or `localhost`, then an absolute path, percent-encoded.
fn parse_file_uri(rest: &str) -> Option<Location> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    let usable = path.starts_with('/') && !bytes.contains(&0);
    usable.then(|| Location::Local(PathBuf::from(OsString::from_vec(bytes))))
}

/// A scheme (RFC 3986) and a colon and slash: `gs://…`, and slips like `s3:/…`.
fn looks_like_a_uri(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once(":/") else {
        return false;
    };
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(bucket: &str, key: &str) -> Location {
        Location::S3 { bucket: bucket.into(), key: key.into() }
    }

    fn local(path: &str) -> Location {
        Location::Local(path.into())
    }

    #[test]
    fn locations_are_parsed() {
        let table = [
            ("s3://bucket/a/b.blend", s3("bucket", "a/b.blend")),
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/", s3("bucket", "")),
            ("s3://bucket/out/", s3("bucket", "out")),
            ("s3://bucket/out//", s3("bucket", "out")),
            ("s3://bucket//a", s3("bucket", "/a")),
            ("s3://bucket/a b+c%20ü?#", s3("bucket", "a b+c%20ü?#")),
            ("s3://Old_Bucket/k", s3("Old_Bucket", "k")),
            ("file:///in/a.blend", local("/in/a.blend")),
            ("file:///in/a%20b%25.blend", local("/in/a b%.blend")),
            ("file://localhost/in", local("/in")),
            ("/in/a%20b.blend", local("/in/a%20b.blend")),
            ("relative/dir", local("relative/dir")),
            ("./a:b", local("./a:b")),
            ("a:b", local("a:b")),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let table = [
            ("", LocationError::Empty),
            ("  ", LocationError::Empty),
            ("s3://", LocationError::Bucket("s3://".into())),
            ("s3:///key", LocationError::Bucket("s3:///key".into())),
            ("s3://ab/key", LocationError::Bucket("s3://ab/key".into())),
            ("s3://a b c/key", LocationError::Bucket("s3://a b c/key".into())),
            ("s3:/bucket/key", LocationError::Scheme("s3:/bucket/key".into())),
            ("S3://bucket/key", LocationError::Scheme("S3://bucket/key".into())),
            ("https://host/x", LocationError::Scheme("https://host/x".into())),
            ("file://host/x", LocationError::FileUri("file://host/x".into())),
            ("file:///a%00b", LocationError::FileUri("file:///a%00b".into())),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Location>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn joining_goes_one_level_down() {
        assert_eq!(s3("bucket", "").join("frames"), s3("bucket", "frames"));
        assert_eq!(s3("bucket", "out").join("frames"), s3("bucket", "out/frames"));
        assert_eq!(local("/out").join("frames"), local("/out/frames"));
    }
}
