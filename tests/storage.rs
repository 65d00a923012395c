//! The contract of [`Storage`]: one suite of clauses, held by every kind of location.
//!
//! What a clause needs, such as a folder that may not be touched, has to be arranged
//! around the process that runs it: credentials are read from its environment, file
//! sizes are limited and rights are lost for good. So [`clauses`] is started again out
//! of this test binary, once a kind of location, as a process of its own.

use std::fs::{self, File, Permissions};
use std::num::NonZeroU32;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use nix::sys::signal::{SigSet, Signal};
use render_worker::request::{Location, Transfers};
use render_worker::storage::{Failure, Fingerprint, Names, Storage, StorageError};
use tempfile::TempDir;

use crate::support::names;
use crate::support::s3_server::{Fault, Operation, Request, S3Server};

const MIB: usize = 1024 * 1024;

/// Larger than what goes in one request on S3, and no multiple of it.
const LARGE: usize = 40 * MIB + 7;

/// A user without rights, for tests that are run by root.
const NOBODY: u32 = 65534;

/// Names that are tempting to decode, encode, split or clean.
const ODD_NAMES: [&str; 14] = [
    "a b  c.png",
    " x ",
    "a+b.png",
    "100%.png",
    "a%20b%2F.png",
    "ü-u\u{308}-日本-🎬.png",
    "#1.png",
    "what?x=1&y=2.png",
    "<&amp;\"'>.png",
    "back\\slash",
    "a..b..",
    "-n",
    "*[0-9]~$(x){1..2}",
    "s3:file",
];

/// What is in `tree/` and is to be listed.
const TREE: [(&str, u64); 3] = [("a", 1), ("b c.png", 300), ("empty", 0)];

#[test]
fn the_contract_holds_for_local_files() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let put = |name: &str, bytes: &[u8]| {
        let file = root.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    };
    furnish(put);
    // What is no file, not there, or still being written is not listed.
    symlink("nowhere", root.join("tree/dead link")).unwrap();
    put("tree/.0001.png.part", b"half");
    let denied = root.join("denied");
    fs::set_permissions(&denied, Permissions::from_mode(0o000)).unwrap();

    let result = run_clauses(root.to_str().unwrap(), &[], &folder);
    fs::set_permissions(&denied, Permissions::from_mode(0o700)).unwrap();
    result.unwrap();
    assert_eq!(names(&root.join("interrupted")), ["replaced.bin"]);
}

#[test]
fn the_contract_holds_for_s3() {
    let server = S3Server::start();
    furnish(|name, bytes| server.put(&format!("root/{name}"), bytes));
    // What the console makes to show a folder, and what only looks like a path.
    server.put("root/tree/", b"");
    server.put("root/tree//slash", b"x");
    server.put("root/tree/../up", b"x");
    // As macOS leaves beside files that it copies.
    server.put("root/tree/._0001.png", b"x");
    server.put("root/trees", b"a name that begins alike");
    let denied =
        |request: &Request| request.key.contains("/denied/") || request.query.contains("denied%2F");
    server.inject(Fault::on_any().when(denied).respond(403, "AccessDenied"));
    let second = |request: &Request| request.part_number() == Some(2);
    let upload = Fault::on(Operation::UploadPart).key("/interrupted/").when(second);
    server.inject(upload.reset());

    let folder = tempfile::tempdir().unwrap();
    run_clauses(&server.uri("root"), &server.env(), &folder).unwrap();
    assert_eq!(server.keys("root/interrupted/"), ["root/interrupted/replaced.bin"]);
    assert_eq!(server.open_uploads(), [""; 0], "parts that are paid for and never seen");

    let requests = server.requests();
    let of = |key: &str, operation: Operation| -> Vec<&Request> {
        let wanted = |r: &&Request| r.key.ends_with(key) && r.operation == operation;
        requests.iter().filter(wanted).collect()
    };
    assert_eq!(server.count(Operation::HeadBucket), 0, "the first request tells all that there is");
    assert_eq!(of("localised/small", Operation::GetObject).len(), 1);
    assert_eq!(of("localised/small", Operation::HeadObject).len(), 0);

    let parts = of("large.bin", Operation::UploadPart);
    assert_eq!(parts.len(), LARGE.div_ceil(8 * MIB));
    for part in parts {
        let checksum = part.header("x-amz-checksum-crc64nvme");
        assert!(checksum.is_some(), "part {:?} has no checksum", part.part_number());
    }
    let ranges = of("large.bin", Operation::GetObject);
    let rest = LARGE - (MIB + 64 * 1024);
    assert_eq!(ranges.len(), 1 + rest.div_ceil(8 * MIB), "the beginning, then the parts");
    let (second, third) = (ranges[1], ranges[2]);
    assert!(Some(third.started) < second.finished, "ranges are fetched one after the other");
    for put in of("0001.png", Operation::PutObject) {
        assert!(put.header("x-amz-checksum-crc32").is_some(), "{put:?}");
    }
}

