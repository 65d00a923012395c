//! Makes a video of pictures with `stitch`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::child;
use super::run::Work;
use crate::request::{OutputName, ServeJob};
use crate::serve::store::item::Kind as _;
use crate::serve::store::names::FileName;
use crate::serve::store::video::Video;
use crate::serve::store::video::links::{self, Links};

/// The folder in which the video is made, in that of the video.
const NEXT: &str = "next";

/// A video that is made.
#[derive(Debug)]
pub struct Stitching {
    job: ServeJob,
    /// Must outlive the program.
    links: Option<Links>,
}

impl Stitching {
    /// With the variables and the output folder of a server.
    pub fn new(job: &ServeJob) -> Self {
        Self { job: job.clone(), links: None }
    }
}

impl Work for Stitching {
    type Kind = Video;

    fn prepare(&mut self, video: &Video) -> io::Result<Command> {
        let next = next(video);
        links::remove(&next)?;
        fs::create_dir(&next)?;
        let names = video.pictures()?.into_iter().filter_map(|file| FileName::new(&file.name).ok());
        let names: Vec<_> = names.collect();
        let links = Links::make(video.item().folder(), &video.pictures_folder(), &names)?;
        let arguments = arguments(video, links.folder(), &next)?;
        self.links = Some(links);
        child::command(&self.job, arguments)
    }

    /// Puts the finished video in the place of the one before, and into the folder for all videos.
    fn keep(&self, video: &Video) -> io::Result<()> {
        let made = video.made_folder();
        links::remove(&made)?;
        fs::rename(next(video), &made)?;
        let (Some(folder), Some(file)) = (&self.job.output, video.made()?) else { return Ok(()) };
        fs::create_dir_all(folder)?;
        // Two videos can have the same name.
        let id = video.item().id.to_string();
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
}

fn next(video: &Video) -> PathBuf {
    video.item().folder().join(NEXT)
}

fn arguments(video: &Video, pictures: &Path, folder: &Path) -> io::Result<Vec<OsString>> {
    let document = video.item().document();
    let settings = &document.choices.settings;
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
        ]
        .as_flattened()
        .iter()
        .chain(&child::LOG_FLAGS)
        .map(OsString::from),
    );
    match sound {
        Some(sound) => {
            arguments.extend(["--audio".into(), video.sound_folder().join(sound.name).into()]);
        }
        None => arguments.push("--no-audio".into()),
    }
    Ok(arguments)
}
