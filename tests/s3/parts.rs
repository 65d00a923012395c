//! Large objects in parts. A failure leaves no uploaded parts, which would cost money unseen, and
//! no wrong byte.

use std::fs::{self, File};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;

use render_worker::request::{Location, Transfers};
use render_worker::storage::Storage;

use crate::support::s3_server::{Fault, Operation, Request, S3Server};

const MIB: usize = 1024 * 1024;

/// The size of an object of five parts, in bytes.
const LARGE: usize = 33 * MIB;

/// The variable with the task for [`storage_at_work`].
const WORK: &str = "S3_PARTS_WORK";

/// No test: the tests below run this in a process of its own, with the environment of their server.
#[test]
#[ignore = "is run by the other tests"]
fn storage_at_work() {
    let work = std::env::var(WORK).expect("is run by the other tests");
    let (work, folder) = work.split_once(' ').unwrap();
    let folder = PathBuf::from(folder);
    let object: Location = "s3://render-test/large.bin".parse().unwrap();
    let storage = Storage::new(Transfers { attempts: NonZeroU32::new(6), ..Transfers::default() });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let result = runtime.block_on(async {
        if work == "upload" {
            let file = File::open(folder.join("large")).unwrap();
            return storage.upload(file, &object, None).await.map(drop);
        }
        let opened = storage.open(&object).await?;
        storage.localise(&opened, &folder.join("copy")).await.map(drop)
    });
    match result {
        Ok(()) => {}
        Err(error) => panic!("{:?}", error.failure()),
    }
}

/// Runs [`storage_at_work`] with a task. Returns its output if it fails.
fn run_storage(work: &str, server: &S3Server, folder: &Path) -> Result<(), String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "s3::parts::storage_at_work", "--ignored", "--quiet"])
        .env_clear()
        .envs(server.env())
        .env(WORK, format!("{work} {}", folder.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && text.contains("1 passed");
    if passed { Ok(()) } else { Err(text.into_owned()) }
}

#[track_caller]
fn fails(result: Result<(), String>, text: &str) {
    let output = result.expect_err("a failure");
    assert!(output.contains(text), "{text:?} is not in {output}");
}

/// Returns bytes that reveal a part in the wrong place.
fn content() -> Vec<u8> {
    (0..u32::try_from(LARGE / 4).unwrap()).flat_map(u32::to_be_bytes).collect()
}

#[test]
fn an_upload_succeeds_if_only_the_response_to_its_completion_is_lost() {
    let server = S3Server::start();
    server.inject(Fault::on(Operation::CompleteMultipartUpload).times(1).reset_after());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("large"), content()).unwrap();
    run_storage("upload", &server, folder.path()).unwrap();
    assert!(server.get("large.bin") == Some(content()));
    assert_eq!(server.open_uploads(), [""; 0]);
}

#[test]
fn an_upload_that_fails_permanently_leaves_no_parts() {
    let second = |request: &Request| request.part_number() == Some(2);
    for (fault, kind) in [
        (
            Fault::on(Operation::CompleteMultipartUpload).error_in_ok_body("InternalError"),
            "Transient",
        ),
        (Fault::on(Operation::UploadPart).when(second).respond(503, "SlowDown"), "Transient"),
        (Fault::on(Operation::UploadPart).when(second).respond(403, "AccessDenied"), "Denied"),
    ] {
        let server = S3Server::start();
        server.inject(fault);
        server.inject(Fault::on(Operation::AbortMultipartUpload).times(2).reset());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("large"), content()).unwrap();
        fails(run_storage("upload", &server, folder.path()), kind);
        assert_eq!(server.get("large.bin"), None);
        assert_eq!(server.open_uploads(), [""; 0]);
    }
}

#[test]
fn a_flipped_bit_in_a_part_is_detected_by_the_checksum_of_the_object() {
    for in_parts in [false, true] {
        let server = S3Server::start();
        let folder = tempfile::tempdir().unwrap();
        if in_parts {
            fs::write(folder.path().join("large"), content()).unwrap();
            run_storage("upload", &server, folder.path()).unwrap();
        } else {
            server.put("large.bin", &content());
        }
        let later = |request: &Request| !request.range().unwrap().starts_with("bytes=0-");
        server.inject(Fault::on(Operation::GetObject).when(later).times(1).flip_bit(4711));
        run_storage("download", &server, folder.path()).unwrap();
        assert!(fs::read(folder.path().join("copy")).unwrap() == content());
        fs::remove_file(folder.path().join("copy")).unwrap();

        server.inject(Fault::on(Operation::GetObject).when(later).flip_bit(4711));
        fails(run_storage("download", &server, folder.path()), "Transient");
        assert!(!folder.path().join("copy").exists());
    }
}

#[test]
fn an_upload_succeeds_on_a_store_without_full_object_checksums() {
    let with_checksum =
        |request: &Request| request.header("x-amz-checksum-type") == Some("FULL_OBJECT");
    for (operation, status, code) in [
        (Operation::CreateMultipartUpload, 400, "InvalidArgument"),
        (Operation::CreateMultipartUpload, 501, "NotImplemented"),
        (Operation::CompleteMultipartUpload, 400, "BadDigest"),
    ] {
        let server = S3Server::start();
        server.inject(Fault::on(operation).when(with_checksum).respond(status, code));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("large"), content()).unwrap();
        run_storage("upload", &server, folder.path()).unwrap();
        assert!(server.get("large.bin") == Some(content()), "{code}");
        assert_eq!(server.open_uploads(), [""; 0], "{code}");
        // One more attempt, without the checksum.
        assert_eq!(server.count(Operation::CreateMultipartUpload), 2, "{code}");
    }
}

#[test]
fn a_download_fails_if_its_caller_has_already_read_a_corrupt_beginning() {
    let server = S3Server::start();
    server.put("large.bin", &content());
    server.inject(Fault::on(Operation::GetObject).times(1).flip_bit(4711));
    let folder = tempfile::tempdir().unwrap();
    fails(run_storage("download", &server, folder.path()), "Transient");
    assert!(!folder.path().join("copy").exists());
}

#[test]
fn with_random_faults_in_parts_every_byte_is_right() {
    let server = S3Server::start();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("large"), content()).unwrap();
    for seed in 1..=2 {
        server.fault_rate(seed, 30);
        let done = |work| (0..5).any(|_| run_storage(work, &server, folder.path()).is_ok());
        assert!(done("upload"), "seed {seed}");
        assert!(server.get("large.bin") == Some(content()), "seed {seed}");
        assert!(done("download"), "seed {seed}");
        assert!(fs::read(folder.path().join("copy")).unwrap() == content(), "seed {seed}");
    }
}
