//! A fake Amazon ECR account for one test: moto, a registry, and `front` as their proxy.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::front::{Front, REGION};

/// The limit for every wait: longer than any event takes, even on a busy machine.
pub const LONG: Duration = Duration::from_mins(2);

/// The user AWS with moto's password for every account (`123456789012-auth-token`), and with
/// another one.
const LOGIN: &str = "AWS:$2b$04$ELXaMtASu6b5gaPr6zAfQ..yb3i4iBpGJpw95r6DpgP8GG3TSMnPG";
const OTHER_LOGIN: &str = "AWS:$2b$04$zPetsktwkTuJBVdxIocKK.XPK0GtuZkxghcsHFyy8nfZTrIXY7bXa";

/// Returns the folder of the tools that `.ci/tools-publish` installs.
pub fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/publish-tools")
}

/// Returns `PATH` with the AWS CLI first.
pub fn path() -> String {
    let path = std::env::var("PATH").expect("a path");
    format!("{}:{path}", tools().join("venv/bin").display())
}

/// The account. Dropping it stops its servers.
pub struct Cloud {
    pub front: Front,
    /// Dropped with the account.
    _servers: [Service; 2],
    _folder: TempDir,
}

impl Cloud {
    /// Starts an empty account.
    pub fn start() -> Self {
        Self::with_login(LOGIN)
    }

    /// Starts an account with a registry that rejects the password of the API.
    pub fn that_refuses_the_login() -> Self {
        Self::with_login(OTHER_LOGIN)
    }

    fn with_login(login: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let moto = Service::start(
            Command::new(tools().join("venv/bin/moto_server")).args(["-p", "0"]),
            &folder.path().join("moto.log"),
            "Running on http://",
        );
        fs::write(folder.path().join("htpasswd"), login).expect("a file");
        let settings = json!({
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": folder.path().join("registry")}},
            "auth": {"htpasswd": {"realm": "test", "path": folder.path().join("htpasswd")}},
            "http": {"addr": "127.0.0.1:0"},
        });
        let file = folder.path().join("registry.yml");
        fs::write(&file, settings.to_string()).expect("a file");
        let registry = Service::start(
            Command::new(tools().join("bin/docker-registry")).arg("serve").arg(file),
            &folder.path().join("registry.log"),
            "listening on ",
        );
        let front = Front::start(moto.address, registry.address);
        Self { front, _servers: [moto, registry], _folder: folder }
    }

    /// Returns the environment that gives a program access to this account.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.front.address)),
        ]
    }

    /// Returns the API's description of a repository.
    pub fn repository(&self, region: &str, name: &str) -> Value {
        let request = json!({"repositoryNames": [name]});
        let mut found = self.front.other_user().call(region, "DescribeRepositories", &request);
        found["repositories"][0].take()
    }

    /// Returns the digest of a tag in the API; `None` if the tag does not exist.
    pub fn digest(&self, repository: &str, tag: &str) -> Option<String> {
        let request = json!({"repositoryName": repository});
        let images = self.front.other_user().call(REGION, "DescribeImages", &request);
        let images = images["imageDetails"].as_array().expect("a list").clone();
        let found = images.iter().find(|image| {
            image["imageTags"].as_array().is_some_and(|tags| tags.contains(&tag.into()))
        });
        found.map(|image| image["imageDigest"].as_str().expect("a digest").to_owned())
    }

    /// Returns the digest and content of a manifest in the registry.
    pub fn manifest(&self, repository: &str, reference: &str) -> (String, Value) {
        let (digest, manifest) = self.front.stored(&format!("{repository}/manifests/{reference}"));
        (digest, serde_json::from_slice(&manifest).expect("JSON"))
    }

    /// Returns the labels of an image in the registry.
    pub fn labels(&self, repository: &str, manifest: &Value) -> Value {
        let config = manifest["config"]["digest"].as_str().expect("a config");
        let (_, config) = self.front.stored(&format!("{repository}/blobs/{config}"));
        let config: Value = serde_json::from_slice(&config).expect("JSON");
        config["config"]["Labels"].clone()
    }

    /// Returns all requests that change the account.
    pub fn changes(&self) -> Vec<String> {
        let changing = |request: &String| {
            let verb = request.split(' ').next().expect("a word");
            ["CreateRepository", "PutImage", "POST", "PUT", "PATCH"].contains(&verb)
                // Requests to STS are POSTs as well.
                && request != "POST /"
        };
        self.front.log().into_iter().filter(changing).collect()
    }
}

impl Drop for Cloud {
    /// Removes the images that were built for this account.
    fn drop(&mut self) {
        let images = Command::new("docker")
            .args(["images", "--format", "{{.Repository}}:{{.Tag}}"])
            .arg(format!("--filter=reference={}/*", self.front.address))
            .arg(format!("--filter=reference={}/*/*", self.front.address))
            .output();
        let names = images.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        for name in names.unwrap_or_default().lines() {
            drop(Command::new("docker").args(["image", "rm", "--force", name]).output());
        }
    }
}

/// A server process.
struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    /// Starts the server, and waits until its log has the address.
    fn start(command: &mut Command, log: &Path, announcement: &str) -> Self {
        let file = File::create(log).expect("a file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file"))
            .stderr(file)
            .spawn()
            .expect("a server that make test-publish installs");
        let mut service = Self { child, address: ([127, 0, 0, 1], 0).into() };
        let deadline = Instant::now() + LONG;
        loop {
            let text = fs::read_to_string(log).expect("a log");
            let address = text.split(announcement).nth(1).and_then(|rest| {
                rest.split_once(|end: char| end != '.' && end != ':' && !end.is_ascii_digit())
            });
            if let Some((address, _)) = address {
                service.address = address.parse().expect("an address");
                return service;
            }
            assert!(Instant::now() < deadline, "the server does not listen:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
