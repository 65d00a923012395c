//! Locations of files and folders: `s3://bucket/key`, `file:///path` or a plain path.

mod mistakes;

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use thiserror::Error;

pub use mistakes::Mistake;
use mistakes::find_mistake;

/// The folder for the frames, the video and the reports of a quick look (`--preview`), in the output
/// of a job.
pub const PREVIEW_DIR: &str = "preview";

/// How the name of the manifest of a project ends.
pub const MANIFEST_SUFFIX: &str = ".project.json";

/// A file or folder, on S3 or on a mounted volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// An object, or the objects whose keys begin with `key` and a slash.
    S3 {
        /// The bucket's name, an access point's alias, or its ARN.
        bucket: String,
        /// The key, not percent-encoded and without a slash at its end; empty for the whole bucket.
        key: String,
    },
    /// A path, absolute or relative to the working directory.
    Local(PathBuf),
}

impl Location {
    /// The location `name` below this one.
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

    /// The folder that this is in, and the name in it; `None` for a root.
    pub fn split(&self) -> Option<(Self, &str)> {
        match self {
            Self::S3 { bucket, key } => {
                let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
                let folder = Self::S3 { bucket: bucket.clone(), key: folder.to_owned() };
                (!name.is_empty()).then_some((folder, name))
            }
            Self::Local(path) => {
                let folder = path.parent()?;
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                Some((Self::Local(folder.to_owned()), path.file_name()?.to_str()?))
            }
        }
    }

    /// The location of a preview, for a job that is to store its output here.
    #[must_use]
    pub fn of_preview(&self) -> Self {
        let is_preview = match self {
            Self::S3 { key, .. } => key.rsplit('/').next() == Some(PREVIEW_DIR),
            Self::Local(path) => path.file_name().is_some_and(|name| name == PREVIEW_DIR),
        };
        if is_preview { self.clone() } else { self.join(PREVIEW_DIR) }
    }

    /// Whether this is the manifest of a project, by its name.
    pub fn is_manifest(&self) -> bool {
        self.split().is_some_and(|(_, name)| {
            name.strip_suffix(MANIFEST_SUFFIX).is_some_and(|name| !name.is_empty())
        })
    }

    /// Whether this is the root of a bucket, which cannot be an object.
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

/// Why a text is not a location.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LocationError {
    /// The text is empty.
    #[error("is empty; give s3://BUCKET/KEY or a path")]
    Empty,
    /// An S3 URI without a bucket, or with a name that S3 does not allow.
    #[error(
        "`{}` has no valid bucket name; write s3://BUCKET/KEY with a bucket of 3 to 255 letters, \
         digits, `.`, `-` or `_`, or the ARN of an access point of one region",
        without_credentials(.0)
    )]
    Bucket(String),
    /// A text that is plainly not meant as the path that it would be.
    #[error(
        "`{}` {mistake}; {} (for a file or folder that really has this name, write ./NAME or \
         file:///PATH)",
        without_credentials(given),
        suggestion(given, *mistake, meant.as_deref())
    )]
    Mistake {
        /// The text.
        given: String,
        /// What is wrong with it.
        mistake: Mistake,
        /// The location that was meant, if it can be guessed.
        meant: Option<String>,
    },
    /// A `file://` URI with a host, or with escapes that are not part of a path.
    #[error("`{0}` is not a file on this machine; write file:///PATH with three slashes")]
    FileUri(String),
}

fn suggestion(given: &str, mistake: Mistake, meant: Option<&str>) -> Cow<'static, str> {
    match (meant, mistake) {
        (Some(meant), _) => format!("write {meant}").into(),
        (None, Mistake::Windows) => format!(
            "mount its folder into the container, docker run -v \"{}\":/work, and give the path \
             there, /work/…",
            windows_folder(given)
        )
        .into(),
        (None, _) => "give s3://BUCKET/KEY, file:///PATH or a path".into(),
    }
}

/// The folder of a Windows path whose last part has an extension, or else the path itself.
fn windows_folder(path: &str) -> &str {
    match path.rsplit_once(['\\', '/']) {
        Some((folder, file)) if file.trim_start_matches('.').contains('.') => folder,
        _ => path,
    }
}

