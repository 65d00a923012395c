//! The objects: `s3s-fs` with its gaps filled.
//!
//! `s3s-fs` stores an object in a file with the name of its key. So `a` and `a/b` cannot both
//! exist, `a//b` becomes `a/b`, a directory counts as an object, and an upload with a wrong
//! checksum has already replaced the old object. Here `s3s-fs` stores every write under a new
//! number, and an index in memory maps keys to numbers: any text can be a key, and an object
//! changes only when its upload has succeeded.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::{HeaderMap, Method, Uri};
use s3s::checksum::ChecksumHasher;
use s3s::dto::{
    GetObjectInput, GetObjectOutput, HeadObjectInput, PutObjectInput, Range, StreamingBlob,
};
use s3s::{Body, S3, S3Error, S3Request, S3Result, s3_error};
use s3s_fs::FileSystem;

use super::index::{Index, StoredFile};

/// The bucket of `s3s-fs` with the numbered files.
pub const BACKING_BUCKET: &str = "objects";

/// The size of one read of an object in bytes.
const PIECE: u64 = 1 << 20;

/// The buckets and objects of one server. Clones share them.
#[derive(Clone)]
pub struct Store {
    pub files: Arc<FileSystem>,
    /// The folder of [`BACKING_BUCKET`].
    folder: Arc<Path>,
    pub region: Arc<str>,
    index: Arc<Mutex<Index>>,
}

impl Store {
    /// Creates a store without buckets, with its files in the directory `root`.
    pub fn new(root: &Path, region: &str) -> Self {
        let folder = root.join(BACKING_BUCKET);
        std::fs::create_dir(&folder).expect("a directory for the objects");
        Self {
            folder: folder.into(),
            files: Arc::new(FileSystem::new(root).expect("a store in a directory that exists")),
            region: Arc::from(region),
            index: Arc::default(),
        }
    }

    /// Creates a bucket.
    pub fn add_bucket(&self, bucket: &str) {
        let mut index = self.index();
        index.buckets.entry(bucket.to_owned()).or_default();
    }

    /// Stores an object with a CRC-64/NVME checksum, as S3 does if the client sends none.
    pub async fn put(&self, bucket: &str, key: &str, bytes: Bytes) -> S3Result<()> {
        self.put_with(bucket, key, bytes, BTreeMap::new()).await
    }

    /// Stores an object with metadata.
    pub async fn put_with(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        metadata: BTreeMap<String, String>,
    ) -> S3Result<()> {
        let mut hasher = ChecksumHasher {
            crc64nvme: Some(s3s::crypto::Crc64Nvme::default()),
            ..ChecksumHasher::default()
        };
        hasher.update(&bytes);
        let input = PutObjectInput {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            checksum_crc64nvme: hasher.finalize().checksum_crc64nvme,
            body: Some(blob(bytes)),
            metadata: (!metadata.is_empty()).then(|| metadata.into_iter().collect()),
            ..PutObjectInput::default()
        };
        self.put_object(request(input)).await.map(drop)
    }

    /// Returns an object and its bytes.
    pub async fn get(&self, bucket: &str, key: &str) -> S3Result<(GetObjectOutput, Bytes)> {
        let input = GetObjectInput {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            ..GetObjectInput::default()
        };
        let mut output = self.get_object(request(input)).await?.output;
        let bytes = match output.body.take() {
            Some(body) => collect(body).await?,
            None => Bytes::new(),
        };
        Ok((output, bytes))
    }

    /// Returns every object that was ever visible under a key that starts with `prefix`.
    pub async fn history(&self, bucket: &str, prefix: &str) -> S3Result<Vec<(String, Bytes)>> {
        let history = self.index().history.clone();
        let mut versions = Vec::new();
        for (in_bucket, key, number) in history {
            if in_bucket != bucket || !key.starts_with(prefix) {
                continue;
            }
            let input = GetObjectInput {
                bucket: BACKING_BUCKET.to_owned(),
                key: number,
                ..GetObjectInput::default()
            };
            let body = self.files.get_object(request(input)).await?.output.body;
            versions.push((key, collect(body.ok_or_else(|| s3_error!(NoSuchKey))?).await?));
        }
        Ok(versions)
    }

    /// Deletes an object, if it exists.
    pub fn remove(&self, bucket: &str, key: &str) {
        if let Ok(objects) = self.index().objects(bucket) {
            objects.remove(key);
        }
    }

    /// Returns the keys that start with `prefix`, sorted.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let mut index = self.index();
        let Ok(objects) = index.objects(bucket) else {
            return Vec::new();
        };
        let keys = objects.keys().filter(|key| key.starts_with(prefix));
        keys.cloned().collect()
    }

    /// Returns the keys of the multipart uploads that are neither completed nor aborted.
    pub fn open_uploads(&self) -> Vec<String> {
        let index = self.index();
        index.uploads.values().map(|upload| upload.key.clone()).collect()
    }

    /// Locks the index.
    pub fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().expect("the index of the store")
    }

    /// Returns the bytes of an object, or a range of them. `s3s-fs` itself reads 4 KiB at a time in
    /// another thread, which would limit the speed of clients.
    pub fn content(&self, object: &StoredFile, range: Option<Range>) -> S3Result<StreamingBlob> {
        let file = File::open(self.folder.join(&object.number)).map_err(internal)?;
        let size = file.metadata().map_err(internal)?.len();
        let range = range.map_or(Ok(0..size), |range| range.check(size))?;
        Ok(StreamingBlob::wrap(stream::try_unfold((file, range), |(file, range)| async move {
            if range.is_empty() {
                return Ok::<_, std::io::Error>(None);
            }
            let end = range.end.min(range.start + PIECE);
            let length = usize::try_from(end - range.start).expect("a small piece");
            let mut piece = vec![0; length];
            file.read_exact_at(&mut piece, range.start)?;
            Ok(Some((Bytes::from(piece), (file, end..range.end))))
        })))
    }

    /// Returns the file with a number.
    pub async fn stored_file(&self, number: String) -> S3Result<StoredFile> {
        let input = HeadObjectInput {
            bucket: BACKING_BUCKET.to_owned(),
            key: number.clone(),
            ..HeadObjectInput::default()
        };
        let output = self.files.head_object(request(input)).await?.output;
        Ok(StoredFile {
            number,
            size: output.content_length,
            e_tag: output.e_tag,
            last_modified: output.last_modified,
            checksum: None,
        })
    }
}

fn internal(error: std::io::Error) -> S3Error {
    s3_error!(error, InternalError)
}

/// Reads a whole body.
pub async fn collect(blob: StreamingBlob) -> S3Result<Bytes> {
    let body = Body::from(blob).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|_| s3_error!(IncompleteBody))
}

/// Creates a body from bytes.
pub fn blob(bytes: Bytes) -> StreamingBlob {
    StreamingBlob::from(Body::from(bytes))
}

/// Creates a request that did not come over HTTP.
fn request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: Method::default(),
        uri: Uri::default(),
        headers: HeaderMap::default(),
        extensions: hyper::http::Extensions::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}
