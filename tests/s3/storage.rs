//! The contract of [`Storage`]: one list of clauses for every kind of location.
//!
//! The clauses need a process of their own: it reads credentials from its environment, limits the
//! size of its files, and gives up privileges for good. So each test starts this test binary again,
//! which runs [`clauses`].

use std::fs::{self, File, Permissions};
use std::num::NonZeroU32;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use nix::sys::signal::{SigSet, Signal};
use render_worker::request::{Location, Transfers};
use render_worker::storage::{
    Failure, Fingerprint, NameRange, Storage, StorageError, TransferProgress,
};
use tempfile::TempDir;

use crate::support::names;
use crate::support::s3_server::{Fault, Operation, Request, S3Server};

const MIB: usize = 1024 * 1024;

/// The size of a large object in bytes: several parts on S3, the last one incomplete.
const LARGE: usize = 40 * MIB + 7;

/// An unprivileged user, for tests that run as root.
const NOBODY: u32 = 65534;

/// Names that code might wrongly decode, encode, split or normalise.
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

/// The names and sizes of the files in `tree/`.
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
    create_fixtures(put);
    // A dead link and a file that is still being written are not listed.
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
    create_fixtures(|name, bytes| server.put(&format!("root/{name}"), bytes));
    // The marker of a folder in the S3 console, and keys that only look like paths.
    server.put("root/tree/", b"");
    server.put("root/tree//slash", b"x");
    server.put("root/tree/../up", b"x");
    // macOS creates such files beside copies.
    server.put("root/tree/._0001.png", b"x");
    server.put("root/trees", b"a name with the same beginning");
    let denied =
        |request: &Request| request.key.contains("/denied/") || request.query.contains("denied%2F");
    server.inject(Fault::on_any().when(denied).respond(403, "AccessDenied"));
    let second = |request: &Request| request.part_number() == Some(2);
    let upload = Fault::on(Operation::UploadPart).key("/interrupted/").when(second);
    server.inject(upload.reset());

    let folder = tempfile::tempdir().unwrap();
    run_clauses(&server.uri("root"), &server.env(), &folder).unwrap();
    assert_eq!(server.keys("root/interrupted/"), ["root/interrupted/replaced.bin"]);
    assert_eq!(server.open_uploads(), [""; 0]);

    let requests = server.requests();
    let of = |key: &str, operation: Operation| -> Vec<&Request> {
        let wanted = |r: &&Request| r.key.ends_with(key) && r.operation == operation;
        requests.iter().filter(wanted).collect()
    };
    // The first request to an object already returns everything that is needed.
    assert_eq!(server.count(Operation::HeadBucket), 0);
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
    assert_eq!(ranges.len(), 1 + rest.div_ceil(8 * MIB), "the beginning and the other parts");
    let (second, third) = (ranges[1], ranges[2]);
    assert!(Some(third.started) < second.finished, "parts are not fetched concurrently");
    for put in of("0001.png", Operation::PutObject) {
        assert!(put.header("x-amz-checksum-crc32").is_some(), "{put:?}");
    }
}

/// Creates the files that the clauses expect in a location.
fn create_fixtures(put: impl Fn(&str, &[u8])) {
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

/// Runs [`clauses`] on the location `root`, as an unprivileged user who owns `folder`.
fn run_clauses(root: &str, env: &[(&str, String)], folder: &TempDir) -> Result<(), String> {
    // Not by its path, which another user may not be allowed to read.
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["--exact", "s3::storage::clauses", "--ignored"])
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
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let passed = output.status.success() && text.contains("1 passed");
    if passed { Ok(()) } else { Err(text) }
}

/// The contract. Needs the process that [`run_clauses`] prepares.
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
        written_content_is_read_back(&place).await;
        an_existing_file_is_replaced(&place).await;
        a_file_that_changes_while_it_is_uploaded_is_not_stored(&place, &large).await;
        a_listing_has_the_direct_children(&place).await;
        a_listing_is_complete(&place).await;
        the_listing_of_a_tree_has_what_is_below(&place).await;
        a_listing_can_be_limited_to_a_range_of_names(&place).await;
        an_opened_file_has_its_beginning_and_size(&place, &large).await;
        a_fingerprint_belongs_to_the_content_that_it_was_stored_with(&place).await;
        a_file_that_does_not_exist_is_missing(&place).await;
        without_permission_everything_is_denied(&place).await;
        a_small_file_is_fetched(&place).await;
        a_large_file_is_stored_and_fetched_unchanged(&place, &large).await;
        an_interrupted_upload_changes_nothing(&place, &too_large).await;
        a_source_that_cannot_be_read_changes_nothing(&place).await;
    });
}

/// The location under test.
struct Place {
    storage: Storage,
    root: Location,
    /// A folder on this machine.
    files: PathBuf,
}

impl Place {
    /// Returns a path in the location.
    fn at(&self, path: &str) -> Location {
        self.root.join(path)
    }

    /// Creates a file on this machine.
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

