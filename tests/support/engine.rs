//! The container engine behind the command `docker`, and the image under test.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The label of every container that the tests start. To remove those of a test that was killed:
/// `docker rm -fv $(docker ps -aqf label=render-worker-test)`.
pub const LABEL: &str = "render-worker-test";

/// Returns the name of the image under test.
///
/// # Panics
/// If no engine responds, or the engine has no such image.
pub fn image() -> &'static str {
    static IMAGE: OnceLock<Result<String, String>> = OnceLock::new();
    let image = IMAGE.get_or_init(|| {
        let name = std::env::var("RENDER_WORKER_IMAGE");
        find_image(name.unwrap_or_else(|_| "render-worker:latest".to_owned()))
    });
    image.as_ref().unwrap_or_else(|why| panic!("{why}"))
}

fn find_image(name: String) -> Result<String, String> {
    let engine =
        Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    let engine = engine.map_err(|why| {
        format!("cannot start docker ({why}): these tests need a container engine")
    })?;
    if !engine.status.success() {
        let why = String::from_utf8_lossy(&engine.stderr);
        return Err(format!("no container engine responds: start one. docker: {why}"));
    }
    if !docker(["image", "inspect", &name]).status.success() {
        return Err(format!("there is no image {name}: build it, or set RENDER_WORKER_IMAGE"));
    }
    Ok(name)
}

/// Runs `docker` with these arguments to its end.
pub fn docker<I: IntoIterator<Item: AsRef<OsStr>>>(words: I) -> Output {
    Command::new("docker").args(words).stdin(Stdio::null()).output().expect("docker starts")
}

/// Returns the standard output of a command. Panics if the command failed.
#[track_caller]
pub fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The name of a container. Dropping it removes the container and its volumes.
pub struct Name(pub String);

impl Name {
    /// Begins the `docker run` command line of this container.
    pub fn docker_run(&self) -> Command {
        let mut run = Command::new("docker");
        run.args(["run", "--pull", "never", "--label", LABEL, "--name", &self.0]);
        run.stdin(Stdio::null());
        run
    }
}

impl Drop for Name {
    /// The container may already be gone: with `--rm` it is removed at its end.
    fn drop(&mut self) {
        docker(["rm", "--force", "--volumes", &self.0]);
    }
}
