//! The S3 operation of an HTTP request.

use hyper::{HeaderMap, Method};

/// An S3 operation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CopyObject,
    CreateBucket,
    CreateMultipartUpload,
    DeleteObject,
    DeleteObjects,
    GetBucketLocation,
    GetObject,
    HeadBucket,
    HeadObject,
    ListBuckets,
    ListMultipartUploads,
    ListObjects,
    ListObjectsV2,
    ListParts,
    PutObject,
    UploadPart,
    /// Anything else.
    Other,
}

impl Operation {
    /// Returns the operation of a request with a path-style address.
    pub fn of(method: &Method, bucket: &str, key: &str, query: &str, headers: &HeaderMap) -> Self {
        let has = |name: &str| {
            let mut pairs = query.split('&');
            pairs.any(|pair| pair.split('=').next() == Some(name))
        };
        match (method.as_str(), bucket.is_empty(), key.is_empty()) {
            ("GET", true, _) => Self::ListBuckets,
            ("GET", false, true) if has("location") => Self::GetBucketLocation,
            ("GET", false, true) if has("uploads") => Self::ListMultipartUploads,
            ("GET", false, true) if has("list-type") => Self::ListObjectsV2,
            ("GET", false, true) => Self::ListObjects,
            ("GET", false, false) if has("uploadId") => Self::ListParts,
            ("GET", false, false) => Self::GetObject,
            ("HEAD", false, true) => Self::HeadBucket,
            ("HEAD", false, false) => Self::HeadObject,
            ("PUT", false, true) => Self::CreateBucket,
            ("PUT", false, false) if has("uploadId") => Self::UploadPart,
            ("PUT", false, false) if headers.contains_key("x-amz-copy-source") => Self::CopyObject,
            ("PUT", false, false) => Self::PutObject,
            ("POST", false, true) if has("delete") => Self::DeleteObjects,
            ("POST", false, false) if has("uploads") => Self::CreateMultipartUpload,
            ("POST", false, false) if has("uploadId") => Self::CompleteMultipartUpload,
            ("DELETE", false, false) if has("uploadId") => Self::AbortMultipartUpload,
            ("DELETE", false, false) => Self::DeleteObject,
            _ => Self::Other,
        }
    }
}
