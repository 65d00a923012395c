//! A fake AWS account: moto with the stack `render`, and a scene in its bucket.
//!
//! No job runs. Jobs end when they are submitted, all in the same way, and without waiting for
//! dependencies. moto returns the settings of a job except processors, memory, share and retries.
//! It returns neither log configurations, exit codes nor reasons, and no indices of array children.
//! It does not check permissions.

use std::env;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::iter;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::scene;
use crate::{TEMPLATE, TOOLS, output_of, project, tool};

pub struct Moto {
    server: Child,
    /// The output of `template.py serve`.
    description: Value,
}

impl Moto {
    /// Returns the account that all tests share, in which jobs succeed.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(""))
    }

    /// Starts an account in which jobs fail.
    pub fn with_failing_jobs() -> Self {
        Self::start("0")
    }

    /// Starts an account. Jobs fail after this many seconds; if it is empty, they succeed.
    fn start(fail_after: &str) -> Self {
        let mut command = tool("python");
        // A test creates another stack with the default repository name.
        command.args(["tests/deploy/template.py", "serve", TEMPLATE, "RepositoryName=of-render"]);
        command.env("MOTO_SIMPLE_BATCH_FAIL_AFTER", fail_after);
        // The log has many warnings about unsupported resources.
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("moto{fail_after}.log"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(&log).expect("a log"));
        let mut server = command.spawn().expect("moto starts");
        let mut line = String::new();
        let mut output = BufReader::new(server.stdout.take().expect("standard output"));
        output.read_line(&mut line).expect("a line");
        let description: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("moto does not start: see {}", log.display()));
        assert_eq!(description["status"], "CREATE_COMPLETE");
        let moto = Self { server, description };
        let demo = scene("demo");
        moto.aws(&["s3", "cp", demo.to_str().unwrap(), &moto.scene()]);
        moto
    }

    /// Returns an output of the stack, if it exists.
    pub fn output(&self, name: &str) -> Option<&str> {
        self.description["outputs"][name].as_str()
    }

    /// Returns an output of the stack.
    #[track_caller]
    pub fn expect_output(&self, name: &str) -> &str {
        self.output(name).expect("an output")
    }

    /// Returns the URI of the scene.
    pub fn scene(&self) -> String {
        format!("{}demo.blend", self.expect_output("SceneUri"))
    }

    /// Returns the URI for the results of a job with this name.
    pub fn results(&self, name: &str) -> String {
        format!("{}{name}", self.expect_output("OutputUri"))
    }

    /// Returns the environment that makes a program use this account.
    pub fn env(&self) -> [(&'static str, &str); 6] {
        let endpoint = self.description["endpoint"].as_str().expect("an endpoint");
        [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "eu-central-1"),
            // Version 1 of the AWS CLI reads only this variable.
            ("AWS_DEFAULT_REGION", "eu-central-1"),
            ("AWS_MAX_ATTEMPTS", "3"),
        ]
    }

    /// A command line that runs a script with the tools on PATH. It ends at the first error.
    pub fn shell(&self, script: &str) -> Command {
        let before = env::var_os("PATH").unwrap_or_default();
        let folders = iter::once(project(TOOLS)).chain(env::split_paths(&before));
        let mut command = Command::new("bash");
        command.args(["-euc", script]).envs(self.env());
        command.env("PATH", env::join_paths(folders).expect("a path"));
        command
    }

    /// Runs `aws` and returns its output.
    #[track_caller]
    fn aws(&self, arguments: &[&str]) -> String {
        output_of(tool("aws").args(arguments).envs(self.env()))
    }

    /// Runs `aws batch` and parses its output.
    #[track_caller]
    pub fn batch(&self, arguments: &[&str]) -> Value {
        let output = self.aws(&[&["batch"], arguments].concat());
        serde_json::from_str(&output).expect("JSON")
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // The server runs until its standard input ends.
        drop(self.server.stdin.take());
        drop(self.server.wait());
    }
}
