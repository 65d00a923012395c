//! A network with a long way: TCP connections through which everything takes its time.
//!
//! Half of the round trip is added on the way there and half on the way back. The order is
//! kept, and the bandwidth is not limited. What arrives on a new connection is held for one
//! more round trip, which is what the handshake of TCP costs (here it is the kernel's, on
//! the loopback, and over at once). Neither loss nor slow start is imitated.

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

/// What is on its way in one direction of a connection, in bytes: more than the windows of
/// TCP allow, and the bound on memory.
const WINDOW: usize = 8 << 20;

/// What is taken at once, in bytes.
const PIECE: usize = 128 << 10;

/// A port that leads to another one, the long way. Dropping it ends the connections.
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

    /// Where clients connect to.
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
    let shaken = Instant::now() + round_trip;
    let Ok(server) = TcpStream::connect(target).await else { return };
    for stream in [&client, &server] {
        // Whoever sends has waited already for what is worth waiting for.
        stream.set_nodelay(true).expect("a TCP socket");
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    carry(from_client, to_server, shaken, round_trip / 2);
    carry(from_server, to_client, shaken, round_trip / 2);
}

/// Something on its way.
struct Piece {
    due: Instant,
    bytes: Bytes,
    /// Its share of the window, until it has arrived.
    share: OwnedSemaphorePermit,
}

/// Carries one direction of a connection until it is closed: nothing sets out before
/// `shaken`, and takes `delay`.
fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shaken: Instant, delay: Duration) {
    let (sender, mut way) = mpsc::unbounded_channel::<Piece>();
    let window = Arc::new(Semaphore::new(WINDOW));
    tokio::spawn(async move {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(PIECE);
            let Ok(1..) = from.read_buf(&mut buffer).await else { return };
            let due = Instant::now().max(shaken) + delay;
            let bytes = buffer.split().freeze();
            let share = u32::try_from(bytes.len().min(WINDOW)).expect("a small piece");
            let share = Arc::clone(&window).acquire_many_owned(share).await;
            let share = share.expect("a window that is never closed");
            if sender.send(Piece { due, bytes, share }).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(Piece { due, bytes, share }) = way.recv().await {
            sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
            drop(share);
        }
        // Dropped, the end of the connection travels on, after all that came before.
    });
}

/// What the way through a proxy really takes, in seconds: a round trip, and the first one
/// of a connection.
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
