//! `ListObjectsV2`: pages of sorted keys and common prefixes.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{CommonPrefix, EncodingType, ListObjectsV2Input, ListObjectsV2Output, Object};

use super::index::StoredFile;

/// The characters that S3 encodes if a client asks for encoded keys.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The maximum number of entries on a page.
const PAGE: usize = 1000;

/// Returns the page of `objects` that `input` asks for.
///
/// The token of the next page is the last key or prefix of this one.
pub fn page(
    objects: &BTreeMap<String, StoredFile>,
    input: ListObjectsV2Input,
) -> ListObjectsV2Output {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let delimiter = input.delimiter.as_deref().filter(|text| !text.is_empty());
    let token = input.continuation_token.as_deref();
    let after = token.or(input.start_after.as_deref()).unwrap_or_default();
    let max_keys = input.max_keys.unwrap_or(i32::MAX);
    let limit = usize::try_from(max_keys).unwrap_or_default().min(PAGE);
    let encode =
        input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
    let encoded = |key: &str| {
        if encode { utf8_percent_encode(key, ENCODED).to_string() } else { key.to_owned() }
    };

    let mut contents = Vec::new();
    let mut prefixes = Vec::new();
    let mut last = "";
    let mut truncated = false;
    for (key, object) in objects.range(prefix.to_owned()..) {
        let Some(rest) = key.strip_prefix(prefix) else {
            break;
        };
        let end = delimiter.and_then(|text| rest.find(text).map(|at| at + text.len()));
        let name = end.map_or(key.as_str(), |end| &key[..prefix.len() + end]);
        if name <= after || (end.is_some() && name == last) {
            continue;
        }
        if contents.len() + prefixes.len() == limit {
            truncated = limit > 0;
            break;
        }
        last = name;
        if end.is_some() {
            let prefix = Some(encoded(name));
            prefixes.push(CommonPrefix { prefix });
        } else {
            contents.push(Object {
                key: Some(encoded(key)),
                size: object.size,
                e_tag: object.e_tag.clone(),
                last_modified: object.last_modified.clone(),
                ..Object::default()
            });
        }
    }

    ListObjectsV2Output {
        key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
        max_keys: i32::try_from(limit).ok(),
        is_truncated: Some(truncated),
        next_continuation_token: truncated.then(|| last.to_owned()),
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        prefix: input.prefix.as_deref().map(encoded),
        delimiter: input.delimiter,
        encoding_type: input.encoding_type,
        continuation_token: input.continuation_token,
        start_after: input.start_after,
        name: Some(input.bucket),
        ..ListObjectsV2Output::default()
    }
}
