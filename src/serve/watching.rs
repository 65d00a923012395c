//! The page of one output, while a run makes it (`run --watch`).

use std::collections::BTreeMap;
use std::io;
use std::pin::pin;

use tokio::net::TcpListener;

use super::access::Access;
use super::store::Data;
use super::{api, app, connections, data_folder};
use crate::error::Error;
use crate::request::{ListenAddress, Location, ServeJob};
use crate::worker::Worker;
use crate::worker::scratch::Scratch;

/// Does `work`, and shows the page of its output meanwhile, on a free port of loopback. The log has the
/// link. The page can change nothing, and ends with the work.
///
/// # Errors
/// [`Error::Listen`], [`Error::DataFolder`] or [`Error::Scratch`] if there can be no page, and those of
/// `work`.
pub async fn watching<T>(
    worker: &Worker,
    output: &Location,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let scratch = Scratch::create(worker)?;
    let output = match output {
        Location::Local(path) => {
            Location::Local(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
        }
        Location::S3 { .. } => output.clone(),
    };
    let watched = match &output {
        Location::Local(path) => vec![path.clone()],
        Location::S3 { .. } => Vec::new(),
    };
    let job = ServeJob {
        listen: ListenAddress::free_on_loopback(),
        allowed_hosts: Vec::new(),
        data: scratch.path().to_owned(),
        input: None,
        watched,
        output: None,
        environment: BTreeMap::new(),
    };
    let cannot_listen = |source: io::Error| Error::Listen { address: job.listen.socket(), source };
    let listener = TcpListener::bind(job.listen.socket()).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let access = Access::of_one_person(address).map_err(cannot_listen)?;
    let cannot_store = |source| data_folder(&job, source);
    let app = app(worker, &job, Data::open(&job.data).map_err(cannot_store)?, access)?;
    let watched = app.outputs.add_of_run(&output, &app.fence).map_err(cannot_store)?;
    let path = format!("/outputs/{}", watched.id());
    tracing::info!("watch the run at {}", app.access.link_to(address, &path));
    let mut work = pin!(work);
    tokio::select! {
        result = work.as_mut() => result,
        // The page ends when a stop is requested; the work has something to store then.
        () = connections::answer(listener, api::watching(app), &worker.shutdown) => work.await,
    }
}
