//! Mistakes in locations: texts that are plainly not meant as a path on this machine.
//!
//! Any text can become a folder in a container, and that folder disappears with the container. So
//! the worker refuses a text that looks like a location elsewhere, or that a shell should have
//! changed. `./NAME` and `file:///PATH` are always taken as paths.

use thiserror::Error;

/// Why a text is plainly not meant as a path. The messages continue the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Mistake {
    /// There is white space around it.
    #[error("begins or ends with a space or a line break")]
    Padded,
    /// There are quotes around it, which a shell would have removed.
    #[error("is in quotes, which no shell has removed")]
    Quoted,
    /// It is an S3 location in another notation.
    #[error("is not an S3 URI as this program expects it")]
    OtherSpelling,
    /// It is a location on a server or in a store other than S3.
    #[error("is neither an S3 URI nor a path")]
    OtherStore,
    /// It is a Windows path.
    #[error("is a Windows path, and this is Linux")]
    Windows,
    /// It begins with a variable or home directory, which a shell would have expanded.
    #[error("begins with `$` or `~`, which no shell has expanded")]
    Unexpanded,
}

/// Characters that people put around a URI or a path.
const QUOTES: [char; 9] = ['"', '\'', '`', '<', '>', '“', '”', '‘', '’'];

/// Schemes and service names that come before a colon in locations elsewhere.
const SCHEMES: [&str; 31] = [
    "abfs", "abfss", "adl", "arn", "az", "azure", "b2", "cos", "dav", "davs", "file", "ftp",
    "ftps", "gcs", "gs", "hdfs", "http", "https", "minio", "nfs", "obs", "oss", "r2", "s3", "s3a",
    "s3n", "sftp", "smb", "swift", "wasb", "wasbs",
];

/// The ends of the host names of object stores.
const HOSTS: [&str; 10] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "backblazeb2.com",
    "blob.core.windows.net",
    "console.aws.amazon.com",
    "dfs.core.windows.net",
    "digitaloceanspaces.com",
    "r2.cloudflarestorage.com",
    "storage.googleapis.com",
    "wasabisys.com",
];

/// The mistake in `text`, if there is one, and the location that was meant, if it can be guessed.
pub(super) fn find_mistake(text: &str) -> Option<(Mistake, Option<String>)> {
    // The parser ignores slashes at the end of a key, so the text ends before them.
    let end = if text.starts_with("s3://") { text.trim_end_matches('/') } else { text };
    let bare = end.trim().trim_matches(QUOTES).trim();
    if text.trim_start() != text || end.trim_end() != end {
        return Some((Mistake::Padded, Some(meant(bare))));
    }
    if text.starts_with(QUOTES) || end.ends_with(QUOTES) && text.contains("://") {
        return Some((Mistake::Quoted, Some(meant(bare))));
    }
    // These are always paths, which gives users a way to write any name.
    if text.starts_with('/') || text.starts_with("./") || text.starts_with("../") {
        return None;
    }
    if let Some(uri) = on_s3(text) {
        return (uri.trim_end_matches('/') != text.trim_end_matches('/'))
            .then_some((Mistake::OtherSpelling, Some(uri)));
    }
    // The parser reports any other error in these.
    if text.starts_with("s3://") || text.starts_with("file://") {
        return None;
    }
    let drive = matches!(text.as_bytes(), [d, b':', rest @ ..]
        if d.is_ascii_alphabetic() && matches!(rest, [] | [b'\\' | b'/', ..]));
    if drive || ["\\\\", ".\\", "..\\", "~\\"].iter().any(|start| text.starts_with(start)) {
        return Some((Mistake::Windows, None));
    }
    if text.starts_with('$') || text == "~" || text.starts_with("~/") {
        return Some((Mistake::Unexpanded, None));
    }
    is_elsewhere(text).then(|| (Mistake::OtherStore, file_uri(text)))
}

/// The location that a text without white space and quotes around it was meant as.
fn meant(bare: &str) -> String {
    on_s3(bare).unwrap_or_else(|| bare.to_owned())
}

/// `file:/a`, `FILE:///a` → `file:///a`.
fn file_uri(text: &str) -> Option<String> {
    let (scheme, path) = text.split_once(':')?;
    let path = path.trim_start_matches('/');
    (scheme.eq_ignore_ascii_case("file") && !path.is_empty()).then(|| format!("file:///{path}"))
}