    /// Uploads a file of this machine.
    async fn upload(
        &self,
        source: &Path,
        path: &str,
        fingerprint: Option<Fingerprint>,
    ) -> Result<u64, StorageError> {
        self.storage.upload(File::open(source).unwrap(), &self.at(path), fingerprint).await
    }

    /// Opens a file of the location and fetches it to this machine.
    async fn localise(&self, file: &Location, copy: &Path) -> Result<PathBuf, StorageError> {
        let opened = self.storage.open(file).await?;
        self.storage.localise(&opened, copy).await
    }

    /// Lists a folder: names and sizes, sorted.
    async fn list(&self, folder: &str) -> Vec<(String, u64)> {
        let entries = self.storage.list(&self.at(folder)).await.unwrap();
        let mut list: Vec<_> = entries.into_iter().map(|entry| (entry.name, entry.size)).collect();
        list.sort();
        list
    }
}

async fn written_content_is_read_back(place: &Place) {
    for content in [&b""[..], b"x", &noise(70_001)] {
        place.write("written/0001.png", content).await;
        assert_eq!(place.read("written/0001.png").await, content);
    }
    for name in ODD_NAMES {
        place.write(&format!("odd/{name}"), name.as_bytes()).await;
    }
    for name in ODD_NAMES {
        assert_eq!(place.read(&format!("odd/{name}")).await, name.as_bytes(), "{name:?}");
        // The same name for a folder.
        place.write(&format!("odd folders/{name}/{name}"), b"x").await;
        let there = place.list(&format!("odd folders/{name}")).await;
        assert_eq!(there, [(name.to_owned(), 1)]);
    }
    let mut expected = ODD_NAMES.map(|name| (name.to_owned(), name.len() as u64));
    expected.sort();
    assert_eq!(place.list("odd").await, expected);
}

async fn an_existing_file_is_replaced(place: &Place) {
    place.write("replaced/video.mp4", b"the first one").await;
    place.write("replaced/video.mp4", b"second").await;
    assert_eq!(place.read("replaced/video.mp4").await, b"second");
    // The caller expects at most 5 bytes, but the file has become larger.
    let error = place.storage.read(&place.at("replaced/video.mp4"), 5).await.unwrap_err();
    assert!(matches!(error.failure(), Failure::Transient(_)), "{error:?}");
    let third = place.file("third", b"3");
    let bytes = place.upload(&third, "replaced/video.mp4", None).await.unwrap();
    assert_eq!((bytes, place.read("replaced/video.mp4").await), (1, b"3".to_vec()));
    assert_eq!(place.list("replaced").await, [("video.mp4".to_owned(), 1)]);
}

async fn a_file_that_changes_while_it_is_uploaded_is_not_stored(place: &Place, large: &Path) {
    let small = place.file("small", b"small");
    for (source, name) in [(small.as_path(), "changed/few"), (large, "changed/many")] {
        let to = place.at(name);
        let upload = async |is_unchanged: bool| {
            let (file, progress) = (File::open(source).unwrap(), TransferProgress::default());
            let is_unchanged = move |_: &File| is_unchanged;
            place.storage.upload_unchanged(file, &to, is_unchanged, &progress).await
        };
        let error = upload(false).await.unwrap_err();
        assert!(matches!(error.failure(), Failure::Transient(_)), "{error:?}");
        let error = place.storage.open(&to).await.unwrap_err();
        assert!(matches!(error.failure(), Failure::Missing(_)), "{error:?}");
        let size = fs::metadata(source).unwrap().len();
        assert_eq!(upload(true).await.unwrap(), size);
        assert_eq!(place.storage.open(&to).await.unwrap().size, size);
    }
}

async fn a_listing_has_the_direct_children(place: &Place) {
    let expected = TREE.map(|(name, size)| (name.to_owned(), size));
    assert_eq!(place.list("tree").await, expected);
    assert_eq!(place.list("tree/below").await, [("deep".to_owned(), 1)]);
    assert_eq!(place.list("nothing/there").await, []);

    // S3 returns whole seconds, and file systems have coarse clocks.
    let granularity = Duration::from_secs(1);
    let before = SystemTime::now() - granularity;
    place.write("modified/0001.png", b"x").await;
    let after = SystemTime::now() + granularity;
    for entry in place.storage.list(&place.at("modified")).await.unwrap() {
        assert!((before..=after).contains(&entry.modified), "{entry:?}");
    }
}

async fn the_listing_of_a_tree_has_what_is_below(place: &Place) {
    let listed = place.storage.list_tree(&place.at("tree")).await.unwrap();
    let mut found: Vec<_> =
        listed.iter().map(|(entry, _)| (entry.name.as_str(), entry.size)).collect();
    found.sort_unstable();
    let mut expected = TREE.to_vec();
    expected.push(("below/deep", 1));
    expected.sort_unstable();
    assert_eq!(found, expected);
    let is_s3 = matches!(place.root, Location::S3 { .. });
    assert!(listed.iter().all(|(_, etag)| etag.is_some() == is_s3));
    assert_eq!(place.storage.list_tree(&place.at("nothing/there")).await.unwrap(), []);
    assert_eq!(place.storage.list_tree(&place.at("many")).await.unwrap().len(), 2_500);
}

