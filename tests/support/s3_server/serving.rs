//! The threads of the server, its port and its connections.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::connection::{Connection, Ending, Socket};
use super::front::Front;

/// Threads that answer requests until this is dropped.
pub struct Serving {
    address: SocketAddr,
    runtime: Handle,
    /// The thread serves until this is dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Serves on a free port of this machine, with so many threads, over TLS if there is an
    /// acceptor.
    pub fn start(front: Arc<Front>, threads: usize, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("the address of the listener");

        let name = format!("s3-{}", address.port());
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name(&name)
            .enable_all()
            .build()
            .expect("a runtime for the server");
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, front, acceptor) => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name(name).spawn(serve);
        Self {
            address,
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread.expect("a thread for the server")),
        }
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a future on the thread of the server.
    pub fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let (sender, receiver) = mpsc::channel();
        self.runtime.spawn(async move {
            // Nobody waits any more where this fails.
            let _ = sender.send(future.await);
        });
        receiver.recv().expect("an answer from the thread of the server")
    }
}

impl Drop for Serving {
    /// Ends the connections and the thread, and waits for that.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the server has panicked");
        }
    }
}

/// Serves every connection.
async fn accept(listener: StdListener, front: Arc<Front>, acceptor: Option<TlsAcceptor>) {
    let listener = TcpListener::from_std(listener).expect("a listener of the runtime");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // Without it, a client waits 40 ms for the second packet of an answer.
        stream.set_nodelay(true).expect("a TCP socket");
        let front = Arc::clone(&front);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match acceptor {
                None => serve(stream, front).await,
                Some(acceptor) => {
                    // A client that does not trust the certificate ends here.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, front).await;
                    }
                }
            }
        });
    }
}

/// Serves the requests of one connection.
async fn serve(socket: impl Socket, front: Arc<Front>) {
    let ending = Arc::new(Ending::default());
    let connection = Connection::new(socket, Arc::clone(&ending));
    let answer = service_fn(|request| front.answer(request, Arc::clone(&ending)));
    let served = http1::Builder::new().serve_connection(TokioIo::new(connection), answer);
    // A connection that breaks is what a test or its client wanted.
    let _ = served.await;
}
