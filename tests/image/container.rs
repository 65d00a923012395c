//! Containers of the image under test. Each has a unique name, and is removed at the end of the
//! test, even if the test fails.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::engine::{LABEL, Name, docker, image, printed};
use crate::support::{Run, Running, Worker};

/// The limit for a container: longer than EEVEE takes to compile its shaders without a GPU on a
/// busy machine.
const LIMIT: Duration = Duration::from_mins(10);

/// Returns a unique name.
pub fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{LABEL}-{}-{count}", std::process::id())
}

/// The command line of a container.
pub struct Container {
    name: Name,
    image: String,
    run: Command,
    arguments: Vec<String>,
}

/// Begins the command line of a container of the image under test.
pub fn container() -> Container {
    container_of(image())
}

/// Begins the command line of a container of any image.
pub fn container_of(image: &str) -> Container {
    let (name, image) = (Name(unique_name()), image.to_owned());
    let mut run = name.docker_run();
    run.arg("--rm");
    Container { name, image, run, arguments: Vec::new() }
}

impl Container {
    /// Adds options of `docker run`, split at spaces.
    pub fn options(mut self, options: &str) -> Self {
        self.run.args(options.split_whitespace());
        self
    }

    /// Mounts a folder.
    pub fn volume(mut self, folder: &Path, at: &str) -> Self {
        self.run.arg("--volume").arg(format!("{}:{at}", folder.display()));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.run.arg("--env").arg(format!("{name}={value}"));
        self
    }

    /// Adds arguments for the program in the container, split at spaces.
    pub fn args(mut self, arguments: &str) -> Self {
        self.arguments.extend(arguments.split_whitespace().map(str::to_owned));
        self
    }

    /// Adds an argument for the program in the container.
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Runs the worker to its end.
    pub fn run(self) -> Run {
        let Contained { running, name: _name } = self.start();
        running.finish_within(LIMIT)
    }

    /// Starts the worker.
    pub fn start(self) -> Contained {
        let (command, name) = self.into_command();
        Contained { running: Worker::from_command(command).start(), name }
    }

    /// Runs the worker to its end on a terminal. Returns the bytes that the terminal received.
    #[track_caller]
    pub fn run_on_a_terminal(self, exit_code: i32) -> String {
        let (mut command, _name) = self.options("--tty").into_command();
        // `script` starts with an empty environment otherwise, and docker may need its variables.
        command.envs(std::env::vars_os());
        Worker::from_command(command).run_on_a_terminal(exit_code)
    }

    /// Runs a program of the image instead of the worker.
    pub fn output_of(self, program: &str) -> Output {
        let (mut command, _name) = self.options(&format!("--entrypoint {program}")).into_command();
        command.output().expect("docker starts")
    }

    /// Returns the command, and the name that removes the container when dropped.
    pub fn into_command(mut self) -> (Command, Name) {
        self.run.arg(self.image).args(self.arguments);
        (self.run, self.name)
    }
}

/// The worker, running in a container.
pub struct Contained {
    running: Running,
    name: Name,
}

impl Contained {
    /// Waits for a log line that contains `text`, and returns it.
    pub fn wait_for_log(&self, text: &str) -> String {
        self.running.wait_for_log(text)
    }

    /// Runs a command of the engine with this container, such as `stop` or `kill --signal HUP`.
    #[track_caller]
    pub fn engine(&self, words: &str) {
        printed(docker(words.split_whitespace().chain([self.name.0.as_str()])));
    }

    /// The address on this machine at which a port of the container is published.
    #[track_caller]
    pub fn published(&self, port: &str) -> String {
        printed(docker(["port", &self.name.0, port])).trim().to_owned()
    }

    /// Runs a command in this container and returns its output.
    #[track_caller]
    pub fn exec(&self, words: &str) -> String {
        printed(docker(["exec", &self.name.0].into_iter().chain(words.split_whitespace())))
    }

    /// Waits for the end of the container.
    pub fn finish(self) -> Run {
        self.running.finish()
    }
}
