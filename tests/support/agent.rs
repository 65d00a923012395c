//! A fake local HTTP service, such as the credentials endpoint of a container or the metadata
//! service of an instance.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use super::LONG;

/// Starts a service. `respond` returns the response body for the first line of a request, or `None`
/// for 404. Returns the address, and a channel of request heads in lower case.
pub fn agent(
    respond: impl Fn(&str) -> Option<String> + Send + 'static,
) -> (String, Receiver<String>) {
    agent_at("127.0.0.1:0", respond)
}

/// Starts a service at a given address.
pub fn agent_at(
    address: &str,
    respond: impl Fn(&str) -> Option<String> + Send + 'static,
) -> (String, Receiver<String>) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (heads, requests) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let head = serve(stream.unwrap(), &respond);
            if heads.send(head).is_err() {
                return;
            }
        }
    });
    (address, requests)
}

fn serve(mut stream: TcpStream, respond: impl Fn(&str) -> Option<String>) -> String {
    stream.set_read_timeout(Some(LONG)).unwrap();
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<_> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let head = head.join("\n");
    let request = head.lines().next().unwrap_or_default();
    let (status, body) = match respond(request) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let length = body.len();
    // Fails if the client has closed the connection.
    drop(write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nX-aws-ec2-metadata-token-ttl-seconds: \
         21600\r\nConnection: close\r\n\r\n{body}"
    ));
    head.to_lowercase()
}