/// Puts into a location what the clauses expect there.
fn furnish(put: impl Fn(&str, &[u8])) {
    for (name, size) in TREE {
        put(&format!("tree/{name}"), &vec![b'x'; size.try_into().unwrap()]);
    }
    put("tree/below/deep", b"x");
    for number in 0..2_500 {
        put(&format!("many/{number:04}.png"), b"x");
    }
    put("denied/0001.png", b"x");
    put("interrupted/replaced.bin", b"old");
}

/// Runs [`clauses`] on the location `root`, as a user who may not do everything.
/// `folder` is theirs.
fn run_clauses(root: &str, env: &[(&str, String)], folder: &TempDir) -> Result<(), String> {
    // Not by its path: somebody else need not be allowed to look where it lies.
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["--exact", "storage::clauses", "--ignored"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TMPDIR", folder.path())
        .env("CONTRACT_ROOT", root)
        .env("AWS_MAX_ATTEMPTS", "2")
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir(folder.path());
    let ours = fs::metadata(folder.path()).unwrap().uid();
    if ours == 0 {
        for entry in walkdir::WalkDir::new(folder.path()).into_iter().map(Result::unwrap) {
            let own = !entry.path_is_symlink() && entry.file_name() != "denied";
            if own {
                chown(entry.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let passed = output.status.success() && said.contains("1 passed");
    if passed { Ok(()) } else { Err(said) }
}

/// The contract. Needs the surroundings that [`run_clauses`] makes.
#[test]
#[ignore = "is run by the tests of each kind of location"]
fn clauses() {
    let Ok(root) = std::env::var("CONTRACT_ROOT") else { return };
    let files = tempfile::tempdir().unwrap();
    let place = Place {
        storage: Storage::new(Transfers { attempts: NonZeroU32::new(2), ..Transfers::default() }),
        root: root.parse().unwrap(),
        files: files.path().to_owned(),
    };
    let large = place.file("large.bin", &noise(LARGE));
    let too_large = place.file("too-large.bin", &noise(LARGE + MIB));
    limit_file_size(LARGE + MIB / 2);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        what_is_written_is_read(&place).await;
        what_is_there_is_replaced(&place).await;
        a_listing_has_the_direct_children(&place).await;
        a_listing_is_complete(&place).await;
        a_listing_can_be_of_some_names(&place).await;
        a_beginning_tells_what_it_is_of(&place, &large).await;
        a_fingerprint_belongs_to_what_it_was_stored_with(&place).await;
        what_is_not_there_is_missing(&place).await;
        what_may_not_be_done_is_denied(&place).await;
        a_small_file_is_localised(&place).await;
        a_large_file_comes_back_byte_for_byte(&place, &large).await;
        a_write_that_is_interrupted_changes_nothing(&place, &too_large).await;
        a_source_that_cannot_be_read_changes_nothing(&place).await;
    });
}

/// Where the clauses are tried.
struct Place {
    storage: Storage,
    root: Location,
    /// A folder on this machine.
    files: PathBuf,
}

impl Place {
    /// A path in the location.
    fn at(&self, path: &str) -> Location {
        self.root.join(path)
    }

    /// A file on this machine.
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let file = self.files.join(name);
        fs::write(&file, content).unwrap();
        file
    }

    async fn write(&self, path: &str, content: &[u8]) {
        let content = Bytes::copy_from_slice(content);
        self.storage.write(&self.at(path), content).await.unwrap();
    }

    async fn read(&self, path: &str) -> Vec<u8> {
        self.storage.read(&self.at(path), u64::MAX).await.unwrap().to_vec()
    }

    /// Stores a file of this machine.
    async fn upload(
        &self,
        source: &Path,
        path: &str,
        fingerprint: Option<Fingerprint>,
    ) -> Result<u64, StorageError> {
        self.storage.upload(File::open(source).unwrap(), &self.at(path), fingerprint).await
    }

    /// Opens a file and has it on this machine.
    async fn localise(&self, file: &Location, copy: &Path) -> Result<PathBuf, StorageError> {
        let opened = self.storage.open(file).await?;
        self.storage.localise(&opened, copy).await
    }

    /// Names and sizes in a folder, sorted.
    async fn list(&self, folder: &str) -> Vec<(String, u64)> {
        let entries = self.storage.list(&self.at(folder)).await.unwrap();
        let mut list: Vec<_> = entries.into_iter().map(|entry| (entry.name, entry.size)).collect();
        list.sort();
        list
    }
}

async fn what_is_written_is_read(place: &Place) {
    for content in [&b""[..], b"x", &noise(70_001)] {
        place.write("written/0001.png", content).await;
        assert_eq!(place.read("written/0001.png").await, content);
    }
    for name in ODD_NAMES {
        place.write(&format!("odd/{name}"), name.as_bytes()).await;
    }
    for name in ODD_NAMES {
        assert_eq!(place.read(&format!("odd/{name}")).await, name.as_bytes(), "{name:?}");
        // As a folder, too.
        place.write(&format!("odd folders/{name}/{name}"), b"x").await;
        let there = place.list(&format!("odd folders/{name}")).await;
        assert_eq!(there, [(name.to_owned(), 1)]);
    }
    let mut expected = ODD_NAMES.map(|name| (name.to_owned(), name.len() as u64));
    expected.sort();
    assert_eq!(place.list("odd").await, expected);
}

async fn what_is_there_is_replaced(place: &Place) {
    place.write("replaced/video.mp4", b"the first one").await;
    place.write("replaced/video.mp4", b"second").await;
    assert_eq!(place.read("replaced/video.mp4").await, b"second");
    // Known to be smaller than it is by now.
    let error = place.storage.read(&place.at("replaced/video.mp4"), 5).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::Transient(_)), "{error:?}");
    let third = place.file("third", b"3");
    let bytes = place.upload(&third, "replaced/video.mp4", None).await.unwrap();
    assert_eq!((bytes, place.read("replaced/video.mp4").await), (1, b"3".to_vec()));
    assert_eq!(place.list("replaced").await, [("video.mp4".to_owned(), 1)]);
}

