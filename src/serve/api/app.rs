//! What all routes share.

use std::path::PathBuf;
use std::sync::Arc;

use super::answer::Answer;
use crate::serve::access::Access;
use crate::serve::problem::Problem;
use crate::serve::store::Data;
use crate::serve::store::item::Kind;
use crate::serve::store::render::Render;
use crate::serve::store::shelf::Shelf;
use crate::serve::store::video::Video;
use crate::serve::store::video::thumbnails::Thumbnails;
use crate::serve::work::inspecting::Inspector;
use crate::serve::work::queue::Queue;

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
    /// Who may send requests.
    pub access: Access,
}

impl App {
    /// The video of a request.
    ///
    /// # Errors
    /// If there is none.
    pub fn video(&self, id: &str) -> Answer<Arc<Video>> {
        find(&self.data.videos, id)
    }

    /// The render of a request.
    ///
    /// # Errors
    /// If there is none.
    pub fn render(&self, id: &str) -> Answer<Arc<Render>> {
        find(&self.data.renders, id)
    }
}

fn find<K: Kind>(shelf: &Shelf<K>, id: &str) -> Answer<Arc<K>> {
    let found = id.parse().ok().and_then(|id| shelf.find(&id));
    found.ok_or_else(|| Problem::not_found(K::NOUN))
}
