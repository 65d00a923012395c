//! A service of the machine, as containers and instances have them: it hands out
//! credentials, or tells of the instance.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use super::LONG;

/// A service on this machine that answers each request, by its first line, with a body
/// or with 404. Gives its address and the heads of the requests, in lower case.
pub fn agent(
    answer: impl Fn(&str) -> Option<String> + Send + 'static,
) -> (String, Receiver<String>) {
    agent_at("127.0.0.1:0", answer)
}

/// The same at an address that is known before there is a service.
pub fn agent_at(
    address: &str,
    answer: impl Fn(&str) -> Option<String> + Send + 'static,
) -> (String, Receiver<String>) {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (heads, asked) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let head = serve(stream.unwrap(), &answer);
            if heads.send(head).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

fn serve(mut stream: TcpStream, answer: impl Fn(&str) -> Option<String>) -> String {
    stream.set_read_timeout(Some(LONG)).unwrap();
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<_> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let head = head.join("\n");
    let request = head.lines().next().unwrap_or_default();
    let (status, body) = match answer(request) {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", String::new()),
    };
    let length = body.len();
    // Whoever asked may have gone away.
    drop(write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nX-aws-ec2-metadata-token-ttl-seconds: \
         21600\r\nConnection: close\r\n\r\n{body}"
    ));
    head.to_lowercase()
}
