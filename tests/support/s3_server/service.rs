//! The S3 operations: conditions and index here, bytes in `s3s-fs`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, BucketLocationConstraint, ChecksumMode,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CreateBucketInput,
    CreateBucketOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput,
    DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject,
    GetBucketLocationInput, GetBucketLocationOutput, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output,
    MultipartUpload, PutObjectInput, PutObjectOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::checksums::Checksums;
use super::index::{Conditions, Part, StoredFile, Upload, check_parts};
use super::listing;
use super::store::{BACKING_BUCKET, Store, blob, collect};

/// Adds the checksum of the whole object to a response. `GetObject` and `HeadObject` have the same
/// fields in different types.
macro_rules! add_checksum {
    ($output:expr, $checksum:expr) => {{
        let (output, checksum) = ($output, $checksum);
        output.checksum_crc32 = checksum.checksum_crc32;
        output.checksum_crc32c = checksum.checksum_crc32c;
        output.checksum_crc64nvme = checksum.checksum_crc64nvme;
        output.checksum_type = checksum.checksum_type;
    }};
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.add_bucket(&req.input.bucket);
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.index().objects(&req.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput {
            bucket_region: Some(self.region.to_string()),
            ..HeadBucketOutput::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.index().objects(&req.input.bucket)?;
        let region = (&*self.region != "us-east-1").then(|| self.region.to_string());
        Ok(S3Response::new(GetBucketLocationOutput {
            location_constraint: region.map(BucketLocationConstraint::from),
        }))
    }

    async fn get_object(
        &self,
        mut req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &mut req.input;
        let object = self.index().object(&input.bucket, &input.key)?.clone();
        let conditions = Conditions {
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
        };
        conditions.allow_read(&object)?;
        (input.bucket, input.key) = (BACKING_BUCKET.to_owned(), object.number.clone());
        let range = input.range;
        // S3 sends no checksum with a range.
        let wanted = wants_checksum(input.checksum_mode.as_ref()) && range.is_none();
        let mut response = self.files.get_object(req).await?;
        response.output.body = Some(self.content(&object, range)?);
        if let Some(checksum) = object.checksum.filter(|_| wanted) {
            add_checksum!(&mut response.output, checksum);
        }
        Ok(response)
    }

    async fn head_object(
        &self,
        mut req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &mut req.input;
        let object = self.index().object(&input.bucket, &input.key)?.clone();
        let conditions = Conditions {
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
        };
        conditions.allow_read(&object)?;
        (input.bucket, input.key) = (BACKING_BUCKET.to_owned(), object.number);
        let wanted = wants_checksum(input.checksum_mode.as_ref());
        let mut response = self.files.head_object(req).await?;
        if let Some(checksum) = object.checksum.filter(|_| wanted) {
            add_checksum!(&mut response.output, checksum);
        }
        Ok(response)
    }

    async fn put_object(
        &self,
        mut req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let input = &mut req.input;
        let conditions = Conditions {
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
        };
        let number = {
            let mut index = self.index();
            index.objects(&input.bucket)?;
            index.next_number()
        };
        let bucket = std::mem::replace(&mut input.bucket, BACKING_BUCKET.to_owned());
        let key = std::mem::replace(&mut input.key, number.clone());
        // In one piece, because `s3s-fs` hands every piece to another thread.
        if let Some(body) = input.body.take() {
            // The error of `s3s-fs` for a corrupt body, which `Front` recognises.
            let body = collect(body).await.map_err(|_| s3_error!(InternalError))?;
            input.body = Some(blob(body));
        }
        let response = self.files.put_object(req).await?;
        let object = self.stored_file(number).await?;
        self.index().commit(&bucket, key, object, &conditions)?;
        Ok(response)
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.index().objects(&req.input.bucket)?.remove(&req.input.key);
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut index = self.index();
        let objects = index.objects(&req.input.bucket)?;
        let mut deleted = Vec::new();
        for object in req.input.delete.objects {
            objects.remove(&object.key);
            deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
        }
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let mut index = self.index();
        let objects = index.objects(&req.input.bucket)?;
        Ok(S3Response::new(listing::page(objects, req.input)))
    }

    async fn create_multipart_upload(
        &self,
        mut req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = &mut req.input;
        let checksums = Checksums::declared(input)?;
        let number = {
            let mut index = self.index();
            index.objects(&input.bucket)?;
            index.next_number()
        };
        let bucket = std::mem::replace(&mut input.bucket, BACKING_BUCKET.to_owned());
        let key = std::mem::replace(&mut input.key, number.clone());
        let mut response = self.files.create_multipart_upload(req).await?;
        response.output.bucket = Some(bucket.clone());
        response.output.key = Some(key.clone());
        let id = response.output.upload_id.clone().unwrap_or_default();
        let upload = Upload {
            bucket,
            key,
            number,
            started: SystemTime::now().into(),
            checksums,
            parts: BTreeMap::new(),
        };
        self.index().uploads.insert(id, upload);
        Ok(response)
    }

    async fn upload_part(
        &self,
        mut req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let input = &mut req.input;
        let (bucket, key) = (input.bucket.clone(), input.key.clone());
        let (id, part_number) = (input.upload_id.clone(), input.part_number);
        self.index().upload(&bucket, &key, &id)?;
        let body = input.body.take().ok_or_else(|| s3_error!(IncompleteBody))?;
        let bytes = collect(body).await?;
        let checksum = self.index().upload(&bucket, &key, &id)?.checksums.of_part(&bytes, &req)?;
        req.input.body = Some(blob(bytes.clone()));
        let mut response = self.files.upload_part(req).await?;
        let output = &mut response.output;
        output.checksum_crc32 = checksum.checksum_crc32;
        output.checksum_crc32c = checksum.checksum_crc32c;
        output.checksum_crc64nvme = checksum.checksum_crc64nvme;
        output.checksum_sha1 = checksum.checksum_sha1;
        output.checksum_sha256 = checksum.checksum_sha256;
        let part = Part { bytes, e_tag: output.e_tag.clone() };
        let mut index = self.index();
        index.upload(&bucket, &key, &id)?.parts.insert(part_number, part);
        Ok(response)
    }

    async fn complete_multipart_upload(
        &self,
        mut req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &mut req.input;
        let conditions = Conditions {
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
        };
        let (number, checksum) = {
            let mut index = self.index();
            let upload = index.upload(&input.bucket, &input.key, &input.upload_id)?;
            let parts = input.multipart_upload.as_ref();
            let parts = parts.and_then(|upload| upload.parts.as_deref()).unwrap_or_default();
            check_parts(parts, &upload.parts)?;
            let parts = parts.iter().filter_map(|part| upload.parts.get(&part.part_number?));
            let checksum = upload.checksums.of_whole(input, parts.map(|part| &part.bytes[..]))?;
            let number = upload.number.clone();
            conditions.allow_write(index.objects(&input.bucket)?.get(&input.key))?;
            index.uploads.remove(&input.upload_id);
            (number, checksum)
        };
        let bucket = std::mem::replace(&mut input.bucket, BACKING_BUCKET.to_owned());
        let key = std::mem::replace(&mut input.key, number.clone());
        self.files.complete_multipart_upload(req).await?;
        let object = StoredFile { checksum: checksum.clone(), ..self.stored_file(number).await? };
        let e_tag = object.e_tag.clone();
        let checksum = checksum.unwrap_or_default();
        self.index().commit(&bucket, key.clone(), object, &conditions)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag,
            checksum_crc32: checksum.checksum_crc32,
            checksum_crc32c: checksum.checksum_crc32c,
            checksum_crc64nvme: checksum.checksum_crc64nvme,
            checksum_type: checksum.checksum_type,
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        mut req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = &mut req.input;
        {
            let mut index = self.index();
            let upload = index.upload(&input.bucket, &input.key, &input.upload_id)?;
            input.key.clone_from(&upload.number);
            index.uploads.remove(&input.upload_id);
        }
        BACKING_BUCKET.clone_into(&mut input.bucket);
        self.files.abort_multipart_upload(req).await
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let ListMultipartUploadsInput { bucket, prefix, .. } = req.input;
        let mut index = self.index();
        index.objects(&bucket)?;
        let prefix_text = prefix.as_deref().unwrap_or_default();
        let mut uploads = Vec::new();
        for (id, upload) in &index.uploads {
            if upload.bucket == bucket && upload.key.starts_with(prefix_text) {
                uploads.push(MultipartUpload {
                    key: Some(upload.key.clone()),
                    upload_id: Some(id.clone()),
                    initiated: Some(upload.started.clone()),
                    ..MultipartUpload::default()
                });
            }
        }
        uploads.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(bucket),
            prefix,
            is_truncated: Some(false),
            uploads: Some(uploads),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

fn wants_checksum(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}
