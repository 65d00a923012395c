//! The server's end of a connection, which a fault can close or reset.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// How to end a connection, as set by the fault of a request.
#[derive(Default)]
pub struct Ending {
    cut: AtomicBool,
    reset: AtomicBool,
}

impl Ending {
    /// Closes the connection after all bytes written so far.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// Makes the connection end with a reset (RST).
    pub fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }
}

/// A socket, with or without TLS.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A socket that ends according to its [`Ending`].
pub struct Connection<S: Socket> {
    socket: S,
    ending: Arc<Ending>,
}

impl<S: Socket> Connection<S> {
    pub fn new(socket: S, ending: Arc<Ending>) -> Self {
        Self { socket, ending }
    }
}

impl<S: Socket> Drop for Connection<S> {
    fn drop(&mut self) {
        if self.ending.reset.load(Ordering::Relaxed) {
            // Fails if the client is already gone.
            let _ = self.socket.tcp().set_zero_linger();
        }
    }
}

impl<S: Socket> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl<S: Socket> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    /// The HTTP server flushes after it has written all available data.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        if self.ending.cut.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
