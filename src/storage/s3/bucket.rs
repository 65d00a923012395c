//! One bucket: a client for its region, and its listing. What comes in is in
//! [`download`](super::download), what goes out in [`upload`](super::upload).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumMode, EncodingType};
use percent_encoding::percent_decode_str;

use super::connection::is_protected;
use super::integrity::is_content_of;
use super::requests::adaptive_concurrency::ConcurrencyLimit;
use super::requests::classify::attempt_error;
use super::requests::deadlines::{limit, within};
use super::requests::requester::Requester;
use super::upload::buffer::Buffer;
use super::upload::labels::FINGERPRINT;
use super::upload::unfinished::Background;
use crate::request::Transfers;
use crate::storage::fingerprint::Bound;
use crate::storage::{Entry, Failure, Fingerprint, Names};

/// What travels in one request at most; larger objects go in parts.
pub(crate) const WHOLE: u64 = 16 * 1024 * 1024;

/// A part, or a ten-thousandth of the object if that is more: S3's limit on their number.
/// Small, because what goes out is held in memory, and S3 likes parts of 8 to 16 MiB
/// ("Performance guidelines for Amazon S3" in the S3 user guide).
pub(crate) const PART: u64 = 8 * 1024 * 1024;

/// The most keys that a page of a listing has.
const PAGE_KEYS: u32 = 1000;

/// More objects than any folder has that is listed: Blender has two million frames.
const MOST_ENTRIES: usize = 4_000_000;

/// More than that many keys of a kilobyte each.
const PAGE: u64 = 2 * 1024 * 1024;

/// The way to a bucket.
#[derive(Clone, Debug)]
pub(in crate::storage) struct Bucket {
    pub(crate) requester: Requester,
    /// Whether TLS protects what travels. Then the payload is not signed as well: its
    /// checksum suffices, and SHA-256 is most of the CPU time of an upload.
    pub(crate) tls: bool,
    /// When it is a transfer's turn.
    pub(crate) concurrency: Arc<ConcurrencyLimit>,
    /// Room for what is on its way out.
    pub(crate) buffer: Arc<Buffer>,
    /// What has to be finished, or undone, when an upload is given up.
    pub(crate) background: Background,
    /// Whether the store has refused the checksum of a whole object that came in parts.
    pub(crate) refuses_sums: Arc<AtomicBool>,
}

impl Bucket {
    pub(crate) fn new(
        config: &SdkConfig,
        name: &str,
        transfers: &Transfers,
        retries: &Arc<AtomicU64>,
    ) -> Self {
        Self {
            requester: Requester::new(config, name, transfers, retries),
            tls: is_protected(config),
            concurrency: Arc::new(ConcurrencyLimit::new(transfers.at_once.get())),
            buffer: Arc::new(Buffer::new(transfers.upload_buffer)),
            background: Background::default(),
            refuses_sums: Arc::default(),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.requester.bucket()
    }

    /// The objects of these names directly below `folder`.
    pub(in crate::storage) async fn list(
        &self,
        folder: &str,
        names: &Names,
    ) -> Result<Vec<Entry>, Failure> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let after = (!names.after.is_empty()).then(|| format!("{prefix}{}", names.after));
        let mut entries = Vec::new();
        let mut next: Option<String> = None;
        // On the first page. If there are more after all, there may be many more.
        let mut expected = names.expected.map(|count| count.clamp(1, PAGE_KEYS).cast_signed());
        loop {
            // One page after the other, each tried for itself: a listing of a thousand pages
            // need not begin again.
            let page = self.requester.persist(&prefix, |client| {
                let request = client
                    .list_objects_v2()
                    .bucket(self.name())
                    .prefix(&prefix)
                    .delimiter("/")
                    .set_start_after(after.clone())
                    .set_max_keys(expected)
                    // XML has no way to write control characters, and keys may have them.
                    .encoding_type(EncodingType::Url)
                    .set_continuation_token(next.clone());
                within(limit(PAGE), async { request.send().await.map_err(attempt_error) })
            });
            let page = page.await?;
            expected = None;
            // Other stores may know nothing of it.
            let encoded = page.encoding_type() == Some(&EncodingType::Url);
            for object in page.contents.unwrap_or_default() {
                let key = object.key().unwrap_or_default();
                let key = if encoded { decode(key) } else { key.to_owned() };
                let name = key.strip_prefix(&prefix);
                if name.is_some_and(|name| names.end_before(name)) {
                    return Ok(entries);
                }
                // The empty name is what the console makes to show an empty folder; a slash
                // only a store could list that does not know the delimiter.
                // Hidden ones are no frames here either: macOS leaves ._0001.png beside 0001.png.
                let hidden = |name: &str| name.starts_with('.');
                let name =
                    name.filter(|name| names.contain(name) && !name.contains('/') && !hidden(name));
                if let Some(name) = name {
                    entries.push(Entry {
                        name: name.to_owned(),
                        size: object.size().and_then(|size| size.try_into().ok()).unwrap_or(0),
                        modified: object.last_modified().map_or(UNIX_EPOCH, system_time),
                    });
                }
            }
            let token = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
            if token.is_none() {
                return Ok(entries);
            }
            if token == next || entries.len() > MOST_ENTRIES {
                return Err(endless(entries.len()));
            }
            next = token;
        }
    }

    /// The fingerprint that an object was stored with, if it is there, has one, and has the
    /// content that this is of.
    pub(in crate::storage) async fn fingerprint(
        &self,
        key: &str,
    ) -> Result<Option<Fingerprint>, Failure> {
        let head = self.requester.persist(key, |client| {
            let request = client.head_object().bucket(self.name()).key(key);
            let request = request.checksum_mode(ChecksumMode::Enabled);
            within(limit(0), async { request.send().await.map_err(attempt_error) })
        });
        match head.await {
            Ok(object) => {
                let text = object.metadata().and_then(|metadata| metadata.get(FINGERPRINT));
                let bound = text.and_then(|text| text.parse::<Bound>().ok());
                let fits = bound.filter(|bound| is_content_of(&bound.content, &object));
                Ok(fits.map(|bound| bound.fingerprint))
            }
            Err(Failure::Missing(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// A listing that has no end.
fn endless(entries: usize) -> Failure {
    let text = format!("the listing does not end: after {entries} objects it has still more");
    Failure::Denied(text.into())
}

/// A key out of a listing, as forms encode it: S3 writes `+` for a space.
fn decode(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn system_time(time: &DateTime) -> SystemTime {
    SystemTime::try_from(*time).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn listed_keys_are_decoded_as_s3_and_others_encode_them() {
        for (listed, key) in [
            ("a/b+c.png", "a/b c.png"),
            ("a%20b%2Bc%25.png", "a b+c%.png"),
            ("%C3%BC%01%0A", "ü\u{1}\n"),
        ] {
            assert_eq!(decode(listed), key);
        }
    }
}
