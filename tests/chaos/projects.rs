//! Kills while projects are packed and fetched.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::sys::signal::Signal;
use render_worker::hex::hex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::container::{Attempt, Container, tail};
use crate::settings::Settings;
use crate::support::s3_server::S3Server;
use crate::support::{names, scene, worker};
use crate::tally::Tally;

/// The files of the project beside its scene.
const FILES: usize = 30;

/// The size of the largest of them, which is stored in parts.
const LARGE: usize = 17 * 1024 * 1024;

/// The maximum number of attempts that end with 75 by themselves.
const RETRIES: usize = 50;

/// A project on this machine, and where it is stored.
struct Project {
    folder: TempDir,
    server: S3Server,
    /// The contents that were checked: a content under its hash never changes.
    checked: BTreeMap<String, usize>,
}

impl Project {
    fn new(rng: &mut Rng) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Self { folder, server: S3Server::start(), checked: BTreeMap::new() };
        fs::create_dir(project.path("film")).expect("a folder");
        fs::create_dir(project.path("bin")).expect("a folder");
        // The programs that start a container, and no Blender.
        let unshare = Command::new("sh").args(["-c", "command -v unshare"]).output().expect("sh");
        let unshare = String::from_utf8(unshare.stdout).expect("UTF-8");
        symlink(unshare.trim(), project.path("bin/unshare")).expect("a link");
        fs::copy(scene("tiny"), project.path("film/shot.blend")).expect("a scene");
        (0..FILES).for_each(|number| project.change(number, rng));
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives a file another content, of the same size.
    fn change(&self, number: usize, rng: &mut Rng) {
        let size = if number == 0 { LARGE } else { 3000 * number };
        // What is large need not differ everywhere.
        let mut content = vec![rng.u8(..); size];
        content[..1000].fill_with(|| rng.u8(..));
        fs::write(self.path("film").join(number.to_string()), content).expect("a file");
    }

    fn pack(&self) -> Container {
        let pack = worker("pack").input(self.path("film/shot.blend")).output(self.server.uri("p"));
        let pack = pack.env("PATH", self.path("bin")).env("XDG_CACHE_HOME", self.path("caches"));
        Container::start(pack.s3(&self.server).env("AWS_MAX_ATTEMPTS", "10"))
    }

    /// Asserts that every content ever stored is that of its name, and that the manifest, if there is
    /// one, names stored contents. The result is the manifest: hashes by paths.
    fn check(&mut self) -> BTreeMap<String, String> {
        for (key, content) in self.server.history("p/files/") {
            let hash = key.rsplit('/').next().expect("a name").to_owned();
            if self.checked.get(&hash) == Some(&content.len()) {
                continue;
            }
            assert_eq!(hash_of(&content), hash, "a wrong content was stored");
            self.checked.insert(hash, content.len());
        }
        let Some(manifest) = self.server.get("p/shot.project.json") else {
            return BTreeMap::new();
        };
        let manifest: Value = serde_json::from_slice(&manifest).expect("a whole manifest");
        let files = manifest["files"].as_array().expect("files").iter();
        let text = |file: &Value, field: &str| file[field].as_str().expect("a text").to_owned();
        let files: BTreeMap<_, _> =
            files.map(|file| (text(file, "path"), text(file, "sha256"))).collect();
        for (path, hash) in &files {
            assert!(self.checked.contains_key(hash), "{path} of the manifest is not stored");
        }
        files
    }

    /// The files as they are on this machine.
    fn expected(&self) -> BTreeMap<String, String> {
        let film = self.path("film");
        let hash = |name: String| {
            let content = fs::read(film.join(&name)).expect("a file");
            (name, hash_of(&content))
        };
        names(&film).into_iter().map(hash).collect()
    }
}

