//! The static build in nearly empty root file systems, as in an image `FROM scratch`, and in ones
//! with name service modules for another C library.
//!
//! `RENDER_WORKER_BIN` must name a static build. Without it these tests report that they were
//! skipped, because the build that Cargo makes for tests is dynamic.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;

use tempfile::TempDir;

use crate::support::s3_server::{Operation, S3Server};
use crate::support::{is_root, names, program};

/// Returns the path of the static build. Without one, reports that the test is skipped.
fn static_build(test: &str) -> Option<PathBuf> {
    if std::env::var_os("RENDER_WORKER_BIN").is_some() {
        return Some(program());
    }
    report(&format!("SKIPPED: {test}: RENDER_WORKER_BIN names no static build"));
    None
}

/// Prints to standard error directly: the test harness captures the output of `eprintln!`.
fn report(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

macro_rules! static_build {
    () => {
        match static_build(std::thread::current().name().unwrap_or_default()) {
            Some(program) => program,
            None => return,
        }
    };
}

// The file ------------------------------------------------------------------------------

const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;

/// A little-endian number in an ELF file.
fn number(bytes: &[u8], at: u64, size: usize) -> u64 {
    let at = usize::try_from(at).unwrap();
    bytes[at..at + size].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Returns offset and length of the segments of a kind in a 64-bit ELF file.
fn segments(bytes: &[u8], kind: u64) -> Vec<(u64, u64)> {
    assert!(bytes.starts_with(b"\x7fELF\x02\x01"), "not a 64-bit little-endian ELF file");
    let (table, size, count) = (number(bytes, 32, 8), number(bytes, 54, 2), number(bytes, 56, 2));
    let headers = (0..count).map(|n| table + n * size);
    let of_kind = headers.filter(|header| number(bytes, *header, 4) == kind);
    of_kind.map(|header| (number(bytes, header + 8, 8), number(bytes, header + 32, 8))).collect()
}

#[test]
fn the_binary_needs_neither_a_loader_nor_a_library() {
    let bytes = fs::read(static_build!()).unwrap();
    assert_eq!(
        segments(&bytes, PT_INTERP),
        [],
        "RENDER_WORKER_BIN is not static: it needs a loader"
    );
    for (start, length) in segments(&bytes, PT_DYNAMIC) {
        // A static position-independent executable has this segment, too, to relocate itself.
        let tags = (start..start + length).step_by(16).map(|at| number(&bytes, at, 8));
        assert_eq!(tags.filter(|tag| *tag == DT_NEEDED).count(), 0, "the binary needs libraries");
    }
}

#[test]
fn the_binary_is_smaller_than_20_mib() {
    let size = fs::metadata(static_build!()).unwrap().len();
    assert!(size < 20 * 1024 * 1024, "{size} bytes");
}

// Root file systems ---------------------------------------------------------------------

/// A root file system with the program and `/dev`. The worker looks for FFmpeg first, so there are
/// files in its place, which are never run.
struct Root {
    folder: TempDir,
}

/// The error for a host name that cannot be resolved.
const UNKNOWN: &str = "cannot resolve the host name";

impl Root {
    fn new(program: &Path) -> Self {
        let root = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(root.path("tmp")).unwrap();
        fs::create_dir(root.path("dev")).unwrap();
        root.file("bin/ffmpeg", "");
        root.file("bin/ffprobe", "");
        fs::copy(program, root.path("bin/render-worker")).unwrap();
        root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Creates an executable file and its folders.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let file = self.path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Stitches frames that do not exist on `server`, under the name `host`. Returns the exit code
    /// and the log.
    fn stitch(
        &self,
        server: &S3Server,
        host: &str,
        more: &[(&str, &str)],
    ) -> (Option<i32>, String) {
        let endpoint = server.endpoint().replace("127.0.0.1", host);
        // A user namespace gives other users the necessary capabilities.
        let user: &[&str] = if is_root() { &[] } else { &["-r"] };
        let output = Command::new("timeout")
            .args(["100", "unshare", "--mount"])
            .args(user)
            .args(["sh", "-c", "mount --rbind /dev \"$0/dev\" && exec chroot \"$0\" \"$@\""])
            .arg(self.folder.path())
            .args(["/bin/render-worker", "stitch", "-i", &server.uri("in")])
            .args(["-o", &server.uri("out")])
            .env_clear()
            // Inside of the root as well as for `timeout` and `unshare`.
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(server.env())
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_MAX_ATTEMPTS", "2")
            .envs(more.iter().copied())
            .output()
            .expect("chroot runs");
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(!log.contains("panicked"), "{log}");
        assert!(names(&self.path("tmp")).is_empty(), "{log}");
        (output.status.code(), log)
    }

    /// Asserts that the server is reached, and there are no frames.
    #[track_caller]
    fn reaches(&self, server: &S3Server, host: &str) {
        let before = server.count(Operation::ListObjectsV2);
        let (code, log) = self.stitch(server, host, &[]);
        assert_eq!(code, Some(66), "{host}: {log}");
        assert!(server.count(Operation::ListObjectsV2) > before, "{host}: {log}");
    }

    /// Asserts that the server is not reached, with a retryable exit code and the cause in the log.
    #[track_caller]
    fn fails_to_reach(&self, server: &S3Server, host: &str, why: &str) {
        let (code, log) = self.stitch(server, host, &[]);
        assert_eq!(code, Some(75), "{host}: {log}");
        assert!(log.contains(why), "{host}: {why:?} is not in {log}");
    }
}

const HOSTS: &str = "127.0.0.1 localhost\n127.0.0.1 s3.hosts.test\n";

#[test]
fn a_root_with_only_the_binary_and_name_resolution_is_enough() {
    let root = Root::new(&static_build!());
    let server = S3Server::start();
    root.file("etc/hosts", HOSTS);
    let dns = NameServer::start();
    if let Some(dns) = &dns {
        root.file("etc/resolv.conf", format!("nameserver {}\n", dns.address));
    }
    root.reaches(&server, "127.0.0.1");
    root.reaches(&server, "s3.hosts.test");
    if dns.is_some() {
        root.reaches(&server, NAME);
        root.fails_to_reach(&server, "s3.nowhere.test", UNKNOWN);
    }
}

/// Compiles a name service module that ends the process that loads it, with exit code 99.
fn module_that_exits() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (source, module) = (folder.path().join("module.c"), folder.path().join("module.so"));
    let exit = "__asm__ volatile(\"syscall\" :: \"a\"(231), \"D\"(99));";
    fs::write(&source, format!("__attribute__((constructor)) static void load(void) {{ {exit} }}"))
        .unwrap();
    let arguments = ["-shared", "-fPIC", "-nostdlib", "-o"];
    let status = Command::new("cc").args(arguments).args([&module, &source]).status();
    assert!(status.expect("cc runs, which Rust needs as well").success());
    fs::read(module).unwrap()
}

#[test]
fn name_service_modules_of_another_c_library_are_never_loaded() {
    let program = static_build!();
    let server = S3Server::start();
    let dns = NameServer::start();
    for module in [b"no library".to_vec(), module_that_exits()] {
        let root = Root::new(&program);
        root.file("etc/hosts", HOSTS);
        root.file("etc/nsswitch.conf", "passwd: files\nhosts: files resolve myhostname dns\n");
        if let Some(dns) = &dns {
            root.file("etc/resolv.conf", format!("nameserver {}\n", dns.address));
        }
        for name in ["libnss_resolve.so.2", "libnss_myhostname.so.2", "libnss_dns.so.2"] {
            root.file(&format!("lib/x86_64-linux-gnu/{name}"), &module);
        }
        fs::create_dir(root.path("usr")).unwrap();
        symlink("../lib", root.path("usr/lib")).unwrap();
        root.reaches(&server, "s3.hosts.test");
        if dns.is_some() {
            root.reaches(&server, NAME);
        }
        root.fails_to_reach(&server, "s3.nowhere.test", UNKNOWN);
    }
}

#[test]
fn in_an_empty_root_an_ip_address_works_and_a_host_name_is_an_explained_error() {
    let root = Root::new(&static_build!());
    let server = S3Server::start();
    root.reaches(&server, "127.0.0.1");
    root.fails_to_reach(&server, "s3.hosts.test", UNKNOWN);
}

#[test]
fn without_certificates_https_is_an_explained_error_and_with_them_it_works() {
    let root = Root::new(&static_build!());
    let server = S3Server::start_tls();
    let (code, log) = root.stitch(&server, "127.0.0.1", &[]);
    assert_eq!(code, Some(69), "{log}");
    assert!(log.contains("certificate"), "{log}");
    root.file("ca.pem", server.ca_pem());
    let (code, log) = root.stitch(&server, "127.0.0.1", &[("SSL_CERT_FILE", "/ca.pem")]);
    assert_eq!(code, Some(66), "{log}");
}

// A name server -------------------------------------------------------------------------

/// The only name that [`NameServer`] resolves, to 127.0.0.1.
const NAME: &str = "s3.dns.test";

/// A name server on an address of its own. Dropping it stops the server.
struct NameServer {
    address: Ipv4Addr,
    socket: UdpSocket,
    thread: Option<JoinHandle<()>>,
}

impl NameServer {
    /// Starts a name server on port 53, the only one that resolv.conf supports. Only root may.
    fn start() -> Option<Self> {
        if !is_root() {
            report("SKIPPED: names from a name server: only root may use port 53");
            return None;
        }
        // All of 127.0.0.0/8 is this machine: choose an address that no other test uses.
        let [.., low] = std::process::id().to_be_bytes();
        let mut addresses = (1..255).map(|n| Ipv4Addr::new(127, 53, low, n));
        let socket = addresses.find_map(|address| UdpSocket::bind((address, 53)).ok());
        let socket = socket.expect("an address with a free port 53");
        let std::net::SocketAddr::V4(address) = socket.local_addr().unwrap() else { return None };
        let listener = socket.try_clone().unwrap();
        let thread = std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length @ 1.., client)) = listener.recv_from(&mut query) {
                listener.send_to(&respond(&query[..length]), client).unwrap();
            }
        });
        Some(Self { address: *address.ip(), socket, thread: Some(thread) })
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        // An empty query ends the thread.
        _ = self.socket.send_to(&[], (self.address, 53));
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

/// Returns the response to a query with one question (RFC 1035, section 4).
fn respond(query: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    let name_length = query[HEADER..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let (name, rest) = query[HEADER..].split_at(name_length);
    let known: Vec<u8> = NAME
        .split('.')
        .flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat())
        .chain([0])
        .collect();
    let is_known = name.eq_ignore_ascii_case(&known);
    let wants_v4 = rest.starts_with(&[0, 1]);
    let found = u8::from(is_known && wants_v4);
    let mut response = query[..2].to_vec();
    // An authoritative response; recursion is available; no error, or no such name.
    response.extend([0x85, if is_known { 0x80 } else { 0x83 }]);
    response.extend([0, 1, 0, found, 0, 0, 0, 0]);
    response.extend(&query[HEADER..HEADER + name_length + 4]);
    if found == 1 {
        // A reference to the name in the question, type A, class IN, TTL 1 s, four bytes.
        response.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    response
}
