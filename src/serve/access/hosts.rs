//! The names that the server answers under, and requests that other sites have caused.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{Method, header};

use crate::request::HostName;

/// The names that the server answers under. Ports mean nothing: a container publishes its port under
/// any other one.
#[derive(Debug)]
pub struct Hosts {
    allowed: Vec<HostName>,
    /// Whether any address is accepted, not only those of loopback. An address is no name that
    /// somebody else could point to this machine.
    any_address: bool,
}

impl Hosts {
    /// The names in `allowed`, localhost, and addresses.
    pub fn new(allowed: &[HostName], any_address: bool) -> Self {
        Self { allowed: allowed.to_vec(), any_address }
    }

    /// Whether the server answers under this host, which may have a port.
    pub fn allow(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        if let Ok(address) = address.unwrap_or(&name).parse::<IpAddr>() {
            return self.any_address || address.is_loopback();
        }
        name == "localhost" || self.allowed.iter().any(|allowed| allowed.as_str() == name)
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The host that a request is for. Not the one of its address: proxies alone send that.
pub fn host_of(request: &Parts) -> Option<&str> {
    request.headers.get(header::HOST)?.to_str().ok()
}

/// Whether a page of another site has caused a request that it must not cause.
pub fn is_foreign(request: &Parts, host: &str) -> bool {
    let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let only_reads = request.method == Method::GET || request.method == Method::HEAD;
    let is_link = only_reads
        && header("sec-fetch-mode") == Some("navigate")
        && header("sec-fetch-dest") == Some("document");
    let is_own_or_typed = matches!(header("sec-fetch-site"), None | Some("same-origin" | "none"));
    if !is_own_or_typed && !is_link {
        return true;
    }
    let is_own = |origin: &str| {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    !only_reads && header("origin").is_some_and(|origin| !is_own(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_without_their_ports() {
        let allowed = ["studio.example".parse().unwrap()];
        let here = Hosts::new(&allowed, false);
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("127.0.0.1:7861", true),
            ("127.1.2.3", true),
            ("[::1]:7861", true),
            ("Studio.Example:443", true),
            ("10.0.0.1", false),
            ("a.studio.example", false),
            ("studio.example.evil", false),
            ("studio.example:x", false),
            ("127.0.0.1.evil.example", false),
            ("0x7f000001", false),
            ("", false),
        ] {
            assert_eq!(here.allow(host), expected, "{host}");
        }
        assert!(Hosts::new(&[], true).allow("10.0.0.1:80"));
    }
}