fn hash_of(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// Packs a project again and again, with files that change, and kills it. In the end it is whole, and no
/// wrong content was ever stored.
pub fn packing(settings: &Settings, seed: u64) -> Tally {
    let mut rng = Rng::with_seed(seed);
    let mut project = Project::new(&mut rng);
    let whole = project.pack().finish(None);
    assert_eq!(whole.exit, Some(0), "{}", tail(&whole.log));
    assert_eq!(project.check(), project.expected());
    project.server.fault_rate(seed, settings.faults);
    let mut tally = Tally { name: "packing", ..Tally::default() };
    let (began, kills) = (Instant::now(), settings.kills.div_ceil(2));
    while tally.kills < kills {
        tally.jobs += 1;
        (0..FILES).filter(|_| rng.bool()).collect::<Vec<_>>().into_iter().for_each(|number| {
            project.change(number, &mut rng);
        });
        let mut retries = RETRIES;
        // A few kills for each version of the project, and then it is packed.
        let mut left = rng.usize(1..6).min(kills - tally.kills);
        loop {
            let moment = whole.took.mul_f64(rng.f64());
            let attempt = project.pack().finish((left > 0).then_some((Signal::SIGKILL, moment)));
            tally.attempts += 1;
            let stored = project.check();
            match attempt {
                Attempt { exit: Some(0), .. } => {
                    assert_eq!(stored, project.expected(), "{}", tail(&attempt.log));
                    break;
                }
                Attempt { exit: Some(75), .. } => {
                    tally.out_of_reach += 1;
                    retries -= 1;
                    assert!(retries > 0, "never done:\n{}", tail(&attempt.log));
                }
                Attempt { interrupted: true, exit: None, .. } => {
                    tally.kills += 1;
                    left = left.saturating_sub(1);
                }
                Attempt { exit, log, .. } => panic!("exit {exit:?}:\n{}", tail(&log)),
            }
        }
        println!(
            "packing: {} attempts, {} killed, {} packed",
            tally.attempts, tally.kills, tally.jobs
        );
    }
    tally.took = began.elapsed();
    (tally.requests, tally.faults) = (project.server.requests().len(), project.server.faults());
    tally
}

/// Renders a project on two workers that share a cache, and kills one of them while they fetch. The
/// other one renders, and nothing wrong is in the cache.
pub fn fetching(settings: &Settings, seed: u64) -> Tally {
    let mut rng = Rng::with_seed(seed);
    let project = Project::new(&mut rng);
    let packed = project.pack().finish(None);
    assert_eq!(packed.exit, Some(0), "{}", tail(&packed.log));
    let cache = project.path("cache");
    let start = |out: &str| {
        let render = worker("render").input(project.server.uri("p/shot.project.json"));
        let render = render.output(project.path(out)).args("--frames 1 --no-resume --cache-dir");
        Container::start(render.arg(&cache).s3(&project.server))
    };
    let mut tally = Tally { name: "fetching", ..Tally::default() };
    let (began, kills) = (Instant::now(), settings.kills.div_ceil(2));
    // Fetching is over long before Blender has opened the scene.
    let window = fetch_time(&start("first").finish(None));
    while tally.kills < kills {
        drop(fs::remove_dir_all(&cache));
        let (other, killed) = (start("other"), start("killed"));
        let killed = killed.finish(Some((Signal::SIGKILL, window.mul_f64(rng.f64()))));
        let other = other.finish(None);
        tally.jobs += 1;
        tally.attempts += 2;
        tally.kills += usize::from(killed.interrupted);
        assert_eq!(other.exit, Some(0), "{}", tail(&other.log));
        assert_eq!(names(&project.path("other/frames")), ["0001.png"]);
        check_cache(&cache);
        if tally.kills.is_multiple_of(10) {
            println!("fetching: {} attempts, {} killed", tally.attempts, tally.kills);
        }
    }
    tally.took = began.elapsed();
    (tally.requests, tally.faults) = (project.server.requests().len(), project.server.faults());
    tally
}

/// How long after its start an attempt had fetched the project, generously.
fn fetch_time(attempt: &Attempt) -> Duration {
    assert_eq!(attempt.exit, Some(0), "{}", tail(&attempt.log));
    let line =
        attempt.log.lines().find(|line| line.contains("fetched the project")).expect("a line");
    let line: Value = serde_json::from_str(line).expect("JSON");
    let message = line["message"].as_str().expect("a message");
    let seconds = message.split(" in ").nth(1).and_then(|rest| rest.split(' ').next());
    let seconds: f64 = seconds.expect("seconds").parse().expect("a number");
    Duration::from_secs_f64(seconds + 0.3)
}

/// Asserts that every content in a cache is that of its name.
fn check_cache(cache: &Path) {
    let files = cache.join("files");
    for name in names(&files).iter().filter(|name| !name.starts_with('.')) {
        let content = fs::read(files.join(name)).expect("a file");
        assert_eq!(&hash_of(&content), name, "the cache has a wrong content");
    }
}