/// `uri` without the credentials that some tools put in front of a host, so that they are not
/// logged.
fn without_credentials(uri: &str) -> Cow<'_, str> {
    let without = uri.split_once("://").and_then(|(scheme, rest)| {
        let (credentials, _) = rest.split('/').next()?.rsplit_once('@')?;
        Some((scheme, rest.get(credentials.len()..)?))
    });
    without.map_or(uri.into(), |(scheme, rest)| format!("{scheme}://…{rest}").into())
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err(LocationError::Empty);
        }
        if let Some((mistake, meant)) = find_mistake(text) {
            let meant = meant.filter(|meant| meant.parse::<Self>().is_ok());
            return Err(LocationError::Mistake { given: text.to_owned(), mistake, meant });
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            return parse_s3(rest).ok_or_else(|| LocationError::Bucket(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("file://") {
            return parse_file_uri(rest).ok_or_else(|| LocationError::FileUri(text.to_owned()));
        }
        Ok(Self::Local(PathBuf::from(text)))
    }
}

/// Parses the part of an S3 URI after `s3://`.
fn parse_s3(rest: &str) -> Option<Location> {
    let (bucket, name, key) = if rest.starts_with("arn:") {
        access_point(rest)?
    } else {
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        (bucket, bucket, key)
    };
    // Today's naming rules, and the characters that names of older buckets have.
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !(3..=255).contains(&name.len()) || !name.chars().all(allowed) {
        return None;
    }
    Some(Location::S3 { bucket: bucket.to_owned(), key: key.trim_end_matches('/').to_owned() })
}

/// Splits `arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/KEY` into the ARN, which the SDK accepts as
/// a bucket, the name in it, and the key. (Multi-region access points, whose ARNs have no region,
/// need signatures that this program does not support.)
fn access_point(text: &str) -> Option<(&str, &str, &str)> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [_, partition, "s3", region, account, resource] = parts.as_slice() else { return None };
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    if !partition.starts_with("aws") || region.is_empty() || !is_account {
        return None;
    }
    let place = resource.strip_prefix("accesspoint/")?;
    let (name, key) = place.split_once('/').unwrap_or((place, ""));
    let arn = text.get(..text.len() - place.len() + name.len())?;
    Some((arn, name, key))
}