async fn a_listing_has_the_direct_children(place: &Place) {
    let expected = TREE.map(|(name, size)| (name.to_owned(), size));
    assert_eq!(place.list("tree").await, expected);
    assert_eq!(place.list("tree/below").await, [("deep".to_owned(), 1)]);
    assert_eq!(place.list("nothing/there").await, []);
    for entry in place.storage.list(&place.at("tree")).await.unwrap() {
        let age = entry.modified.elapsed().unwrap_or_default();
        assert!(age.as_secs() < 3600, "{entry:?}");
    }
}

async fn a_listing_is_complete(place: &Place) {
    let expected: Vec<_> = (0..2_500).map(|number| (format!("{number:04}.png"), 1)).collect();
    assert_eq!(place.list("many").await, expected);
}

fn between(after: &str, before: &str) -> Names {
    Names { after: after.to_owned(), before: Some(before.to_owned()), expected: None }
}

async fn a_listing_can_be_of_some_names(place: &Place) {
    for (names, first, last) in [
        (between("0007", "0009/"), 7, 9),
        (between("0007.png", "0009.png"), 8, 8),
        (between("0000", "0010/"), 0, 10),
        (Names { after: "2497".to_owned(), ..Names::all() }, 2497, 2499),
        (Names { before: Some("0001".to_owned()), ..Names::all() }, 0, 0),
        // More, fewer and exactly as many as there are; more than S3 lists at once.
        (Names { expected: Some(0), ..between("0007", "0009/") }, 7, 9),
        (Names { expected: Some(2), ..between("0007", "0009/") }, 7, 9),
        (Names { expected: Some(3), ..between("0007", "0009/") }, 7, 9),
        (Names { expected: Some(4), ..between("0007", "0009/") }, 7, 9),
        (Names { expected: Some(1), ..between("0000", "1500/") }, 0, 1500),
        (Names { expected: Some(u32::MAX), ..between("0000", "1500/") }, 0, 1500),
    ] {
        let listed = place.storage.list_names(&place.at("many"), names.clone()).await.unwrap();
        let mut listed: Vec<_> = listed.into_iter().map(|entry| entry.name).collect();
        listed.sort();
        let expected: Vec<_> = (first..=last).map(|number| format!("{number:04}.png")).collect();
        assert_eq!(listed, expected, "{names:?}");
    }
    let none = place.storage.list_names(&place.at("nothing/there"), between("0", "1")).await;
    assert_eq!(none.unwrap(), []);
}

