//! Connections: a bounded number of them, and none that costs anything by being slow.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::process::shutdown::{Shutdown, Stage};

/// The most connections at the same time. A browser opens six for a page.
const MAX_CONNECTIONS: usize = 256;

/// How long a client may take to send the head of a request, also of the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes that are held of what a client sends.
const BUFFER: usize = 256 * 1024;

/// How long answers may still take when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// The pause after the system has refused a connection: there may be no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers requests until a stop is requested.
pub async fn answer(listener: TcpListener, router: Router, shutdown: &Shutdown) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = shutdown.beyond(Stage::Working) => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        match accepted {
            Ok((stream, slot)) => {
                let connection = converse(stream, router.clone(), stopping.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
                while connections.try_join_next().is_some() {}
            }
            Err(error) => {
                tracing::debug!("cannot accept a connection: {error}");
                sleep(PAUSE).await;
            }
        }
    }
    drop(stop);
    let last = async { while connections.join_next().await.is_some() {} };
    // It cuts off clients that are still connected then, such as a page that waits for news.
    _ = timeout(LAST_ANSWERS, last).await;
}

/// The next connection, as soon as there may be another one.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, slot))
}

/// Answers the requests of one connection.
async fn converse(stream: TcpStream, router: Router, mut stopping: watch::Receiver<()>) {
    // Small answers must not wait for more. It fails only if the client has gone.
    _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(BUFFER);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // What a client does wrong is its own business.
        _ = connection.as_mut() => return,
        // An error, because the sender is dropped.
        _ = stopping.changed() => connection.as_mut().graceful_shutdown(),
    }
    _ = connection.await;
}
