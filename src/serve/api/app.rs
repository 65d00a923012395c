//! What all routes share.

use std::path::PathBuf;
use std::sync::Arc;

use super::answer::Answer;
use crate::serve::access::Access;
use crate::serve::outputs::Outputs;
use crate::serve::outputs::fence::Fence;
use crate::serve::outputs::output::Output;
use crate::serve::problem::Problem;
use crate::serve::store::Data;
use crate::serve::store::item::Kind;
use crate::serve::store::render::Render;
use crate::serve::store::shelf::Shelf;
use crate::serve::store::video::Video;
use crate::serve::store::video::thumbnails::Thumbnails;
use crate::serve::work::inspecting::Inspector;
use crate::serve::work::queue::Queue;
use crate::storage::Storage;

/// What all routes share.
#[derive(Debug)]
pub struct App {
    /// The videos and renders.
    pub data: Data,
    /// The folder with pictures that are on the server already.
    pub input: Option<PathBuf>,
    /// The videos that are to be made.
    pub videos: Arc<Queue<Video>>,
    /// The scenes that are to be rendered.
    pub renders: Arc<Queue<Render>>,
    /// Looks into scenes.
    pub inspector: Arc<Inspector>,
    /// Makes thumbnails.
    pub thumbnails: Thumbnails,
    /// The outputs that are watched.
    pub outputs: Outputs,
    /// The local folders whose outputs may be watched.
    pub watched: Vec<PathBuf>,
    /// Keeps other local files from being read.
    pub fence: Fence,
    /// Reads outputs.
    pub storage: Arc<Storage>,
    /// Who may send requests.
    pub access: Access,
}

impl App {
    /// The item of a request.
    ///
    /// # Errors
    /// If there is none.
    pub fn find<K: Worked>(&self, id: &str) -> Answer<Arc<K>> {
        let found = id.parse().ok().and_then(|id| K::shelf(self).find(&id));
        found.ok_or_else(|| Problem::not_found(K::NOUN))
    }

    /// The video of a request.
    ///
    /// # Errors
    /// If there is none.
    pub fn video(&self, id: &str) -> Answer<Arc<Video>> {
        self.find(id)
    }

    /// The render of a request.
    ///
    /// # Errors
    /// If there is none.
    pub fn render(&self, id: &str) -> Answer<Arc<Render>> {
        self.find(id)
    }

    /// The output of a request: one that is watched, or that of the render with this id, or with
    /// `-preview` behind its id, that of its quick look.
    ///
    /// # Errors
    /// If there is none.
    pub fn output(&self, id: &str) -> Answer<Arc<Output>> {
        let unknown = || Problem::not_found("output");
        let (own, is_preview) = match id.strip_suffix("-preview") {
            Some(own) => (own, true),
            None => (id, false),
        };
        let parsed = own.parse().map_err(|()| unknown())?;
        if let Some(output) = self.outputs.find(&parsed).filter(|_| !is_preview) {
            return Ok(output);
        }
        let Some(render) = self.data.renders.find(&parsed) else {
            self.outputs.forget_render(id);
            return Err(unknown());
        };
        let output = if is_preview { render.preview_folder() } else { render.output_folder() };
        Ok(self.outputs.of_render(id, render.item().folder(), output))
    }
}

/// A kind of item that the server works on.
pub trait Worked: Kind + Send + Sync + 'static {
    /// All of them.
    fn shelf(app: &App) -> &Shelf<Self>;

    /// Those that are to be worked on.
    fn queue(app: &App) -> &Queue<Self>;
}

impl Worked for Video {
    fn shelf(app: &App) -> &Shelf<Self> {
        &app.data.videos
    }

    fn queue(app: &App) -> &Queue<Self> {
        &app.videos
    }
}

impl Worked for Render {
    fn shelf(app: &App) -> &Shelf<Self> {
        &app.data.renders
    }

    fn queue(app: &App) -> &Queue<Self> {
        &app.renders
    }
}