async fn a_beginning_tells_what_it_is_of(place: &Place, large: &Path) {
    for content in [&b""[..], b"small"] {
        place.write("opened/small", content).await;
        let opened = place.storage.open(&place.at("opened/small")).await.unwrap();
        assert_eq!((&opened.start[..], opened.size), (content, content.len() as u64));
        assert!(opened.is_whole());
    }
    place.upload(large, "opened/large", None).await.unwrap();
    let opened = place.storage.open(&place.at("opened/large")).await.unwrap();
    assert_eq!(opened.size, LARGE as u64);
    assert!(!opened.is_whole() && opened.start.len() >= 64 * 1024);
    assert!(noise(LARGE).starts_with(&opened.start));

    // Never one version's beginning with another one's end.
    if let Location::S3 { .. } = place.root {
        place.write("opened/large", &vec![b'y'; LARGE]).await;
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy of two versions");
        let error = place.storage.localise(&opened, &copy).await.unwrap_err();
        assert!(matches!(error.failure(), Failure::Transient(_)), "{error:?}");
        assert!(!copy.exists());
    }
}

fn fingerprint(of: u8) -> Fingerprint {
    [of; 32].into()
}

async fn a_fingerprint_belongs_to_what_it_was_stored_with(place: &Place) {
    let path = "fingerprints/0001.png";
    let found = async || place.storage.fingerprint(&place.at(path)).await.unwrap();
    assert_eq!(found().await, None, "there is no file");
    let (one, other) = (place.file("one", b"11"), place.file("other", b"22"));
    for (source, print) in [
        (&one, Some(fingerprint(1))),
        (&other, Some(fingerprint(2))),
        (&one, None),
        (&other, Some(fingerprint(3))),
    ] {
        place.upload(source, path, print).await.unwrap();
        assert_eq!(found().await, print);
    }
    // Replaced by something that knows nothing of fingerprints.
    place.write(path, b"33").await;
    assert_eq!(found().await, None);
    assert_eq!(place.list("fingerprints").await, [("0001.png".to_owned(), 2)]);
    // In parts.
    let large = place.file("large with a fingerprint", &vec![b'x'; 17 * MIB]);
    place.upload(&large, path, Some(fingerprint(4))).await.unwrap();
    assert_eq!(found().await, Some(fingerprint(4)));
    let whole = place.storage.read_up_to(&place.at(path), 17 * MIB as u64).await.unwrap();
    assert_eq!(whole.map(|content| content.len()), Some(17 * MIB));
    let too_large = place.storage.read_up_to(&place.at(path), 17 * MIB as u64 - 1).await.unwrap();
    assert_eq!(too_large, None);
    // What is stored is the open file, whatever is found at its name by then.
    let source = File::open(&one).unwrap();
    fs::rename(&other, &one).unwrap();
    place.storage.upload(source, &place.at(path), None).await.unwrap();
    assert_eq!(place.read(path).await, b"11");
}

