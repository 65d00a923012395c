//! The server's threads, port and connections.

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

/// The threads that serve requests. Dropping this stops them.
pub struct Serving {
    address: SocketAddr,
    runtime: Handle,
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    /// Starts to serve on a free local port with `threads` threads, over TLS if there is an
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

    /// Returns the address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs a future on the server's runtime.
    pub fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let (sender, receiver) = mpsc::channel();
        self.runtime.spawn(async move {
            // Fails if the caller is gone.
            let _ = sender.send(future.await);
        });
        receiver.recv().expect("a result from the server's runtime")
    }
}

impl Drop for Serving {
    /// Closes all connections and waits for the thread.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the server has panicked");
        }
    }
}

/// Accepts connections.
async fn accept(listener: StdListener, front: Arc<Front>, acceptor: Option<TlsAcceptor>) {
    let listener = TcpListener::from_std(listener).expect("a listener of the runtime");
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // Without it, a client waits 40 ms for the second packet of a response.
        stream.set_nodelay(true).expect("a TCP socket");
        let front = Arc::clone(&front);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match acceptor {
                None => serve(stream, front).await,
                Some(acceptor) => {
                    // Fails if the client does not trust the certificate.
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
    let respond = service_fn(|request| front.respond(request, Arc::clone(&ending)));
    let served = http1::Builder::new().serve_connection(TokioIo::new(connection), respond);
    // Tests and clients break connections on purpose.
    let _ = served.await;
}
