//! A network with latency: a TCP proxy that delays all data.
//!
//! Each direction adds half of the round trip. The order is kept, and the bandwidth is not limited.
//! The first data of a connection is held for one more round trip, the cost of the TCP handshake
//! (on the loopback interface the kernel completes it at once). Packet loss and slow start are not
//! simulated.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::spread::Spread;

/// The bytes in flight in one direction of a connection. The limit is larger than a TCP window
/// and bounds the memory.
const WINDOW: usize = 8 << 20;

/// The size of one read in bytes.
const PIECE: usize = 128 << 10;

/// A port that forwards to another one with latency. Dropping it closes all connections.
pub struct Proxy {
    address: SocketAddr,
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    pub fn start(target: SocketAddr, round_trip: Duration) -> Self {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let address = listener.local_addr().expect("the address of the listener");
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, target, round_trip) => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(serve);
        let thread = Some(thread.expect("a thread for the proxy"));
        Self { address, stop: Some(stop), thread }
    }

    /// Returns the address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the proxy has panicked");
        }
    }
}

async fn accept(listener: StdListener, target: SocketAddr, round_trip: Duration) {
    let listener = TcpListener::from_std(listener).expect("a listener of the runtime");
    loop {
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(connect(client, target, round_trip));
        }
    }
}

async fn connect(client: TcpStream, target: SocketAddr, round_trip: Duration) {
    let connected = Instant::now() + round_trip;
    let Ok(server) = TcpStream::connect(target).await else { return };
    for stream in [&client, &server] {
        // The sender has already decided how to batch its data.
        stream.set_nodelay(true).expect("a TCP socket");
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    forward(from_client, to_server, connected, round_trip / 2);
    forward(from_server, to_client, connected, round_trip / 2);
}

/// Data in flight.
struct Piece {
    due: Instant,
    bytes: Bytes,
    /// Its part of the window, released on arrival.
    permits: OwnedSemaphorePermit,
}

/// Forwards one direction of a connection until it is closed. Data leaves no earlier than
/// `connected`, and arrives `delay` later.
fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, connected: Instant, delay: Duration) {
    let (sender, mut in_flight) = mpsc::unbounded_channel::<Piece>();
    let window = Arc::new(Semaphore::new(WINDOW));
    tokio::spawn(async move {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(PIECE);
            let Ok(1..) = from.read_buf(&mut buffer).await else { return };
            let due = Instant::now().max(connected) + delay;
            let bytes = buffer.split().freeze();
            let count = u32::try_from(bytes.len().min(WINDOW)).expect("a small piece");
            let permits = Arc::clone(&window).acquire_many_owned(count).await;
            let permits = permits.expect("a window that is never closed");
            if sender.send(Piece { due, bytes, permits }).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(Piece { due, bytes, permits }) = in_flight.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
            drop(permits);
        }
        // Dropping `to` forwards the end of the connection, after all data.
    });
}

/// Measures a proxy in seconds: a round trip, and the first round trip of a connection.
pub fn measure(round_trip: Duration) -> (Spread, Spread) {
    const TIMES: usize = 10;
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let echo = listener.local_addr().expect("the address of the listener");
    let server = std::thread::spawn(move || {
        for stream in listener.incoming().take(TIMES) {
            let mut stream = stream.expect("a connection");
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                stream.write_all(&byte).expect("a connection");
            }
        }
    });
    let proxy = Proxy::start(echo, round_trip);
    let (mut trips, mut firsts) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let begun = Instant::now();
        let mut stream = StdStream::connect(proxy.address()).expect("a connection");
        for first in [true, false, false] {
            let begun = if first { begun } else { Instant::now() };
            let mut byte = [1];
            stream.write_all(&byte).expect("a connection");
            stream.read_exact(&mut byte).expect("a connection");
            let times = if first { &mut firsts } else { &mut trips };
            times.push(begun.elapsed().as_secs_f64());
        }
    }
    drop(proxy);
    server.join().expect("an echo");
    let (trip, first) = (Spread::of(trips), Spread::of(firsts));
    let asked = round_trip.as_secs_f64();
    assert!(trip.least >= asked && first.least >= 2.0 * asked, "{trip:?}, {first:?}");
    (trip, first)
}
