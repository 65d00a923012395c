//! A container of the image under test, as Batch's agent starts it.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::definition::{Host, JobDefinition, Resource};
use crate::support::engine::{Name, docker, image, printed};

/// A container.
pub struct Container {
    name: Name,
}

/// The end of a container.
pub struct Ending {
    pub exit_code: i32,
    /// Whether the kernel killed a process in it for lack of memory.
    pub out_of_memory: bool,
}

/// The folder that takes the place of one of the instance. The launch template lets jobs write to it.
fn on_instance(host: &Host) -> PathBuf {
    let instance = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instance");
    let folder = instance.join(host.source_path.trim_start_matches('/'));
    fs::create_dir_all(&folder).expect("a folder");
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("its owner");
    folder
}

impl Container {
    /// Starts a container according to a definition, with this much memory in MiB, on the network of
    /// this machine, where the S3 server is.
    pub fn start(
        name: String,
        definition: &JobDefinition,
        command: &[String],
        environment: &[(String, String)],
        memory: u64,
    ) -> Self {
        let properties = &definition.container_properties;
        assert!(!properties.privileged, "no job needs privileges");
        assert_eq!(definition.resource(Resource::Gpu), None, "GPUs are not simulated");
        let name = Name(name);
        let mut run = name.docker_run();
        run.args(["--detach", "--network", "host"]);
        run.arg(format!("--memory={memory}m")).arg(format!("--memory-swap={memory}m"));
        // Without a smaller limit, for `take_memory`.
        run.arg(format!("--shm-size={memory}m"));
        let vcpus = definition.resource(Resource::Vcpu).expect("processors");
        // A weight, which matters only when processors are scarce.
        run.arg(format!("--cpu-shares={}", vcpus * 1024));
        if let Some(user) = &properties.user {
            run.args(["--user", user]);
        }
        if properties.readonly_root_filesystem {
            run.arg("--read-only");
        }
        for mount in &properties.mount_points {
            let mut volumes = properties.volumes.iter();
            let volume = volumes.find(|volume| volume.name == mount.source_volume);
            let volume = volume.unwrap_or_else(|| panic!("no volume {}", mount.source_volume));
            let from = volume.host.as_ref().map(|host| format!("{}:", on_instance(host).display()));
            let how = if mount.read_only { ":ro" } else { "" };
            let from = from.unwrap_or_default();
            run.arg(format!("--volume={from}{}{how}", mount.container_path));
        }
        let own = properties.environment.iter().map(|variable| (&variable.name, &variable.value));
        for (name, value) in own.chain(environment.iter().map(|(name, value)| (name, value))) {
            run.arg(format!("--env={name}={value}"));
        }
        run.arg(image()).args(command);
        printed(run.output().expect("docker starts"));
        Self { name }
    }

    /// Waits for the end of the container.
    pub fn wait(&self) -> Ending {
        let exit_code = self.engine(&["wait"]).trim().parse().expect("an exit code");
        let out_of_memory = self.state("OOMKilled");
        Ending { exit_code, out_of_memory }
    }

    /// Sends SIGTERM, and SIGKILL after this many seconds.
    pub fn stop(&self, seconds: u64) {
        self.engine(&["stop", "-t", &seconds.to_string()]);
    }

    /// Sends SIGKILL to all processes in it.
    pub fn kill(&self) {
        // Fails if the container has just ended by itself.
        docker(["kill", &self.name.0]);
    }

    /// Uses this much of its memory, in MiB, for a moment. A file in /dev/shm belongs to no process,
    /// so the kernel kills the largest process if memory runs out.
    pub fn take_memory(&self, memory: u64) {
        let script = format!("head -c {memory}M /dev/zero >/dev/shm/taken; rm /dev/shm/taken");
        // The kernel may kill this shell as well.
        docker(["exec", &self.name.0, "sh", "-c", &script]);
    }

    /// Returns whether the container is running.
    pub fn is_running(&self) -> bool {
        self.state("Running")
    }

    /// Sends a signal to every Blender. Returns whether there is one. The official Blender is a script
    /// of Python, so the command line tells, and not the name of the process. The pattern is not in the
    /// command line of its own shell.
    pub fn signal_blender(&self, signal: &str) -> bool {
        let script = format!(
            "sent=1; for process in /proc/[0-9]*; do \
             case $(tr '\\0' ' ' 2>/dev/null <$process/cmdline) in \
             *'blender --back''ground '*) kill -{signal} ${{process#/proc/}} && sent=0 ;; esac; \
             done; exit $sent"
        );
        docker(["exec", &self.name.0, "sh", "-c", &script]).status.success()
    }

    /// Waits for a log line that contains `text`. Returns false if the container ends before.
    pub fn wait_for_log(&self, text: &str) -> bool {
        let mut follow = Command::new("docker");
        follow.args(["logs", "--follow", &self.name.0]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut follow = follow.stderr(Stdio::piped()).spawn().expect("docker starts");
        let mut lines = BufReader::new(follow.stderr.take().expect("a pipe")).lines();
        let logged = lines.any(|line| line.expect("UTF-8").contains(text));
        follow.kill().expect("a child of ours");
        follow.wait().expect("a child of ours");
        logged
    }

    /// Returns the log.
    pub fn log(&self) -> String {
        let output = docker(["logs", &self.name.0]);
        [output.stdout, output.stderr]
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .concat()
    }

    fn state(&self, flag: &str) -> bool {
        let format = format!("{{{{.State.{flag}}}}}");
        self.engine(&["inspect", "--format", &format]).trim() == "true"
    }

    #[track_caller]
    fn engine(&self, words: &[&str]) -> String {
        printed(docker(words.iter().chain([&self.name.0.as_str()])))
    }
}
