//! An account on AWS, as moto has it: the stack `render` is in it, and a scene in its bucket.
//!
//! Nothing runs: jobs end as they are submitted, all of them the same way, and none waits for
//! another. What moto is given of a job it tells again, but for processors and memory, the share
//! and retries; it tells neither log configurations nor exit codes nor reasons, and of the
//! children of an array their ids, but not their indices. Nobody is refused for want of rights.

use std::env;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::iter;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::scene;
use crate::{TEMPLATE, TOOLS, project, said, tool};

pub struct Moto {
    server: Child,
    /// What `template.py` tells of it.
    told: Value,
}

impl Moto {
    /// The one for all tests, whose jobs succeed.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(""))
    }

    /// One of its own, whose jobs fail.
    pub fn with_failing_jobs() -> Self {
        Self::start("0")
    }

    /// Its jobs fail after so many seconds; if that is empty, they succeed.
    fn start(fail_after: &str) -> Self {
        let mut command = tool("python");
        // The repository of the default name is left to a stack that a test makes.
        command.args(["tests/deploy/template.py", "serve", TEMPLATE, "RepositoryName=of-render"]);
        command.env("MOTO_SIMPLE_BATCH_FAIL_AFTER", fail_after);
        // Beside errors it warns of each resource that it does not know.
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("moto{fail_after}.log"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(&log).expect("a log"));
        let mut server = command.spawn().expect("moto starts");
        let mut line = String::new();
        let mut output = BufReader::new(server.stdout.take().expect("standard output"));
        output.read_line(&mut line).expect("a line");
        let told = serde_json::from_str::<Value>(&line);
        let told = told.unwrap_or_else(|_| panic!("moto does not start: see {}", log.display()));
        assert_eq!(told["status"], "CREATE_COMPLETE");
        let moto = Self { server, told };
        let demo = scene("demo");
        moto.aws(&["s3", "cp", demo.to_str().unwrap(), &moto.scene()]);
        moto
    }

    /// An output of the stack, if it has it.
    pub fn output(&self, name: &str) -> Option<&str> {
        self.told["outputs"][name].as_str()
    }

    /// An output that it has.
    #[track_caller]
    pub fn known(&self, name: &str) -> &str {
        self.output(name).expect("an output")
    }

    /// The scene.
    pub fn scene(&self) -> String {
        format!("{}demo.blend", self.known("SceneUri"))
    }

    /// Where results go of what has this name.
    pub fn results(&self, name: &str) -> String {
        format!("{}{name}", self.known("OutputUri"))
    }

    /// What makes it a command's AWS.
    pub fn env(&self) -> [(&'static str, &str); 6] {
        let endpoint = self.told["endpoint"].as_str().expect("an endpoint");
        [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "eu-central-1"),
            // Version 1 of the AWS CLI heeds only this.
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("AWS_MAX_ATTEMPTS", "3"),
        ]
    }

    /// A script that finds the tools, and ends at its first error.
    pub fn shell(&self, script: &str) -> Command {
        let before = env::var_os("PATH").unwrap_or_default();
        let folders = iter::once(project(TOOLS)).chain(env::split_paths(&before));
        let mut command = Command::new("bash");
        command.args(["-euc", script]).envs(self.env());
        command.env("PATH", env::join_paths(folders).expect("a path"));
        command
    }

    /// What `aws` prints.
    #[track_caller]
    fn aws(&self, arguments: &[&str]) -> String {
        said(tool("aws").args(arguments).envs(self.env()))
    }

    /// What `aws batch` answers.
    #[track_caller]
    pub fn batch(&self, arguments: &[&str]) -> Value {
        let answer = self.aws(&[&["batch"], arguments].concat());
        serde_json::from_str(&answer).expect("JSON")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It goes on until its standard input ends.
        drop(self.server.stdin.take());
        drop(self.server.wait());
    }
}
