//! Files as answers: streamed, in whole or in part, so that a browser can play a video from anywhere.
//!
//! The service of tower-http takes no notice of `If-Range`: after a video was made again, a player
//! would get the rest of another file.

use std::fs::Metadata;
use std::io::{self, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::answer::Answer;
use crate::request::Location;
use crate::serve::outputs::pictures::unread;
use crate::serve::problem::Problem;
use crate::storage::{Opened, Storage, Version};
use crate::watch::millis;

/// How much is read at a time, in bytes.
const CHUNK: u64 = 128 * 1024;

/// How much of an object is fetched at a time, in bytes.
const OBJECT_CHUNK: u64 = 1 << 20;

/// What need not be encoded in a file name (RFC 8187).
const ATTR_CHAR: AsciiSet = NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What the browser does with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It shows it.
    Inline,
    /// It stores it.
    Attachment,
}

/// A file as clients know it.
struct Content<'a> {
    name: &'a str,
    kind: &'static str,
    disposition: Disposition,
    /// Tells two contents apart.
    tag: String,
    /// The size in bytes.
    length: u64,
}

/// Answers with a file.
///
/// # Errors
/// If it does not exist, or the part that the client asks for.
pub async fn send(
    path: PathBuf,
    name: &str,
    kind: &'static str,
    disposition: Disposition,
    headers: &HeaderMap,
) -> Answer {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Problem::not_found(format!("file {name}")),
        _ => Problem::io(format!("read {name}"), &error),
    };
    let mut file = File::open(path).await.map_err(cannot)?;
    let metadata = file.metadata().await.map_err(cannot)?;
    let (tag, length) = (tag(&metadata), metadata.len());
    let content = Content { name, kind, disposition, tag, length };
    let (start, end) = match content.wanted(headers) {
        Ok(part) => part,
        Err(answer) => return Ok(answer),
    };
    file.seek(SeekFrom::Start(start)).await.map_err(cannot)?;
    Ok(content.answer(start, end, body(file, end - start)))
}

/// Answers with a file of a storage: a local one, or an object.
///
/// # Errors
/// If it does not exist, or cannot be read.
pub async fn send_stored(
    storage: &Arc<Storage>,
    file: Location,
    name: &str,
    kind: &'static str,
    disposition: Disposition,
    headers: &HeaderMap,
) -> Answer {
    if let Location::Local(path) = file {
        return send(path, name, kind, disposition, headers).await;
    }
    let opened = storage.open_start(&file, OBJECT_CHUNK).await.map_err(|error| unread(&error))?;
    let tag = match &opened.version {
        Version::S3 { etag: Some(etag) } => etag.clone(),
        // Without one, nothing says that it is the same again.
        Version::S3 { etag: None } | Version::Local(_) => String::new(),
    };
    let content = Content { name, kind, disposition, tag, length: opened.size };
    let (start, end) = match content.wanted(headers) {
        Ok(part) => part,
        Err(answer) => return Ok(answer),
    };
    Ok(content.answer(start, end, object(Arc::clone(storage), opened, start, end)))
}

impl Content<'_> {
    /// The part that the client asks for, or the answer to a client that gets none.
    fn wanted(&self, headers: &HeaderMap) -> Result<(u64, u64), Response> {
        let (tag, length) = (&self.tag, self.length);
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let is_known = |tags: &str| !tag.is_empty() && tags.contains(tag.as_str());
        if text(header::IF_NONE_MATCH).is_some_and(is_known) {
            let tag = [(header::ETAG, tag.clone())];
            return Err((StatusCode::NOT_MODIFIED, tag).into_response());
        }
        let is_same = text(header::IF_RANGE).is_none_or(|given| given == tag);
        let wanted = text(header::RANGE).filter(|_| is_same);
        match wanted.map_or(Wanted::All, |text| Wanted::parse(text, length)) {
            Wanted::All => Ok((0, length)),
            Wanted::Part { start, end } => Ok((start, end)),
            Wanted::Nothing => {
                let range = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
                Err((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response())
            }
        }
    }

    /// The answer with the bytes from `start` up to but not including `end`.
    fn answer(self, start: u64, end: u64, body: Body) -> Response {
        let Content { name, kind, disposition, tag, length } = self;
        let mut response = Response::new(body);
        let is_part = (start, end) != (0, length);
        if is_part {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        let headers = response.headers_mut();
        let mut set = |name, value: String| {
            // All of these are made of visible characters.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        set(header::CONTENT_TYPE, kind.to_owned());
        set(header::CONTENT_LENGTH, (end - start).to_string());
        set(header::ACCEPT_RANGES, "bytes".to_owned());
        if !tag.is_empty() {
            set(header::ETAG, tag);
        }
        set(header::CACHE_CONTROL, "private, no-cache".to_owned());
        set(header::CONTENT_DISPOSITION, disposition.header(name));
        if is_part {
            set(header::CONTENT_RANGE, format!("bytes {start}-{}/{length}", end - 1));
        }
        response
    }
}

/// The type of a video of this name.
pub fn video_kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("mp4" | "m4v") => "video/mp4",
        Some("mov") => "video/quicktime",
        Some("webm") => "video/webm",
        Some("mkv") => "video/x-matroska",
        Some("gif") => "image/gif",
        _ => "application/octet-stream",
    }
}

