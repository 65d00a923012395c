//! A container engine, as `docker` drives it, and the image under test.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// What every container of the tests is labelled with. A test that was killed leaves its
/// containers: `docker rm -fv $(docker ps -aqf label=render-worker-test)`.
pub const LABEL: &str = "render-worker-test";

/// The image under test.
///
/// # Panics
/// If no engine answers, or it has no such image.
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
        format!("docker cannot be started ({why}): these tests need a container engine")
    })?;
    if !engine.status.success() {
        let why = String::from_utf8_lossy(&engine.stderr);
        return Err(format!("no container engine answers: start one. docker says: {why}"));
    }
    if !docker(["image", "inspect", &name]).status.success() {
        return Err(format!(
            "there is no image {name}: build it, or name another (RENDER_WORKER_IMAGE)"
        ));
    }
    Ok(name)
}

/// Has the engine do something, and waits for it.
pub fn docker<I: IntoIterator<Item: AsRef<OsStr>>>(words: I) -> Output {
    Command::new("docker").args(words).stdin(Stdio::null()).output().expect("docker is there")
}

/// What the engine, or a program in a container, printed. It has to have succeeded.
#[track_caller]
pub fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The name of a container, which is removed with it, and its volumes.
pub struct Name(pub String);

impl Name {
    /// Starts to put together the `docker run` of the container of that name.
    pub fn docker_run(&self) -> Command {
        let mut run = Command::new("docker");
        run.args(["run", "--pull", "never", "--label", LABEL, "--name", &self.0]);
        run.stdin(Stdio::null());
        run
    }
}

impl Drop for Name {
    /// Where it has ended by itself, there may be nothing left to remove.
    fn drop(&mut self) {
        docker(["rm", "--force", "--volumes", &self.0]);
    }
}
