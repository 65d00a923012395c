//! Tests of the fake S3 server: checksums of multipart uploads.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};

use crate::s3::server_itself::{block, client, code};
use crate::support::s3_server::{BUCKET, S3Server};

/// The check value of CRC-64/NVME is in the catalogue of CRC algorithms at reveng.sourceforge.io.
const CONTENT: &[u8] = b"123456789";
const CHECKSUM: &str = "rosUhgp5mIg=";

async fn begin(client: &Client, algorithm: ChecksumAlgorithm, kind: ChecksumType) -> String {
    let create = client.create_multipart_upload().bucket(BUCKET).key("k");
    let create = create.checksum_algorithm(algorithm).checksum_type(kind).send().await;
    create.expect("an upload").upload_id.expect("an id")
}

async fn finish(
    client: &Client,
    id: &str,
    kind: ChecksumType,
    checksum: &str,
) -> Result<Option<String>, SdkError<CompleteMultipartUploadError>> {
    let part = client.upload_part().bucket(BUCKET).key("k").upload_id(id).part_number(1);
    let part = part.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme);
    let part = part.body(ByteStream::from_static(CONTENT)).send().await.expect("a part");
    let part = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = client.complete_multipart_upload().bucket(BUCKET).key("k").upload_id(id);
    let complete = complete.multipart_upload(parts).checksum_type(kind);
    complete.checksum_crc64_nvme(checksum).send().await.map(|done| done.checksum_crc64_nvme)
}

#[test]
fn the_checksum_of_the_object_is_verified_and_returned() {
    let server = S3Server::start();
    let client = client(&server);
    block(async {
        let full = ChecksumType::FullObject;
        let id = begin(&client, ChecksumAlgorithm::Crc64Nvme, full.clone()).await;
        assert_eq!(code(&finish(&client, &id, full.clone(), "AAAAAAAAAAA=").await), "BadDigest");
        assert_eq!((server.get("k"), server.open_uploads().len()), (None, 1));
        let composite = ChecksumType::Composite;
        assert_eq!(code(&finish(&client, &id, composite, CHECKSUM).await), "InvalidRequest");
        let done = finish(&client, &id, full.clone(), CHECKSUM).await.expect("an object");
        assert_eq!(done.as_deref(), Some(CHECKSUM));

        let head = client.head_object().bucket(BUCKET).key("k");
        let head = head.clone().checksum_mode(ChecksumMode::Enabled).send().await.expect("it");
        assert_eq!(head.checksum_crc64_nvme(), Some(CHECKSUM));
        assert_eq!(head.checksum_type(), Some(&full));
        let get = client.get_object().bucket(BUCKET).key("k").checksum_mode(ChecksumMode::Enabled);
        let whole = get.clone().send().await.expect("it");
        assert_eq!(whole.checksum_crc64_nvme(), Some(CHECKSUM));
        assert_eq!(whole.checksum_type(), Some(&full));
        assert_eq!(whole.body.collect().await.expect("a body").to_vec(), CONTENT);
        let range = get.range("bytes=0-3").send().await.expect("it");
        assert_eq!(range.checksum_crc64_nvme(), None);
    });
}

#[test]
fn invalid_combinations_of_algorithm_and_type_are_refused() {
    let server = S3Server::start();
    let client = client(&server);
    block(async {
        for (algorithm, kind) in [
            (ChecksumAlgorithm::Crc64Nvme, ChecksumType::Composite),
            (ChecksumAlgorithm::Sha256, ChecksumType::FullObject),
        ] {
            let create = client.create_multipart_upload().bucket(BUCKET).key("k");
            let create = create.checksum_algorithm(algorithm).checksum_type(kind).send().await;
            assert_eq!(code(&create), "InvalidRequest");
        }
        let full = ChecksumType::FullObject;
        let id = begin(&client, ChecksumAlgorithm::Crc64Nvme, full).await;
        let part = client.upload_part().bucket(BUCKET).key("k").upload_id(id).part_number(1);
        let part = part.checksum_algorithm(ChecksumAlgorithm::Crc32);
        let part = part.body(ByteStream::from_static(CONTENT)).send().await;
        assert_eq!(code(&part), "InvalidRequest");
    });
}