impl Disposition {
    /// The value of `Content-Disposition`.
    fn header(self, name: &str) -> String {
        let how = match self {
            Self::Inline => "inline",
            Self::Attachment => "attachment",
        };
        format!("{how}; filename*=UTF-8''{}", utf8_percent_encode(name, &ATTR_CHAR))
    }
}

/// Tells two contents of a file apart.
fn tag(metadata: &Metadata) -> String {
    let modified = metadata.modified().map(millis).unwrap_or_default();
    format!("\"{modified:x}-{:x}\"", metadata.len())
}

/// The bytes of a file that a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// All of them; also where a server need not answer a range, such as several at once.
    All,
    /// Those from `start` on and before `end`.
    Part { start: u64, end: u64 },
    /// None that the file has.
    Nothing,
}

impl Wanted {
    /// The value of `Range` for a file of this length.
    fn parse(text: &str, length: u64) -> Self {
        Self::parse_bytes(text, length).unwrap_or(Self::All)
    }

    fn parse_bytes(text: &str, length: u64) -> Option<Self> {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let (start, end) = match (first.trim(), last.trim()) {
            ("", last) => (length.saturating_sub(number(last)?), length),
            (first, "") => (number(first)?, u64::MAX),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                (first, last.saturating_add(1))
            }
        };
        Some(if start < length {
            Self::Part { start, end: end.min(length) }
        } else {
            Self::Nothing
        })
    }
}

/// The next bytes of a file.
fn body(file: File, length: u64) -> Body {
    Body::from_stream(unfold((file, length), |(mut file, left)| async move {
        let size = usize::try_from(left.min(CHUNK)).ok().filter(|size| *size > 0)?;
        let mut chunk = vec![0; size];
        match file.read(&mut chunk).await {
            // The file has become shorter: the connection is closed.
            Ok(0) => Some((Err(io::ErrorKind::UnexpectedEof.into()), (file, 0))),
            Ok(read) => {
                chunk.truncate(read);
                Some((Ok(Bytes::from(chunk)), (file, left - read as u64)))
            }
            Err(error) => Some((Err(error), (file, 0))),
        }
    }))
}

/// The bytes of an object from `start` up to but not including `end`, fetched as the client takes them.
fn object(storage: Arc<Storage>, opened: Opened, start: u64, end: u64) -> Body {
    Body::from_stream(unfold(
        (storage, opened, start),
        move |(storage, opened, start)| async move {
            if start >= end {
                return None;
            }
            let known = opened.start.len() as u64;
            let next = (start + OBJECT_CHUNK).min(end);
            let chunk = if start < known {
                let range = usize::try_from(start).ok()?..usize::try_from(known.min(end)).ok()?;
                Ok(opened.start.slice(range))
            } else {
                // The connection is closed if the object has changed.
                storage.read_range(&opened, start, next).await.map_err(io::Error::other)
            };
            let next = chunk.as_ref().map_or(end, |chunk| start + chunk.len() as u64);
            Some((chunk, (storage, opened, next)))
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        let part = |start, end| Wanted::Part { start, end };
        for (text, expected) in [
            ("bytes=0-", part(0, 10)),
            ("bytes=0-3", part(0, 4)),
            ("bytes=4-99", part(4, 10)),
            ("bytes=-3", part(7, 10)),
            ("bytes=-99", part(0, 10)),
            ("bytes=9-9", part(9, 10)),
            ("bytes=0-18446744073709551615", part(0, 10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=10-12", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-4", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=-", Wanted::All),
            ("lines=0-1", Wanted::All),
        ] {
            assert_eq!(Wanted::parse(text, 10), expected, "{text}");
        }
        assert_eq!(Wanted::parse("bytes=0-0", 0), Wanted::Nothing);
    }

    #[test]
    fn names_in_headers_are_encoded() {
        assert_eq!(
            Disposition::Attachment.header("Ü \"1\".mp4"),
            "attachment; filename*=UTF-8''%C3%9C%20%221%22.mp4"
        );
    }
}
