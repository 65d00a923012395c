//! One bucket: its listing and its objects' fingerprints. Objects are read in
//! [`download`](super::download) and written in [`upload`](super::upload).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumMode, EncodingType};
use percent_encoding::percent_decode_str;

use super::connection::uses_tls;
use super::integrity::has_content;
use super::requests::adaptive_concurrency::ConcurrencyLimit;
use super::requests::classify::attempt_error;
use super::requests::deadlines::{response_timeout, with_timeout};
use super::requests::requester::Requester;
use super::upload::buffer::Buffer;
use super::upload::labels::FINGERPRINT;
use super::upload::unfinished::Background;
use crate::request::Transfers;
use crate::storage::fingerprint::BoundFingerprint;
use crate::storage::{Entry, Failure, Fingerprint, NameRange};

/// The largest object that is uploaded in one request, in bytes. Larger ones are uploaded in parts.
pub(crate) const MAX_SINGLE_UPLOAD: u64 = 16 * 1024 * 1024;

/// The size of a part, in bytes, except of objects with too many of them. Small, because parts are
/// held in memory while they are uploaded, and because S3 recommends parts of 8 to 16 MiB
/// ("Performance guidelines for Amazon S3" in the S3 user guide).
pub(crate) const PART_SIZE: u64 = 8 * 1024 * 1024;

/// The largest number of keys on a page of a listing.
const PAGE_KEYS: u32 = 1000;

/// The largest number of objects in a listing. Blender has two million frame numbers.
const MAX_ENTRIES: usize = 4_000_000;

/// The size of a large page, in bytes: more than a thousand keys of a kilobyte each.
const PAGE_BYTES: u64 = 2 * 1024 * 1024;

