//! Renders a scene with `run`, and makes the video.

use std::ffi::OsString;
use std::io;
use std::process::Command;

use super::child;
use super::run::Work;
use crate::request::ServeJob;
use crate::serve::store::item::Kind as _;
use crate::serve::store::render::Render;

/// A scene that is rendered.
#[derive(Debug)]
pub struct Rendering(ServeJob);

impl Rendering {
    /// With the variables of a server.
    pub fn new(job: &ServeJob) -> Self {
        Self(job.clone())
    }
}

impl Work for Rendering {
    type Kind = Render;

    fn prepare(&mut self, render: &Render) -> io::Result<Command> {
        let main = render.main(&render.project()?);
        let main = main.ok_or_else(|| io::Error::other("no scene file is chosen"))?;
        let choices = render.item().document().choices;
        let mut arguments: Vec<OsString> = vec![
            "run".into(),
            "--input-uri".into(),
            render.scene_folder().join(main.name).into(),
            "--output-uri".into(),
            render.output_folder().into(),
        ];
        arguments.extend(choices.settings.flags());
        if choices.is_preview {
            arguments.push("--preview".into());
        }
        arguments.extend(child::LOG_FLAGS.map(OsString::from));
        child::scene_command(&self.0, arguments)
    }

    /// All of it is in its place already.
    fn keep(&self, _: &Render) -> io::Result<()> {
        Ok(())
    }
}
