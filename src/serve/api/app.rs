//! What all routes share.

use std::sync::Arc;

use super::answer::Answer;
use crate::serve::access::Access;
use crate::serve::problem::Problem;
use crate::serve::store::Data;
use crate::serve::store::thumbnails::Thumbnails;
use crate::serve::store::video::Video;
use crate::serve::work::queue::Queue;

/// What all routes share.
#[derive(Debug)]
pub struct App {
    /// The videos.
    pub data: Data,
    /// The videos that are to be made.
    pub queue: Arc<Queue>,
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
        let found = id.parse().ok().and_then(|id| self.data.find(&id));
        found.ok_or_else(|| Problem::not_found("video"))
    }
}
