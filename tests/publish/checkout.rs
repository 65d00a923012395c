//! A git repository with the scripts of this project and a minimal Dockerfile, and runs of the
//! scripts in it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::cloud::{self, Cloud};

/// A Dockerfile with the build arguments of the real one.
const DOCKERFILE: &str = "\
FROM scratch
ARG VERSION
ARG REVISION
ARG BRANCH
ARG CREATED
LABEL version=$VERSION revision=$REVISION branch=$BRANCH created=$CREATED
COPY Cargo.toml /
";

/// The installed `docker buildx`.
pub enum Buildx {
    /// None.
    Missing,
    /// The real one with the builder of the engine.
    OfTheEngine,
    /// A stand-in for a builder of images for both architectures.
    ForBoth,
}

/// The repository, in the user's home.
pub struct Checkout {
    folder: TempDir,
}

impl Checkout {
    /// Creates a repository with one commit on the branch `main`, without docker buildx.
    pub fn new() -> Self {
        let checkout = Self { folder: tempfile::tempdir().expect("a folder") };
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(checkout.root().join("deploy")).expect("a folder");
        for file in ["publish", "metadata", "commands.bash", "platforms.bash"]
            .map(|name| format!("deploy/{name}"))
        {
            fs::copy(source.join(&file), checkout.root().join(&file)).expect("a copy");
        }
        checkout.write("Cargo.toml", "[package]\nname = \"worker\"\nversion = \"0.1.0\"\n");
        checkout.write("Dockerfile", DOCKERFILE);
        checkout.git("init --quiet --initial-branch main");
        checkout.commit();
        checkout.buildx(&Buildx::Missing);
        checkout
    }

    /// Returns the path of the repository, which needs quotes in a shell.
    pub fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("the checkout")
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.root().join(name), text).expect("a file");
    }

    /// Runs git and returns its output.
    pub fn git(&self, words: &str) -> String {
        let output = Command::new("git")
            .current_dir(self.root())
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
            .args(words.split_whitespace())
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// Commits everything and returns the revision.
    pub fn commit(&self) -> String {
        self.git("add --all");
        self.git("commit --quiet --allow-empty --message step");
        self.revision()
    }

    /// Returns the hash of the commit.
    pub fn revision(&self) -> String {
        self.git("rev-parse HEAD")
    }

    /// Returns the image tag of the commit.
    pub fn tag(&self) -> String {
        self.revision()[..12].to_owned()
    }

    /// Changes the installed docker buildx.
    pub fn buildx(&self, which: &Buildx) {
        let plugins = self.folder.path().join("docker/cli-plugins");
        fs::create_dir_all(&plugins).expect("a folder");
        let stand_ins = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/publish/stand-ins");
        let target = match which {
            // A broken plugin hides another one further down the search path.
            Buildx::Missing => "/bin/false".into(),
            Buildx::OfTheEngine => cloud::tools().join("bin/docker-buildx"),
            Buildx::ForBoth => stand_ins.join("docker-buildx"),
        };
        let plugin = plugins.join("docker-buildx");
        if plugin.is_symlink() {
            fs::remove_file(&plugin).expect("a removable link");
        }
        symlink(target, plugin).expect("a link");
    }

    /// A command line of `deploy/publish` without credentials.
    pub fn publish_as_nobody(&self, words: &str) -> Script {
        self.script("deploy/publish").args(words)
    }

    /// A command line of `deploy/publish` with credentials for an account.
    pub fn publish(&self, cloud: &Cloud, words: &str) -> Script {
        self.publish_as_nobody(words).envs(cloud.env())
    }

    /// A command line of lines pasted into a shell in the user's home.
    pub fn shell(&self, lines: &str) -> Script {
        let mut command = Command::new("bash");
        command.args(["-c", lines]);
        let mut script = self.prepared(command);
        script.command.current_dir(self.folder.path());
        script
    }

    /// A command line of a script of this repository.
    pub fn script(&self, name: &str) -> Script {
        self.prepared(Command::new(self.root().join(name)))
    }

    /// Sets an environment with only the necessary variables.
    fn prepared(&self, mut command: Command) -> Script {
        command
            .current_dir(self.root())
            .env_clear()
            .env("PATH", cloud::path())
            .env("HOME", self.folder.path())
            .env("DOCKER_CONFIG", self.folder.path().join("docker"))
            .env("REAL_BUILDX", cloud::tools().join("bin/docker-buildx"))
            .stdin(Stdio::null());
        if let Some(host) = std::env::var_os("DOCKER_HOST") {
            command.env("DOCKER_HOST", host);
        }
        Script { command }
    }
}

/// The command line of a script.
pub struct Script {
    command: Command,
}

impl Script {
    /// Adds arguments, split at spaces.
    pub fn args(mut self, words: &str) -> Self {
        self.command.args(words.split_whitespace());
        self
    }

    /// Sets a variable.
    pub fn env(self, name: &'static str, value: &str) -> Self {
        self.envs(vec![(name, value.to_owned())])
    }

    /// Sets variables.
    pub fn envs(mut self, variables: Vec<(&'static str, String)>) -> Self {
        self.command.envs(variables);
        self
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Run {
        let output = self.command.output().expect("the script runs");
        Run {
            exit: output.status.code().expect("an exit code"),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// The result of a run of a script.
pub struct Run {
    exit: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, code, "wrong exit code; the output:\n{}{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error contains each of these texts.
    #[track_caller]
    pub fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} is not in:\n{}", self.stderr);
        }
        self
    }

    /// Asserts that standard error contains none of these texts. The script prints each command
    /// before it runs it, so a text can be a command that was not run.
    #[track_caller]
    pub fn never_prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(!self.stderr.contains(text), "{text:?} is in:\n{}", self.stderr);
        }
        self
    }
}