async fn what_is_not_there_is_missing(place: &Place) {
    let copy = place.files.join("copy of nothing");
    for path in ["tree/c", "nothing/there", "tree/a/b", "TREE/a"] {
        let nothing = place.at(path);
        let read = place.storage.read(&nothing, u64::MAX).await.map(drop);
        let localised = place.localise(&nothing, &copy).await.map(drop);
        for result in [read, localised] {
            let error = result.unwrap_err();
            assert!(matches!(error.failure(), Failure::Missing(_)), "{error:?}");
            assert_eq!(error.to_string(), format!("cannot read {nothing}"));
        }
    }
    assert!(!copy.exists());
}

async fn what_may_not_be_done_is_denied(place: &Place) {
    let (folder, file) = (place.at("denied"), place.at("denied/0001.png"));
    let copy = place.files.join("copy of a secret");
    let denied = |result: Result<(), StorageError>| {
        let error = result.unwrap_err();
        assert!(matches!(error.failure(), Failure::Denied(_)), "{error:?}");
        assert!(error.to_string().contains(&folder.to_string()), "{error}");
    };
    denied(place.storage.list(&folder).await.map(drop));
    denied(place.storage.read(&file, u64::MAX).await.map(drop));
    denied(place.localise(&file, &copy).await.map(drop));
    denied(place.storage.write(&file, Bytes::from_static(b"y")).await);
    let source = place.file("source", b"y");
    denied(place.upload(&source, "denied/0001.png", None).await.map(drop));
    denied(place.storage.list_names(&folder, between("0", "1")).await.map(drop));
    denied(place.storage.fingerprint(&file).await.map(drop));
    assert!(!copy.exists());
}

async fn a_small_file_is_localised(place: &Place) {
    for content in [&b""[..], b"small"] {
        let name = if content.is_empty() { "localised/empty" } else { "localised/small" };
        place.write(name, content).await;
        let copy = place.files.join("copy");
        let there = place.localise(&place.at(name), &copy).await.unwrap();
        assert!(there.is_absolute(), "Blender is started in a folder of its own");
        assert_eq!(fs::read(there).unwrap(), content);
        assert_eq!(place.read("localised/empty").await, b"", "what is localised stays");
    }
    assert!(!names(&place.files).iter().any(|name| name.contains("part")));
}

async fn a_large_file_comes_back_byte_for_byte(place: &Place, large: &Path) {
    let target = place.at("uploaded/large.bin");
    assert_eq!(
        place.storage.upload(File::open(large).unwrap(), &target, None).await.unwrap(),
        LARGE as u64
    );
    assert_eq!(place.list("uploaded").await, [("large.bin".to_owned(), LARGE as u64)]);
    let copy = place.files.join("copy of large");
    let there = place.localise(&target, &copy).await.unwrap();
    assert!(fs::read(there).unwrap() == fs::read(large).unwrap(), "the bytes differ");
}

async fn a_write_that_is_interrupted_changes_nothing(place: &Place, too_large: &Path) {
    for name in ["interrupted/replaced.bin", "interrupted/fresh.bin"] {
        let result = place.upload(too_large, name, Some(fingerprint(1))).await;
        let error = result.unwrap_err();
        assert!(matches!(error.failure(), Failure::Io(_) | Failure::Transient(_)), "{error:?}");
    }
    assert_eq!(place.list("interrupted").await, [("replaced.bin".to_owned(), 3)]);
    assert_eq!(place.read("interrupted/replaced.bin").await, b"old");
    for name in ["interrupted/replaced.bin", "interrupted/fresh.bin"] {
        assert_eq!(place.storage.fingerprint(&place.at(name)).await.unwrap(), None);
    }
}

async fn a_source_that_cannot_be_read_changes_nothing(place: &Place) {
    // A folder can be opened, and then not be read.
    place.upload(&place.files, "interrupted/replaced.bin", None).await.unwrap_err();
    assert_eq!(place.list("interrupted").await, [("replaced.bin".to_owned(), 3)]);
}

/// From now on this process cannot write files larger than that: the write in which it
/// tries fails half-way, as on a full disk.
fn limit_file_size(bytes: usize) {
    // Blocked, the signal leaves it at the error. The runtime's threads inherit that.
    SigSet::from(Signal::SIGXFSZ).thread_block().unwrap();
    let limit = format!("--fsize={bytes}");
    let pid = std::process::id().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap();
    assert!(status.success());
}

/// Bytes without a pattern, always the same.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