/// Whether a text is the location of a server, a store or a device.
fn is_elsewhere(text: &str) -> bool {
    if text.contains("://") {
        return true;
    }
    let place = text.split('/').next().unwrap_or_default();
    if is_host_of_store(place) {
        return true;
    }
    let Some((before, after)) = place.split_once(':') else { return false };
    let is_scheme = before.starts_with(|c: char| c.is_ascii_alphabetic())
        && before.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let is_port = !after.is_empty() && after.bytes().all(|b| b.is_ascii_digit());
    let listed = SCHEMES.iter().any(|scheme| before.eq_ignore_ascii_case(scheme));
    // `host:9000/bucket`; `scheme:/path`, which RFC 3986 allows; `user@host:path`.
    is_scheme && (listed || is_port || after.is_empty()) || before.contains('@')
}

fn is_host_of_store(place: &str) -> bool {
    let host = place.split(':').next().unwrap_or_default().to_ascii_lowercase();
    HOSTS.iter().any(|store| {
        host.strip_suffix(store).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// The URI of an S3 location that is written in any known notation.
fn on_s3(text: &str) -> Option<String> {
    let mut rest = text;
    // Users prepend `s3://` to texts that begin with it already.
    while let Some(bucket) = after_scheme(rest) {
        rest = bucket;
    }
    let is_ours = rest.len() < text.len();
    let found = of_arn(rest, is_ours).or_else(|| of_url(rest));
    let (bucket, key) = match found {
        Some(found) => found,
        None if is_ours && !rest.is_empty() => {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            (bucket.to_owned(), key.to_owned())
        }
        None => return None,
    };
    // Hadoop puts credentials in front of the bucket.
    Some(uri(bucket.rsplit('@').next().unwrap_or_default(), &key))
}

fn uri(bucket: &str, key: &str) -> String {
    if key.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{key}") }
}

/// The part after `s3:`, `S3://`, `s3a://` or `s3//`.
fn after_scheme(text: &str) -> Option<&str> {
    let place = ["s3", "s3a", "s3n"].iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        let rest = rest.strip_prefix(':').or_else(|| rest.starts_with("//").then_some(rest));
        rest.filter(|_| start.eq_ignore_ascii_case(scheme))
    })?;
    Some(place.trim_start_matches(['/', '\\']))
}

/// The bucket and key of `arn:aws:s3:::bucket/key`, or of the ARN of an object of an access point,
/// `arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME/object/KEY`. In an S3 URI, `object/` is part of the
/// key.
fn of_arn(text: &str, in_uri: bool) -> Option<(String, String)> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [arn, _, service, region, account, resource] = parts.as_slice() else { return None };
    if !arn.eq_ignore_ascii_case("arn") || !service.starts_with("s3") {
        return None;
    }
    let Some((kind, rest)) = resource.split_once(['/', ':']).filter(|_| !account.is_empty()) else {
        let (bucket, key) = resource.split_once('/').unwrap_or((resource, ""));
        return (region.is_empty() && account.is_empty() && !bucket.is_empty())
            .then(|| (bucket.to_owned(), key.to_owned()));
    };
    let (name, key) = rest.split_once('/').unwrap_or((rest, ""));
    if *service != "s3" || kind != "accesspoint" {
        return None;
    }
    let point = text.split_at_checked(text.len() - rest.len() - 1)?.0;
    let key = key.strip_prefix("object/").filter(|_| !in_uri).unwrap_or(key);
    Some((format!("{point}/{name}"), key.to_owned()))
}

/// The bucket and key of an HTTP URL of S3, such as `https://bucket.s3.REGION.amazonaws.com/key`,
/// with or without the scheme, or of a page of the AWS console.
fn of_url(text: &str) -> Option<(String, String)> {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if scheme.to_ascii_lowercase().starts_with("http") => rest,
        Some(_) => return None,
        None => text,
    };
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    if !is_host_of_store(place) {
        return None;
    }
    let host = place.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let in_path = || {
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        (!bucket.is_empty()).then(|| (bucket.to_owned(), key.to_owned()))
    };
    if host.ends_with("console.aws.amazon.com") {
        let page = path.strip_prefix("s3/buckets/").or_else(|| path.strip_prefix("s3/object/"))?;
        let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix="));
        return Some((page.split('/').next()?.to_owned(), prefix.unwrap_or_default().to_owned()));
    }
    if !host.contains("amazonaws.com") {
        return None;
    }
    let labels: Vec<_> = host.split('.').collect();
    let service = labels.iter().rposition(|l| *l == "s3" || l.starts_with("s3-"))?;
    match labels.get(..service).unwrap_or_default().join(".") {
        bucket if bucket.is_empty() => in_path(),
        bucket => Some((bucket, path.to_owned())),
    }
}
