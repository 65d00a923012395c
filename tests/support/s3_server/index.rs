//! Which keys and uploads there are, and when a request may touch them.

use std::collections::BTreeMap;

use bytes::Bytes;
use s3s::dto::{Checksum, CompletedPart, ETag, ETagCondition, Timestamp};
use s3s::{S3Result, s3_error};

use super::sums::Sums;

/// The smallest part of a multipart upload, except for the last one.
const MIN_PART: usize = 5 * 1024 * 1024;

/// What is where.
#[derive(Default)]
pub struct Index {
    /// The objects by key, by bucket.
    pub buckets: BTreeMap<String, BTreeMap<String, Filed>>,
    /// The multipart uploads that are neither completed nor aborted, by id.
    pub uploads: BTreeMap<String, Upload>,
    /// Every object that was ever under a key: bucket, key, number; the oldest first.
    pub history: Vec<(String, String, String)>,
    /// How many numbers have been given out.
    pub numbers: u64,
}

/// A multipart upload under way.
pub struct Upload {
    pub bucket: String,
    pub key: String,
    /// The number that the object will have.
    pub number: String,
    pub started: Timestamp,
    pub sums: Sums,
    pub parts: BTreeMap<i32, Part>,
}

/// One part that has arrived.
pub struct Part {
    pub bytes: Bytes,
    pub e_tag: Option<ETag>,
}

/// What is known of an object without reading it: what a list shows.
#[derive(Clone)]
pub struct Filed {
    /// The name of its file.
    pub number: String,
    pub size: Option<i64>,
    pub e_tag: Option<ETag>,
    pub last_modified: Option<Timestamp>,
    /// The checksum of the whole, if it was uploaded in parts and has one.
    pub sums: Option<Checksum>,
}

impl Index {
    /// A number that no object has.
    pub fn number(&mut self) -> String {
        self.numbers += 1;
        self.numbers.to_string()
    }

    /// The objects of a bucket.
    pub fn objects(&mut self, bucket: &str) -> S3Result<&mut BTreeMap<String, Filed>> {
        let bucket = self.buckets.get_mut(bucket);
        bucket.ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }

    /// One object.
    pub fn object(&mut self, bucket: &str, key: &str) -> S3Result<&Filed> {
        let object = self.objects(bucket)?.get(key);
        object.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }

    /// One multipart upload under way.
    pub fn upload(&mut self, bucket: &str, key: &str, id: &str) -> S3Result<&mut Upload> {
        self.objects(bucket)?;
        let upload = self.uploads.get_mut(id);
        upload
            .filter(|upload| upload.bucket == bucket && upload.key == key)
            .ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))
    }

    /// Puts an object under its key, if the conditions of the request hold.
    pub fn commit(
        &mut self,
        bucket: &str,
        key: String,
        object: Filed,
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
    /// Whether an object may be read.
    pub fn allow_read(&self, object: &Filed) -> S3Result<()> {
        if self.if_match.as_ref().is_some_and(|wanted| !holds(wanted, object)) {
            return Err(s3_error!(PreconditionFailed));
        }
        if self.if_none_match.as_ref().is_some_and(|known| holds(known, object)) {
            return Err(s3_error!(NotModified));
        }
        Ok(())
    }

    /// Whether what a key has now may be replaced.
    pub fn allow_write(&self, present: Option<&Filed>) -> S3Result<()> {
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

/// Whether a condition names an object that exists.
fn holds(condition: &ETagCondition, object: &Filed) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => {
            object.e_tag.as_ref().is_some_and(|e_tag| e_tag.strong_cmp(wanted))
        }
    }
}

/// Whether the parts that a client wants to join are those that it uploaded.
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
