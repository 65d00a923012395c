//! Files as answers: streamed, in whole or in part, so that a browser can play a video from anywhere.
//!
//! The service of tower-http takes no notice of `If-Range`: after a video was made again, a player
//! would get the rest of another file.

use std::fs::Metadata;
use std::io::{self, SeekFrom};
use std::path::PathBuf;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::answer::Answer;
use crate::serve::problem::Problem;
use crate::serve::store::time::millis;

/// How much is read at a time, in bytes.
const CHUNK: u64 = 128 * 1024;

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
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|tags| tags.contains(&tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let is_same = text(header::IF_RANGE).is_none_or(|given| given == tag);
    let wanted = text(header::RANGE).filter(|_| is_same);
    let (status, start, end) = match wanted.map_or(Wanted::All, |text| Wanted::parse(text, length))
    {
        Wanted::All => (StatusCode::OK, 0, length),
        Wanted::Part { start, end } => (StatusCode::PARTIAL_CONTENT, start, end),
        Wanted::Nothing => {
            let range = (header::CONTENT_RANGE, format!("bytes */{length}"));
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [range]).into_response());
        }
    };
    file.seek(SeekFrom::Start(start)).await.map_err(cannot)?;
    let mut response = Response::new(body(file, end - start));
    *response.status_mut() = status;
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
    set(header::ETAG, tag);
    set(header::CACHE_CONTROL, "private, no-cache".to_owned());
    set(header::CONTENT_DISPOSITION, disposition.header(name));
    if status == StatusCode::PARTIAL_CONTENT {
        set(header::CONTENT_RANGE, format!("bytes {start}-{}/{length}", end - 1));
    }
    Ok(response)
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