/// A bucket, and what its transfers share.
#[derive(Clone, Debug)]
pub(in crate::storage) struct Bucket {
    pub(crate) requester: Requester,
    /// Whether requests use TLS. Then payloads are not signed: their checksum suffices, and SHA-256
    /// takes most of the CPU time of an upload.
    pub(crate) tls: bool,
    /// Limits concurrent transfers.
    pub(crate) concurrency: Arc<ConcurrencyLimit>,
    /// Memory for uploads.
    pub(crate) buffer: Arc<Buffer>,
    /// Finishes or aborts uploads that were cancelled.
    pub(crate) background: Background,
    /// Whether the store has refused the checksum of a whole object in a multipart upload.
    pub(crate) refuses_full_checksum: Arc<AtomicBool>,
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
            tls: uses_tls(config),
            concurrency: Arc::new(ConcurrencyLimit::new(transfers.at_once.get())),
            buffer: Arc::new(Buffer::new(transfers.upload_buffer)),
            background: Background::default(),
            refuses_full_checksum: Arc::default(),
        }
    }

    /// The name of the bucket.
    pub(crate) fn name(&self) -> &str {
        self.requester.bucket()
    }

    /// Lists the objects in the range `names` directly below `folder`.
    pub(in crate::storage) async fn list(
        &self,
        folder: &str,
        names: &NameRange,
    ) -> Result<Vec<Entry>, Failure> {
        self.list_to_depth(folder, names, Depth::Folder, |entry, _| entry).await
    }

    /// Lists the objects below `folder`, by their keys from there.
    pub(in crate::storage) async fn list_tree(
        &self,
        folder: &str,
    ) -> Result<Vec<(Entry, Option<String>)>, Failure> {
        let with_etag = |entry, etag: Option<&str>| (entry, etag.map(str::to_owned));
        self.list_to_depth(folder, &NameRange::all(), Depth::Tree, with_etag).await
    }

    /// The result has what `listed` makes of each entry and its `ETag`.
    async fn list_to_depth<T>(
        &self,
        folder: &str,
        names: &NameRange,
        depth: Depth,
        listed: impl Fn(Entry, Option<&str>) -> T,
    ) -> Result<Vec<T>, Failure> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let after = (!names.after.is_empty()).then(|| format!("{prefix}{}", names.after));
        let mut entries = Vec::new();
        let mut next: Option<String> = None;
        // For the first page only. If there are more objects than expected, there may be many more.
        let mut expected = names.expected.map(|count| count.clamp(1, PAGE_KEYS).cast_signed());
        loop {
            // Each page is retried on its own, so that a listing of a thousand pages need not start
            // over.
            let page = self.requester.send(&prefix, |client| {
                let request = client
                    .list_objects_v2()
                    .bucket(self.name())
                    .prefix(&prefix)
                    .set_delimiter((depth == Depth::Folder).then(|| "/".to_owned()))
                    .set_start_after(after.clone())
                    .set_max_keys(expected)
                    // XML cannot represent control characters, which keys may contain.
                    .encoding_type(EncodingType::Url)
                    .set_continuation_token(next.clone());
                with_timeout(response_timeout(PAGE_BYTES), async {
                    request.send().await.map_err(attempt_error)
                })
            });
            let page = page.await?;
            expected = None;
            // Other stores may ignore the requested encoding.
            let encoded = page.encoding_type() == Some(&EncodingType::Url);
            for object in page.contents.unwrap_or_default() {
                let key = object.key().unwrap_or_default();
                let key = if encoded { decode(key) } else { key.to_owned() };
                let name = key.strip_prefix(&prefix);
                if name.is_some_and(|name| names.ends_before(name)) {
                    return Ok(entries);
                }
                // The console creates an object with an empty name to show an empty folder. Only a
                // store that ignores the delimiter lists names with a slash. Hidden names are not
                // frames, as in local folders: macOS leaves ._0001.png beside 0001.png.
                let name = name.filter(|name| names.contains(name) && depth.lists(name));
                if let Some(name) = name {
                    let entry = Entry {
                        name: name.to_owned(),
                        size: object.size().and_then(|size| size.try_into().ok()).unwrap_or(0),
                        modified: object.last_modified().map_or(UNIX_EPOCH, system_time),
                    };
                    entries.push(listed(entry, object.e_tag()));
                }
            }
            let token = page.next_continuation_token.filter(|_| page.is_truncated == Some(true));
            if token.is_none() {
                return Ok(entries);
            }
            if token == next || entries.len() > MAX_ENTRIES {
                return Err(endless(entries.len()));
            }
            next = token;
        }
    }

    /// The fingerprint that an object was stored with; `None` if the object does not exist, has no
    /// fingerprint, or has other content than the fingerprint is for.
    pub(in crate::storage) async fn fingerprint(
        &self,
        key: &str,
    ) -> Result<Option<Fingerprint>, Failure> {
        let head = self.requester.send(key, |client| {
            let request = client.head_object().bucket(self.name()).key(key);
            let request = request.checksum_mode(ChecksumMode::Enabled);
            with_timeout(response_timeout(0), async { request.send().await.map_err(attempt_error) })
        });
        match head.await {
            Ok(object) => {
                let text = object.metadata().and_then(|metadata| metadata.get(FINGERPRINT));
                let bound = text.and_then(|text| text.parse::<BoundFingerprint>().ok());
                let valid = bound.filter(|bound| has_content(&object, &bound.content));
                Ok(valid.map(|bound| bound.fingerprint))
            }
            Err(Failure::Missing(_)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// How far down a listing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// What is directly in the folder.
    Folder,
    /// What is in it and below.
    Tree,
}

impl Depth {
    /// Whether a listing has the object of this key from the folder on.
    fn lists(self, key: &str) -> bool {
        let is_shown = |name: &str| !name.is_empty() && !name.starts_with('.');
        (self == Self::Tree || !key.contains('/')) && key.split('/').all(is_shown)
    }
}

/// The failure of a listing that repeats or exceeds [`MAX_ENTRIES`].
fn endless(entries: usize) -> Failure {
    let text = format!("the listing does not end: there are more objects after {entries}");
    Failure::Denied(text.into())
}

/// Decodes a key from a listing. It is encoded as in forms: S3 writes `+` for a space.
fn decode(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn system_time(time: &DateTime) -> SystemTime {
    SystemTime::try_from(*time).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{Depth, decode};

    #[test]
    fn hidden_keys_and_those_of_folders_are_not_listed() {
        for (key, in_folder, in_tree) in [
            ("a.png", true, true),
            ("x/a.png", false, true),
            ("", false, false),
            ("x/", false, false),
            (".a", false, false),
            ("x/.a", false, false),
            (".x/a", false, false),
        ] {
            assert_eq!(Depth::Folder.lists(key), in_folder, "{key}");
            assert_eq!(Depth::Tree.lists(key), in_tree, "{key}");
        }
    }

    #[test]
    fn keys_in_a_listing_are_decoded_as_s3_and_other_stores_encode_them() {
        for (listed, key) in [
            ("a/b+c.png", "a/b c.png"),
            ("a%20b%2Bc%25.png", "a b+c%.png"),
            ("%C3%BC%01%0A", "ü\u{1}\n"),
        ] {
            assert_eq!(decode(listed), key);
        }
    }
}
