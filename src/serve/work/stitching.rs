//! Makes a video with `stitch`, and follows its log.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use crate::ending::Ending;
use crate::exit::Exit;
use crate::process::sandbox::{Sandbox, SandboxPolicy};
use crate::process::shutdown::{Shutdown, Stage};
use crate::process::supervisor::{End, Event, Running, Stdin};
use crate::request::{OutputName, SandboxMode, ServeJob};
use crate::serve::store::links::{self, Links};
use crate::serve::store::making::{LOG, Making, Outcome};
use crate::serve::store::names::FileName;
use crate::serve::store::video::Video;

/// The folder in which the video is made, in that of the video.
const NEXT: &str = "next";

/// How long `stitch` may take to stop. It stops FFmpeg and stores a report.
const GRACE: Duration = Duration::from_secs(20);

/// Makes videos.
#[derive(Debug)]
pub struct Maker<'a> {
    /// The request of the server.
    pub job: &'a ServeJob,
    /// Stop requests.
    pub shutdown: &'a Shutdown,
}

/// What is ready before the program starts.
struct Prepared {
    command: Command,
    /// Must outlive the program.
    links: Links,
    log: fs::File,
    next: PathBuf,
}

impl Maker<'_> {
    /// Makes a video, until `stop` is notified.
    pub async fn make(&self, video: &Arc<Video>, stop: &Notify) -> Making {
        let mut outcome = Outcome::default();
        let result = self.attempt(video, stop, &mut outcome).await;
        if let Err(message) = result {
            // The log tells it after a restart as well.
            let line = json!({
                "level": "ERROR",
                "message": message,
                "exit_code": Exit::LocalIo.code(),
            });
            outcome.read(&line.to_string());
            let log = fs::File::options().append(true).create(true).open(video.folder().join(LOG));
            // A log that cannot be written says nothing after a restart.
            _ = log.and_then(|mut log| writeln!(log, "{line}"));
        }
        outcome.making()
    }

    async fn attempt(
        &self,
        video: &Arc<Video>,
        stop: &Notify,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let (job, of) = (self.job.clone(), Arc::clone(video));
        let prepared = spawn_blocking(move || prepare(&job, &of)).await.map_err(io::Error::other);
        let prepared = prepared.and_then(|prepared| prepared);
        let Prepared { command, links, mut log, next } =
            prepared.map_err(|error| format!("the video cannot be made: {error}"))?;
        // The program has a sandbox of its own for FFmpeg.
        let sandbox = Sandbox::detect(SandboxMode::Off);
        let child = Running::start(command, Stdin::Null, &sandbox, SandboxPolicy::default());
        let mut child = child.map_err(|error| format!("the video cannot be made: {error}"))?;
        let mut stage = Stage::Working;
        let began = Instant::now();
        let end = loop {
            tokio::select! {
                event = child.next() => match event {
                    Event::Line(_, line) => if let Some(progress) = progress(&line, began) {
                        video.set_making(progress);
                    } else {
                        outcome.read(&line);
                        // The disk may be full: then the program says so, too.
                        _ = writeln!(log, "{line}");
                    },
                    Event::Ended(end) => break end,
                },
                () = stop.notified() => child.stop(GRACE),
                reached = self.shutdown.beyond(stage) => {
                    stage = reached;
                    child.stop(if stage == Stage::AtOnce {
                        Duration::ZERO
                    } else {
                        self.shutdown.grace().child()
                    });
                }
            }
        };
        drop(links);
        match end {
            End::Own(Ending::Code(0)) => {
                let (job, of) = (self.job.clone(), Arc::clone(video));
                let stored = spawn_blocking(move || keep(&job, &of, &next)).await;
                let stored = stored.map_err(io::Error::other).and_then(|stored| stored);
                stored.map_err(|error| format!("the video cannot be stored: {error}"))
            }
            End::Own(Ending::Signal(signal)) => Err(format!(
                "the program that makes the video was killed by signal {signal}; there may be too \
                 little memory: try smaller pictures"
            )),
            End::Own(Ending::Code(_)) | End::Stopped => Ok(()),
        }
    }
}

/// The progress that a line of the log tells.
fn progress(line: &str, began: Instant) -> Option<Making> {
    let line: Value = serde_json::from_str(line).ok()?;
    let number = |field: &str| line.get(field).and_then(Value::as_u64);
    let (done, total) = (number("done")?, number("total")?);
    let left = (done > 0).then(|| {
        let left = began.elapsed().as_millis() * u128::from(total.saturating_sub(done));
        u64::try_from(left / u128::from(done)).unwrap_or(u64::MAX).div_ceil(1000)
    });
    Some(Making::Running { done, total, left })
}

fn prepare(job: &ServeJob, video: &Video) -> io::Result<Prepared> {
    let next = video.folder().join(NEXT);
    links::remove(&next)?;
    fs::create_dir(&next)?;
    let names = video.pictures()?.into_iter().filter_map(|file| FileName::new(&file.name).ok());
    let names: Vec<_> = names.collect();
    let links = Links::make(video.folder(), &video.pictures_folder(), &names)?;
    let command = command(job, video, links.folder(), &next)?;
    let log = fs::File::create(video.folder().join(LOG))?;
    Ok(Prepared { command, links, log, next })
}

fn command(job: &ServeJob, video: &Video, pictures: &Path, folder: &Path) -> io::Result<Command> {
    let document = video.document();
    let settings = &document.settings;
    let codec = settings.codec();
    let container = OutputName::default_for(codec);
    let file = folder.join(format!("{}.{}", document.name, container.container()));
    let sound = video.sound()?.filter(|_| codec.has_sound());
    let mut arguments: Vec<OsString> = vec!["stitch".into(), pictures.into(), file.into()];
    arguments.extend(
        [
            ["--in-order", "name"],
            ["--fps", &settings.fps],
            ["--codec", &settings.codec],
            ["--size", &settings.size],
            ["--background", &settings.background],
            ["--log-format", "json"],
            // With the progress.
            ["--log-level", "debug"],
        ]
        .as_flattened()
        .iter()
        .map(OsString::from),
    );
    match sound {
        Some(sound) => {
            arguments.extend(["--audio".into(), video.sound_folder().join(sound.name).into()]);
        }
        None => arguments.push("--no-audio".into()),
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).env_clear().envs(&job.environment);
    Ok(command)
}

/// Puts the finished video in the place of the one before, and into the folder for all videos.
fn keep(job: &ServeJob, video: &Video, next: &Path) -> io::Result<()> {
    let made = video.made_folder();
    links::remove(&made)?;
    fs::rename(next, &made)?;
    let (Some(folder), Some(file)) = (&job.output, video.made()?) else { return Ok(()) };
    fs::create_dir_all(folder)?;
    // Two videos can have the same name.
    let id = video.id.to_string();
    let (stem, extension) = file.name.rsplit_once('.').unwrap_or((&file.name, ""));
    let name = format!("{stem} {}.{extension}", id.get(..6).unwrap_or(&id));
    let partial = folder.join(format!(".{name}.partial"));
    let copied = fs::copy(made.join(&file.name), &partial);
    let stored = copied.and_then(|_| fs::rename(&partial, folder.join(name)));
    if stored.is_err() {
        // The error of the copy is the one that matters.
        _ = fs::remove_file(partial);
    }
    stored
}
