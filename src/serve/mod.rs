//! `serve`: a web page that makes videos, and the API that it uses.
//!
//! ```text
//! api/          the routes: request → answer
//! access/       who may send requests
//! connections   a bounded number of them, and none that costs anything by being slow
//! work/         the queue, and the program that makes a video
//! store/        videos as folders: pictures, choices, log, video; uploads, archives, thumbnails
//! page/         what the browser gets: one HTML file, one style sheet, modules without a framework
//! blocking      work that waits for the disk
//! decoders      threads that decode pictures
//! outputs/      outputs that are watched: what they have, and what changes
//! problem       why a request is refused
//! watching      the page of one output, while a run makes it
//! ```
//!
//! The server decodes no picture but for thumbnails, and encodes no video: `stitch` does.
//!
//! Invariants:
//!
//! - The folder says everything. What is in memory is rebuilt from it at the start.
//! - Under its name, an uploaded file is whole.
//! - No name from a request is joined to a path before it was parsed by `store::names`.
//! - Each answer passes `access`, also that to a request which no route knows.

mod access;
mod api;
mod blocking;
mod connections;
mod decoders;
mod outputs;
mod problem;
mod store;
mod watching;
mod work;

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::error::Error;
use crate::process::shutdown::Stage;
use crate::request::{Location, ServeJob};
use crate::worker::Worker;
use access::Access;
use api::app::App;
use decoders::Decoders;
use outputs::Outputs;
use outputs::fence::Fence;
use outputs::output::Shared;
use store::Data;
use store::video::thumbnails::Thumbnails;
pub use watching::watching;
use work::inspecting::Inspector;
use work::queue::Queue;
use work::rendering::Rendering;
use work::stitching::Stitching;

/// Serves the page until a stop is requested.
///
/// # Errors
/// - [`Error::Listen`] or [`Error::DataFolder`] if the server cannot begin.
/// - [`Error::Interrupted`] when it was stopped, as every job.
pub async fn serve(worker: &Worker, job: &ServeJob) -> Result<(), Error> {
    let data = Data::open(&job.data).map_err(|source| data_folder(job, source))?;
    let cannot_listen = |source: io::Error| Error::Listen { address: job.listen.socket(), source };
    let listener = TcpListener::bind(job.listen.socket()).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let access = Access::new(address, &job.allowed_hosts).map_err(cannot_listen)?;
    worker.warn_if_lost(&Location::Local(job.data.clone()));
    tracing::info!("the page is at {}", access.link(address));
    for folder in job.watched.iter().filter(|folder| !folder.is_dir()) {
        let folder = folder.display();
        tracing::warn!(
            "{folder}, which --watch (WATCH_DIR) names, is no folder; create or mount it"
        );
    }
    let app = app(worker, job, data, access)?;
    let (videos, renders) = (Arc::clone(&app.videos), Arc::clone(&app.renders));
    let shutdown = &worker.shutdown;
    tokio::join!(
        // A render takes hours, and a video minutes: one of each at a time.
        videos.work(shutdown, || Stitching::new(job)),
        renders.work(shutdown, || Rendering::new(job)),
        connections::answer(listener, api::router(app), shutdown),
    );
    // All have ended, so there is a reason.
    shutdown.beyond(Stage::Working).await;
    match shutdown.stop_if_noticed() {
        Some(by) => Err(Error::Interrupted {
            by,
            left: "everything is kept, and what was being made goes on at the next start"
                .to_owned(),
        }),
        None => Err(Error::Internal("the server ended without a stop request".to_owned())),
    }
}

/// What the routes share.
fn app(worker: &Worker, job: &ServeJob, data: Data, access: Access) -> Result<App, Error> {
    let decoders = Decoders::new();
    let fence = Fence::new(job.watched.clone());
    let storage = Arc::clone(&worker.storage);
    let shared = Shared { storage: Arc::clone(&storage), decoders: decoders.clone() };
    let outputs = Outputs::open(&job.data, &fence, Arc::new(shared), data.notifier())
        .map_err(|source| data_folder(job, source))?;
    Ok(App {
        videos: Arc::new(Queue::of(&data.videos)),
        renders: Arc::new(Queue::of(&data.renders)),
        data,
        input: job.input.clone(),
        inspector: Arc::new(Inspector::new(job, &worker.shutdown)),
        thumbnails: Thumbnails::new(decoders),
        outputs,
        watched: job.watched.clone(),
        fence,
        storage,
        access,
    })
}

fn data_folder(job: &ServeJob, source: io::Error) -> Error {
    Error::DataFolder { path: job.data.clone(), source }
}
