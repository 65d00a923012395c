//! The command lines of the programs that copy objects.

use std::path::Path;
use std::process::Command;

use crate::bench::Bench;
use crate::store::Store;

/// The numbers of objects that s5cmd copies at once, measured one after the other. Its default
/// is 256.
pub const S5CMD_WORKERS: [u32; 3] = [32, 64, 256];

/// What to copy.
#[derive(Clone, Copy)]
pub enum Copy<'a> {
    /// Every file of a folder, to below a key.
    Up(&'a Path, &'a str),
    /// Every object below a key, to a folder.
    Down(&'a str, &'a Path),
}

/// Makes the command line of a copy from or to a server.
type MakeCommand<'a> = Box<dyn Fn(&Store, Copy) -> Command + 'a>;

/// A program that copies objects.
pub struct Copier<'a> {
    pub name: String,
    pub command: MakeCommand<'a>,
}

impl Bench {
    /// The worker's storage.
    pub fn transfers(&self) -> Copier<'_> {
        let command = |store: &Store, copy: Copy| {
            let mut command = self.transfer();
            command.envs(store.env());
            match copy {
                Copy::Up(folder, key) => {
                    command.arg("up").arg(folder).arg(store.server.uri(key));
                }
                Copy::Down(key, folder) => {
                    command.arg("down").arg(store.server.uri(key)).arg(folder);
                }
            }
            command
        };
        Copier { name: "render-worker".to_owned(), command: Box::new(command) }
    }

    /// s5cmd, with each number of workers.
    pub fn s5cmds(&self) -> Vec<Copier<'_>> {
        let Some(s5cmd) = &self.peers.s5cmd else { return Vec::new() };
        let with = |workers: u32| {
            let command = move |store: &Store, copy: Copy| {
                let mut command = self.program(s5cmd);
                command
                    .envs(store.env())
                    .args(["--endpoint-url", &store.endpoint(), "--log", "error"])
                    .args(["--numworkers", &workers.to_string(), "cp"]);
                let all = |path: &str| format!("{path}/*");
                match copy {
                    Copy::Up(folder, key) => command
                        .arg(all(&folder.to_string_lossy()))
                        .arg(store.server.uri(&format!("{key}/"))),
                    Copy::Down(key, folder) => {
                        command.arg(store.server.uri(&all(key))).arg(slashed(folder))
                    }
                };
                command
            };
            Copier { name: format!("s5cmd, {workers} workers"), command: Box::new(command) }
        };
        S5CMD_WORKERS.into_iter().map(with).collect()
    }

    /// The programs that copy what differs, up only: the AWS CLI and s5cmd with its defaults.
    pub fn syncs(&self) -> Vec<Copier<'_>> {
        let aws = self.peers.aws.as_ref().map(|_| {
            let command = |store: &Store, copy: Copy| {
                let (folder, key) = up(copy);
                let mut command = self.aws(store).expect("the AWS CLI");
                command.args(["s3", "sync", "--only-show-errors"]).arg(folder);
                command.arg(store.server.uri(key));
                command
            };
            Copier { name: "AWS CLI, sync".to_owned(), command: Box::new(command) as MakeCommand }
        });
        let s5cmd = self.peers.s5cmd.as_ref().map(|s5cmd| {
            let command = move |store: &Store, copy: Copy| {
                let (folder, key) = up(copy);
                let mut command = self.program(s5cmd);
                command.envs(store.env());
                command.args(["--endpoint-url", &store.endpoint(), "--log", "error", "sync"]);
                command.arg(slashed(folder)).arg(store.server.uri(&format!("{key}/")));
                command
            };
            Copier { name: "s5cmd, sync".to_owned(), command: Box::new(command) as MakeCommand }
        });
        aws.into_iter().chain(s5cmd).collect()
    }

    /// s5cmd with a list of objects, which it copies to one folder, with each number of workers.
    pub fn s5cmd_lists_of<'a>(&'a self, objects: &'a [String]) -> Vec<Copier<'a>> {
        let Some(s5cmd) = &self.peers.s5cmd else { return Vec::new() };
        let with = |workers: u32| {
            let command = move |store: &Store, copy: Copy| {
                let Copy::Down(_, folder) = copy else { panic!("a list is copied down") };
                let lines =
                    objects.iter().map(|object| format!("cp {object} {}\n", slashed(folder)));
                let list = self.folder().keep().join("list");
                std::fs::write(&list, lines.collect::<String>()).expect("a list");
                let mut command = self.program(s5cmd);
                command.envs(store.env());
                command.args(["--endpoint-url", &store.endpoint(), "--log", "error"]);
                command.args(["--numworkers", &workers.to_string(), "run"]).arg(list);
                command
            };
            Copier {
                name: format!("s5cmd, {workers} workers"),
                command: Box::new(command) as MakeCommand,
            }
        };
        S5CMD_WORKERS.into_iter().map(with).collect()
    }

    /// rclone.
    pub fn rclone(&self) -> Option<Copier<'_>> {
        let rclone = self.peers.rclone.as_ref()?;
        let command = move |store: &Store, copy: Copy| {
            let mut command = self.program(rclone);
            command
                .envs(store.env())
                .args(["--config", "", "--s3-provider", "Other", "--s3-env-auth"])
                // The only version that the server implements.
                .args(["--s3-list-version", "2"])
                .args(["--s3-endpoint", &store.endpoint(), "--s3-no-check-bucket", "copy"]);
            let remote = |key: &str| store.server.uri(key).replacen("s3://", ":s3:", 1);
            match copy {
                Copy::Up(folder, key) => command.arg(folder).arg(remote(key)),
                Copy::Down(key, folder) => command.arg(remote(key)).arg(folder),
            };
            command
        };
        Some(Copier { name: "rclone".to_owned(), command: Box::new(command) })
    }

    /// The AWS CLI.
    pub fn aws_copies(&self) -> Option<Copier<'_>> {
        self.peers.aws.as_ref()?;
        let command = move |store: &Store, copy: Copy| {
            let mut command = self.aws(store).expect("the AWS CLI");
            command.args(["s3", "cp", "--recursive", "--only-show-errors"]);
            match copy {
                Copy::Up(folder, key) => command.arg(folder).arg(store.server.uri(key)),
                Copy::Down(key, folder) => command.arg(store.server.uri(key)).arg(folder),
            };
            command
        };
        Some(Copier { name: "AWS CLI".to_owned(), command: Box::new(command) })
    }

    /// The AWS CLI, without arguments.
    pub fn aws(&self, store: &Store) -> Option<Command> {
        let mut command = self.program(self.peers.aws.as_ref()?);
        command.envs(store.env());
        Some(command)
    }

    /// `s5cmd ls` of a prefix.
    pub fn s5cmd_lists(&self, store: &Store, prefix: &str) -> Option<Command> {
        let mut command = self.program(self.peers.s5cmd.as_ref()?);
        command.envs(store.env()).args(["--endpoint-url", &store.endpoint(), "ls"]);
        command.arg(store.server.uri(prefix));
        Some(command)
    }
}

/// The folder and the key of a copy up.
fn up(copy: Copy<'_>) -> (&Path, &str) {
    match copy {
        Copy::Up(folder, key) => (folder, key),
        Copy::Down(..) => panic!("what differs is copied up only"),
    }
}

/// A path with a slash at its end: a folder, even if it does not exist yet.
fn slashed(folder: &Path) -> String {
    format!("{}/", folder.display())
}