/// Parses the part of a file URI after `file://`: an empty host or `localhost`, then an absolute
/// path, percent-encoded (RFC 8089).
fn parse_file_uri(rest: &str) -> Option<Location> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    let usable = path.starts_with('/') && !bytes.contains(&0);
    usable.then(|| Location::Local(PathBuf::from(OsString::from_vec(bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s3(bucket: &str, key: &str) -> Location {
        Location::S3 { bucket: bucket.into(), key: key.into() }
    }

    fn local(path: &str) -> Location {
        Location::Local(path.into())
    }

    #[test]
    fn a_manifest_is_known_by_its_name() {
        for (location, expected) in [
            ("s3://bucket/p/shot.project.json", true),
            ("shot.project.json", true),
            ("s3://bucket/p/shot.json", false),
            ("s3://bucket/.project.json", false),
            ("shot.project.json.blend", false),
        ] {
            assert_eq!(location.parse::<Location>().unwrap().is_manifest(), expected, "{location}");
        }
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
            ("./s3:bkt/out", local("./s3:bkt/out")),
            ("/s3://bkt", local("/s3://bkt")),
            ("./'quoted'", local("./'quoted'")),
            ("file:///out%20", local("/out ")),
            ("file:///s3%3Abkt", local("/s3:bkt")),
            ("John's shots", local("John's shots")),
            ("arn/out", local("arn/out")),
            ("s3/out", local("s3/out")),
            ("shot.2024:take 3/out", local("shot.2024:take 3/out")),
            ("a\\b", local("a\\b")),
            (
                "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/shots/a/b.blend",
                s3("arn:aws:s3:eu-west-1:123456789012:accesspoint/shots", "a/b.blend"),
            ),
            (
                "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/shots/",
                s3("arn:aws:s3:eu-west-1:123456789012:accesspoint/shots", ""),
            ),
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
            (
                "s3://arn:aws:s3::123456789012:accesspoint/a.mrap/k",
                LocationError::Bucket("s3://arn:aws:s3::123456789012:accesspoint/a.mrap/k".into()),
            ),
            ("s3://ab/key", LocationError::Bucket("s3://ab/key".into())),
            ("s3://a b c/key", LocationError::Bucket("s3://a b c/key".into())),
            ("file://host/x", LocationError::FileUri("file://host/x".into())),
            ("file:///a%00b", LocationError::FileUri("file:///a%00b".into())),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Location>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn mistakes_are_refused_with_the_location_that_was_meant() {
        use Mistake::{OtherSpelling, OtherStore, Padded, Quoted, Unexpanded, Windows};
        const POINT: &str = "arn:aws:s3:eu-west-1:123456789012:accesspoint";
        let of_point = |end: &str| format!("s3://{POINT}/shots{end}");
        let out = Some("s3://bkt/out");
        let table: &[(&str, Mistake, Option<&str>)] = &[
            (" s3://bkt/out", Padded, out),
            ("s3://bkt/out ", Padded, out),
            ("s3://bkt/out /", Padded, out),
            ("s3://bkt/out\n", Padded, out),
            ("s3://bkt/out\r", Padded, out),
            ("\u{a0}S3://bkt/out", Padded, out),
            (" \"s3:bkt/out\"", Padded, out),
            ("/out ", Padded, Some("/out")),
            (" out", Padded, Some("out")),
            ("\"s3://bkt/out\"", Quoted, out),
            ("'s3://bkt/out'", Quoted, out),
            ("“s3://bkt/out”", Quoted, out),
            ("<s3://bkt/out>", Quoted, out),
            ("s3://bkt/out\"", Quoted, out),
            ("'out'", Quoted, Some("out")),
            ("'", Quoted, None),
            ("S3://bkt/out", OtherSpelling, out),
            ("s3:bkt/out", OtherSpelling, out),
            ("s3:/bkt/out", OtherSpelling, out),
            ("s3:///bkt/out", OtherSpelling, out),
            ("s3//bkt/out", OtherSpelling, out),
            ("s3:\\\\bkt/out", OtherSpelling, out),
            ("s3a://bkt/out", OtherSpelling, out),
            ("s3n://ID:SECRET@bkt/out", OtherSpelling, out),
            ("s3://s3://bkt/out", OtherSpelling, out),
            ("arn:aws:s3:::bkt/out", OtherSpelling, out),
            ("ARN:aws-cn:s3:::bkt/out", OtherSpelling, out),
            ("arn:aws:s3:::bkt", OtherSpelling, Some("s3://bkt")),
            ("s3://arn:aws:s3:::bkt/out", OtherSpelling, out),
            ("https://bkt.s3.amazonaws.com/out", OtherSpelling, out),
            ("https://bkt.s3.eu-west-1.amazonaws.com/out?x=y", OtherSpelling, out),
            ("https://bkt.s3.dualstack.eu-west-1.amazonaws.com/out", OtherSpelling, out),
            ("https://bkt.s3-accelerate.amazonaws.com/out", OtherSpelling, out),
            ("https://s3.eu-west-1.amazonaws.com/bkt/out", OtherSpelling, out),
            ("http://s3-eu-west-1.amazonaws.com/bkt/out", OtherSpelling, out),
            ("bkt.s3.amazonaws.com/out", OtherSpelling, out),
            ("my.bkt.s3.cn-north-1.amazonaws.com.cn/out", OtherSpelling, Some("s3://my.bkt/out")),
            ("s3.amazonaws.com/bkt/out", OtherSpelling, out),
            ("s3://bkt.s3.amazonaws.com/out", OtherSpelling, out),
            ("s3://s3.amazonaws.com/bkt/out", OtherSpelling, out),
            (
                "https://eu-west-1.console.aws.amazon.com/s3/buckets/bkt?prefix=out",
                OtherSpelling,
                out,
            ),
            ("gs://bkt/out", OtherStore, None),
            ("az://bkt/out", OtherStore, None),
            ("abfss://c@a.dfs.core.windows.net/out", OtherStore, None),
            ("wasb://c@a.blob.core.windows.net/out", OtherStore, None),
            ("swift://c.a/out", OtherStore, None),
            ("https://host/out", OtherStore, None),
            ("ftp://host/out", OtherStore, None),
            ("r2:bkt/out", OtherStore, None),
            ("unheard-of://x/out", OtherStore, None),
            ("=s3://bkt/out", OtherStore, None),
            ("host:/out", OtherStore, None),
            ("minio:9000/bkt/out", OtherStore, None),
            ("me@host:out", OtherStore, None),
            ("a.blob.core.windows.net/c/out", OtherStore, None),
            ("arn:aws:ec2:::x", OtherStore, None),
            ("s3:a b", OtherSpelling, None),
            ("file:/out", OtherStore, Some("file:///out")),
            ("FILE:///out", OtherStore, Some("file:///out")),
            ("C:\\out", Windows, None),
            ("c:/out", Windows, None),
            ("C:", Windows, None),
            ("\\\\server\\share", Windows, None),
            (".\\out", Windows, None),
            ("$OUT", Unexpanded, None),
            ("${OUT}/shot", Unexpanded, None),
            ("~/out", Unexpanded, None),
        ];
        for &(text, mistake, meant) in table {
            let meant = meant.map(str::to_owned);
            let expected = LocationError::Mistake { given: text.into(), mistake, meant };
            assert_eq!(text.parse::<Location>(), Err(expected), "{text:?}");
        }
        for (text, meant) in [
            (format!("{POINT}/shots/object/out"), of_point("/out")),
            (format!("{POINT}/shots/out"), of_point("/out")),
            (format!("{POINT}:shots"), of_point("")),
            (format!("s3://{POINT}:shots/object/x"), of_point("/object/x")),
        ] {
            let error = text.parse::<Location>().unwrap_err();
            let LocationError::Mistake { meant: found, .. } = error else { panic!() };
            assert_eq!(found.as_deref(), Some(meant.as_str()), "{text}");
            assert!(meant.parse::<Location>().is_ok(), "{meant}");
        }
    }

    proptest! {
        #[test]
        fn printed_s3_locations_parse_as_the_same(text in "s3://[a-z]{3}[a-z3:/. '\"@<-]{0,16}") {
            match text.parse::<Location>() {
                Ok(location) => prop_assert_eq!(location.to_string().parse(), Ok(location)),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn credentials_are_not_logged() {
        let error = "s3n://ID:SECRET@bkt/out".parse::<Location>().unwrap_err().to_string();
        assert!(error.contains("`s3n://…@bkt/out`") && !error.contains("SECRET"), "{error}");
    }

    #[test]
    fn a_location_is_a_name_in_a_folder() {
        for (location, folder, name) in [
            (s3("bucket", "out/a.mp4"), s3("bucket", "out"), "a.mp4"),
            (s3("bucket", "a.mp4"), s3("bucket", ""), "a.mp4"),
            (local("/out/a.mp4"), local("/out"), "a.mp4"),
            (local("a.mp4"), local("."), "a.mp4"),
        ] {
            assert_eq!(location.split(), Some((folder, name)));
        }
        assert_eq!(s3("bucket", "").split(), None);
        assert_eq!(local("/").split(), None);
    }

    #[test]
    fn a_preview_has_a_folder_of_its_own() {
        for (output, preview) in [
            (s3("bucket", "out"), s3("bucket", "out/preview")),
            (s3("bucket", ""), s3("bucket", "preview")),
            (s3("bucket", "out/preview"), s3("bucket", "out/preview")),
            (local("/out"), local("/out/preview")),
            (local("out/preview/"), local("out/preview/")),
        ] {
            assert_eq!(output.of_preview(), preview);
        }
    }

    #[test]
    fn join_appends_a_name() {
        assert_eq!(s3("bucket", "").join("frames"), s3("bucket", "frames"));
        assert_eq!(s3("bucket", "out").join("frames"), s3("bucket", "out/frames"));
        assert_eq!(local("/out").join("frames"), local("/out/frames"));
    }
}
