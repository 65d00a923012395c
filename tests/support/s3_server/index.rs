//! The index of keys and uploads, and the conditions of requests.

use std::collections::BTreeMap;

use bytes::Bytes;
use s3s::dto::{Checksum, CompletedPart, ETag, ETagCondition, Timestamp};
use s3s::{S3Result, s3_error};

use super::checksums::Checksums;

/// The smallest part of a multipart upload, except for the last one.
const MIN_PART: usize = 5 * 1024 * 1024;

/// All buckets and uploads.
#[derive(Default)]
pub struct Index {
    /// The objects, by bucket and key.
    pub buckets: BTreeMap<String, BTreeMap<String, StoredFile>>,
    /// The multipart uploads that are neither completed nor aborted, by id.
    pub uploads: BTreeMap<String, Upload>,
    /// Every version of every object: bucket, key, number; oldest first.
    pub history: Vec<(String, String, String)>,
    /// The last number in use.
    pub numbers: u64,
}

/// An open multipart upload.
pub struct Upload {
    pub bucket: String,
    pub key: String,
    /// The number of the future object.
    pub number: String,
    pub started: Timestamp,
    pub checksums: Checksums,
    pub parts: BTreeMap<i32, Part>,
}

/// A part that has arrived.
pub struct Part {
    pub bytes: Bytes,
    pub e_tag: Option<ETag>,
}

/// The file of an object, and the metadata that a list shows.
#[derive(Clone)]
pub struct StoredFile {
    /// The name of the file.
    pub number: String,
    pub size: Option<i64>,
    pub e_tag: Option<ETag>,
    pub last_modified: Option<Timestamp>,
    /// The checksum of the whole object, if it was uploaded in parts with the type `FULL_OBJECT`.
    pub checksum: Option<Checksum>,
}

impl Index {
    /// Returns an unused number.
    pub fn next_number(&mut self) -> String {
        self.numbers += 1;
        self.numbers.to_string()
    }

    /// Returns the objects of a bucket.
    pub fn objects(&mut self, bucket: &str) -> S3Result<&mut BTreeMap<String, StoredFile>> {
        let bucket = self.buckets.get_mut(bucket);
        bucket.ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }

    /// Returns an object.
    pub fn object(&mut self, bucket: &str, key: &str) -> S3Result<&StoredFile> {
        let object = self.objects(bucket)?.get(key);
        object.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }

    /// Returns an open multipart upload.
    pub fn upload(&mut self, bucket: &str, key: &str, id: &str) -> S3Result<&mut Upload> {
        self.objects(bucket)?;
        let upload = self.uploads.get_mut(id);
        upload
            .filter(|upload| upload.bucket == bucket && upload.key == key)
            .ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))
    }

    /// Makes an object visible under its key, if the conditions of the request hold.
    pub fn commit(
        &mut self,
        bucket: &str,
        key: String,
        object: StoredFile,
        conditions: &Conditions,
    ) -> S3Result<()> {
        let objects = self.objects(bucket)?;
        conditions.allow_write(objects.get(&key))?;
        let version = (bucket.to_owned(), key.clone(), object.number.clone());
        objects.insert(key, object);
        self.history.push(version);
        Ok(())
    }
}

/// The `If-Match` and `If-None-Match` of a request.
pub struct Conditions {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
}

impl Conditions {
    /// Checks whether an object may be read.
    pub fn allow_read(&self, object: &StoredFile) -> S3Result<()> {
        if self.if_match.as_ref().is_some_and(|wanted| !holds(wanted, object)) {
            return Err(s3_error!(PreconditionFailed));
        }
        if self.if_none_match.as_ref().is_some_and(|known| holds(known, object)) {
            return Err(s3_error!(NotModified));
        }
        Ok(())
    }

    /// Checks whether the present object of a key may be replaced.
    pub fn allow_write(&self, present: Option<&StoredFile>) -> S3Result<()> {
        match (present, &self.if_match) {
            (None, Some(_)) => return Err(s3_error!(NoSuchKey)),
            (Some(object), Some(wanted)) if !holds(wanted, object) => {
                return Err(s3_error!(PreconditionFailed));
            }
            _ => {}
        }
        match (present, &self.if_none_match) {
            (Some(object), Some(unwanted)) if holds(unwanted, object) => {
                Err(s3_error!(PreconditionFailed))
            }
            _ => Ok(()),
        }
    }
}

/// Returns whether a condition matches an existing object.
fn holds(condition: &ETagCondition, object: &StoredFile) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => {
            object.e_tag.as_ref().is_some_and(|e_tag| e_tag.strong_cmp(wanted))
        }
    }
}

/// Checks that the parts of an object are among the uploaded ones, and not too small.
pub fn check_parts(wanted: &[CompletedPart], uploaded: &BTreeMap<i32, Part>) -> S3Result<()> {
    for (position, part) in wanted.iter().enumerate() {
        let found = part.part_number.and_then(|number| uploaded.get(&number));
        let Some(found) = found.filter(|found| found.e_tag == part.e_tag) else {
            return Err(s3_error!(InvalidPart));
        };
        if found.bytes.len() < MIN_PART && position + 1 < wanted.len() {
            return Err(s3_error!(EntityTooSmall));
        }
    }
    Ok(())
}
