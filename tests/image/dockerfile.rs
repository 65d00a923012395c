//! The build arguments of the Dockerfile: other sources of Blender.
//!
//! These tests build stages of the image on the network of this machine, where a server provides
//! a fake release of Blender.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::container::{Container, container_of, unique_name};
use crate::support::engine::{docker, image, printed};
use crate::support::fixture;

/// An image that a test builds. Dropping it removes the image.
struct Built(String);

impl Built {
    /// Chooses a name; the image is not built yet.
    fn new() -> Self {
        Self(unique_name())
    }

    /// Builds the image with the Dockerfile.
    fn build(&self, options: &str, arguments: &[(&str, &str)]) -> Output {
        let mut words = vec!["build".to_owned(), "--network=host".to_owned()];
        words.extend(["--force-rm".to_owned(), "--tag".to_owned(), self.0.clone()]);
        words.extend(options.split_whitespace().map(str::to_owned));
        words.extend(arguments.iter().map(|(name, value)| format!("--build-arg={name}={value}")));
        words.push(env!("CARGO_MANIFEST_DIR").to_owned());
        docker(words)
    }

    fn container(&self) -> Container {
        container_of(&self.0)
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        docker(["image", "rm", "--force", &self.0]);
    }
}

/// A mirror of blender.org on this machine with one release, 9.9.9: a shell script that prints its
/// version.
struct Mirror {
    url: String,
    sha256: String,
    _folder: TempDir,
}

const RELEASE: &str = "blender-9.9.9-linux-x64";

impl Mirror {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let unpacked = folder.path().join(RELEASE);
        fs::create_dir(&unpacked).unwrap();
        fs::write(unpacked.join("blender"), "#!/bin/sh\necho Blender 9.9.9\n").unwrap();
        let tarball = folder.path().join(format!("{RELEASE}.tar.xz"));
        let mut tar = Command::new("tar");
        tar.args(["--mode=755", "-cJf"]).arg(&tarball).arg("-C").arg(folder.path()).arg(RELEASE);
        printed(tar.output().expect("tar runs"));
        let sum = printed(Command::new("sha256sum").arg(&tarball).output().expect("it runs"));
        let sha256 = sum.split_whitespace().next().unwrap().to_owned();
        let url = serve(format!("/Blender9.9/{RELEASE}.tar.xz"), fs::read(tarball).unwrap());
        Self { url, sha256, _folder: folder }
    }

    /// Builds a stage that fetches the release.
    fn fetch(&self, stage: &str, image: &Built, sha256: &str) -> Output {
        let sum = ("BLENDER_SHA256", sha256);
        let mirror = ("BLENDER_MIRROR", self.url.as_str());
        let release = [("BLENDER", "official"), ("BLENDER_VERSION", "9.9.9"), mirror, sum];
        image.build(&format!("--target {stage}"), &release)
    }
}

/// Serves one file over HTTP until the test process ends. Returns the URL of the server.
fn serve(path: String, content: Vec<u8>) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("the address of the listener");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            // The head of a request ends with an empty line.
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let found = request.split(' ').nth(1) == Some(&path);
            let (status, body) =
                if found { ("200 OK", &content[..]) } else { ("404 None", &[][..]) };
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            // Fails if the client has closed the connection.
            _ = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(body));
        }
    });
    format!("http://{address}")
}

#[track_caller]
fn refused(output: &Output, texts: &[&str]) {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(!output.status.success(), "{text}");
    for part in texts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn an_official_release_with_the_right_checksum_replaces_debians_blender() {
    let (mirror, image) = (Mirror::start(), Built::new());
    printed(mirror.fetch("runtime", &image, &mirror.sha256));
    assert_eq!(printed(image.container().output_of("blender")), "Blender 9.9.9\n");
    let ffmpeg = printed(image.container().arg("-version").output_of("ffmpeg"));
    assert!(ffmpeg.starts_with("ffmpeg version"), "{ffmpeg}");
    printed(image.container().arg("-c").arg("test ! -e /usr/bin/blender").output_of("sh"));
}

#[test]
fn a_release_with_a_wrong_checksum_is_refused_and_both_checksums_are_named() {
    let (mirror, image) = (Mirror::start(), Built::new());
    let wrong = "0123456789abcdef".repeat(4);
    refused(&mirror.fetch("blender", &image, &wrong), &[&wrong, &mirror.sha256, "BLENDER_SHA256"]);
}

#[test]
fn a_release_without_a_checksum_is_refused() {
    let (mirror, image) = (Mirror::start(), Built::new());
    refused(&mirror.fetch("blender", &image, ""), &["BLENDER_SHA256 is not set"]);
}

#[test]
fn invalid_build_arguments_are_refused_with_the_valid_ones() {
    let image = Built::new();
    let stage = |arguments: &[(&str, &str)]| image.build("--target blender", arguments);
    refused(&stage(&[("BLENDER", "blender.org")]), &["BLENDER=blender.org", "wheel, official"]);
    refused(&stage(&[("BLENDER_VERSION", "2.79")]), &["Blender 2.79", "4.5.15", "5.2.3"]);
    refused(&stage(&[("GPU", "cuda")]), &["GPU=cuda", "with or without"]);
    let debian = ("BLENDER", "debian");
    refused(&stage(&[debian, ("GPU", "without")]), &["GPU=without is for BLENDER=wheel"]);
    refused(&stage(&[debian, ("BLENDER_VERSION", "4.3.2")]), &["BLENDER_VERSION=4.3.2", "BASE"]);
    refused(&stage(&[("BLENDER_SHA256", "0")]), &["BLENDER_SHA256 is for BLENDER=official"]);
}

#[test]
fn a_wheel_on_a_debian_without_its_python_is_refused_with_the_right_base() {
    let image = Built::new();
    let built = image.build("--target packages", &[("BLENDER_VERSION", "4.5.15")]);
    refused(&built, &["python3.11", "BASE=debian:bookworm-slim"]);
}

/// A program that is a shell script.
type Script<'a> = (&'a str, &'a str);

/// Builds an image from another one, with scripts as additional programs.
fn with_scripts(base: &str, scripts: &[Script]) -> Built {
    let context = tempfile::tempdir().unwrap();
    let mut file = format!("FROM {base}\nUSER root\n");
    for (name, script) in scripts {
        let path = context.path().join(name);
        fs::write(&path, format!("#!/bin/sh -e\n{script}\n")).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        writeln!(file, "COPY {name} /usr/local/bin/").unwrap();
    }
    fs::write(context.path().join("Dockerfile"), file).unwrap();
    let image = Built::new();
    printed(docker(["build", "--tag", &image.0, context.path().to_str().unwrap()]));
    image
}

#[test]
fn the_runtime_can_be_any_image_with_blender_and_ffmpeg() {
    // A fake cargo that installs the worker of the image under test.
    let rust = with_scripts(
        image(),
        &[
            ("rustc", "echo host: this-machine"),
            ("cargo", "install -D /usr/local/bin/render-worker -t target/this-machine/release"),
        ],
    );
    let blender = ("blender", "echo Blender 9.9.9 of another image; exit 3");
    let runtime = with_scripts("debian:trixie-slim", &[blender]);
    let built = Built::new();
    printed(built.build("", &[("RUST", &rust.0), ("RUNTIME", &runtime.0)]));
    let render = built.container().volume(&fixture("scenes"), "/scenes:ro");
    let run = render.args("render -i /scenes/tiny.blend -o /tmp/out -f 1").run();
    run.exits(70).logs(&["Blender 9.9.9 of another image"]);
}