async fn a_listing_is_complete(place: &Place) {
    let expected: Vec<_> = (0..2_500).map(|number| (format!("{number:04}.png"), 1)).collect();
    assert_eq!(place.list("many").await, expected);
}

fn between(after: &str, before: &str) -> NameRange {
    NameRange { after: after.to_owned(), before: Some(before.to_owned()), expected: None }
}

async fn a_listing_can_be_limited_to_a_range_of_names(place: &Place) {
    for (names, first, last) in [
        (between("0007", "0009/"), 7, 9),
        (between("0007.png", "0009.png"), 8, 8),
        (between("0000", "0010/"), 0, 10),
        (NameRange { after: "2497".to_owned(), ..NameRange::all() }, 2497, 2499),
        (NameRange { before: Some("0001".to_owned()), ..NameRange::all() }, 0, 0),
        // Fewer, more and exactly as many as expected; more than S3 lists in one page.
        (NameRange { expected: Some(0), ..between("0007", "0009/") }, 7, 9),
        (NameRange { expected: Some(2), ..between("0007", "0009/") }, 7, 9),
        (NameRange { expected: Some(3), ..between("0007", "0009/") }, 7, 9),
        (NameRange { expected: Some(4), ..between("0007", "0009/") }, 7, 9),
        (NameRange { expected: Some(1), ..between("0000", "1500/") }, 0, 1500),
        (NameRange { expected: Some(u32::MAX), ..between("0000", "1500/") }, 0, 1500),
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

async fn an_opened_file_has_its_beginning_and_size(place: &Place, large: &Path) {
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
    let content = noise(LARGE);
    assert!(content.starts_with(&opened.start));
    for (start, end) in [(0, 1), (5, 5), (LARGE - 100, LARGE), (3_000_000, 3_500_000)] {
        let range = place.storage.read_range(&opened, start as u64, end as u64).await.unwrap();
        assert!(range == content[start..end], "{start} to {end}");
    }
    let beyond = place.storage.read_range(&opened, 1, LARGE as u64 + 1).await.unwrap_err();
    assert!(matches!(beyond.failure(), Failure::Transient(_)), "{beyond:?}");

    // The beginning of one version is never combined with the rest of another one.
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

async fn a_fingerprint_belongs_to_the_content_that_it_was_stored_with(place: &Place) {
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
    // Replaced by a program without fingerprints.
    place.write(path, b"33").await;
    assert_eq!(found().await, None);
    assert_eq!(place.list("fingerprints").await, [("0001.png".to_owned(), 2)]);
    // A file that is uploaded in parts.
    let large = place.file("large with a fingerprint", &vec![b'x'; 17 * MIB]);
    place.upload(&large, path, Some(fingerprint(4))).await.unwrap();
    assert_eq!(found().await, Some(fingerprint(4)));
    let whole = place.storage.read_up_to(&place.at(path), 17 * MIB as u64).await.unwrap();
    assert_eq!(whole.map(|content| content.len()), Some(17 * MIB));
    let too_large = place.storage.read_up_to(&place.at(path), 17 * MIB as u64 - 1).await.unwrap();
    assert_eq!(too_large, None);
    // The open file is stored, even if another file has its name by then.
    let source = File::open(&one).unwrap();
    fs::rename(&other, &one).unwrap();
    place.storage.upload(source, &place.at(path), None).await.unwrap();
    assert_eq!(place.read(path).await, b"11");
}

async fn a_file_that_does_not_exist_is_missing(place: &Place) {
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

async fn without_permission_everything_is_denied(place: &Place) {
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

async fn a_small_file_is_fetched(place: &Place) {
    for content in [&b""[..], b"small"] {
        let name = if content.is_empty() { "localised/empty" } else { "localised/small" };
        place.write(name, content).await;
        let copy = place.files.join("copy");
        let there = place.localise(&place.at(name), &copy).await.unwrap();
        assert!(there.is_absolute(), "Blender has another working directory");
        assert_eq!(fs::read(there).unwrap(), content);
        assert_eq!(place.read("localised/empty").await, b"", "the stored file is kept");
    }
    assert!(!names(&place.files).iter().any(|name| name.contains("part")));
}

async fn a_large_file_is_stored_and_fetched_unchanged(place: &Place, large: &Path) {
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

async fn an_interrupted_upload_changes_nothing(place: &Place, too_large: &Path) {
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
    // A folder can be opened, but not read.
    place.upload(&place.files, "interrupted/replaced.bin", None).await.unwrap_err();
    assert_eq!(place.list("interrupted").await, [("replaced.bin".to_owned(), 3)]);
}

/// Limits the size of files that this process can write. The write that exceeds the limit fails
/// halfway, as on a full disk.
fn limit_file_size(bytes: usize) {
    // With the signal blocked, the write returns an error. The runtime's threads inherit the mask.
    SigSet::from(Signal::SIGXFSZ).thread_block().unwrap();
    let limit = format!("--fsize={bytes}");
    let pid = std::process::id().to_string();
    let status = Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap();
    assert!(status.success());
}

/// Returns pseudo-random bytes, the same ones each time.
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
