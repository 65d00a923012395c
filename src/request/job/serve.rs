//! A request to `serve` the web page.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::request::value::{ValueError, whole_number};

/// A validated `serve` request.
#[derive(Clone, Debug)]
pub struct ServeJob {
    /// The address of the page.
    pub listen: ListenAddress,
    /// The names of this machine under which browsers may open the page.
    pub allowed_hosts: Vec<HostName>,
    /// The folder with everything that the page shows, absolute.
    pub data: PathBuf,
    /// The folder with pictures that are on the server already, absolute.
    pub input: Option<PathBuf>,
    /// The folders of this machine whose outputs the page may watch, absolute.
    pub watched: Vec<PathBuf>,
    /// The folder in which each video is stored as well, absolute.
    pub output: Option<PathBuf>,
    /// The variables that the programs of the server get.
    pub environment: BTreeMap<String, String>,
}

/// The address and port that the server listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress(SocketAddr);

impl ListenAddress {
    /// Any free port on which only this machine can reach the server.
    pub fn free_on_loopback() -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0))
    }

    /// The address for the system.
    pub fn socket(self) -> SocketAddr {
        self.0
    }

    /// The same port on the address `name`: an IP address or `localhost`.
    ///
    /// # Errors
    /// [`ValueError`] for another name.
    pub fn with_name(self, name: &str) -> Result<Self, ValueError> {
        let address = address(name);
        let wanted = "an address, such as 127.0.0.1, 0.0.0.0 or ::";
        let address = address.ok_or_else(|| ValueError::new(name, wanted))?;
        Ok(Self(SocketAddr::new(address, self.0.port())))
    }

    /// The same address with this port.
    ///
    /// # Errors
    /// [`ValueError`] if it is no port.
    pub fn with_port(self, port: &str) -> Result<Self, ValueError> {
        let number = whole_number(port, 0, u16::MAX.into())?;
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        Ok(Self(SocketAddr::new(self.0.ip(), number)))
    }
}

impl Default for ListenAddress {
    fn default() -> Self {
        Self(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 7861))
    }
}

impl FromStr for ListenAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "an address and a port, such as 127.0.0.1:7861, 0.0.0.0:7861 or [::1]:7861";
        let error = || ValueError::new(text, wanted);
        let (name, port) = text.rsplit_once(':').ok_or_else(error)?;
        let bracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        // Without brackets, the end of an IPv6 address looks like a port.
        if bracketed.is_none() && name.contains(':') {
            return Err(error());
        }
        let named = Self::default().with_name(bracketed.unwrap_or(name)).map_err(|_| error())?;
        named.with_port(port).map_err(|_| error())
    }
}

fn address(name: &str) -> Option<IpAddr> {
    if name == "localhost" { Some(Ipv4Addr::LOCALHOST.into()) } else { name.parse().ok() }
}

/// A name of this machine in the Domain Name System, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if text.len() <= 253 && text.split('.').all(is_label) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(ValueError::new(text, "a name without scheme and port, such as studio.example"))
        }
    }
}

/// Several names, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostNames(pub Vec<HostName>);

impl FromStr for HostNames {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port() {
        for (text, expected) in [
            ("127.0.0.1:7861", Some("127.0.0.1:7861")),
            ("localhost:80", Some("127.0.0.1:80")),
            ("0.0.0.0:0", Some("0.0.0.0:0")),
            ("[::1]:7861", Some("[::1]:7861")),
            ("::1:7861", None),
            ("7861", None),
            (":7861", None),
            ("studio:7861", None),
            ("127.0.0.1:65536", None),
            ("127.0.0.1:", None),
            ("http://127.0.0.1:80", None),
        ] {
            let address = text.parse().ok().map(|ListenAddress(socket)| socket.to_string());
            assert_eq!(address.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_host_is_a_name_alone() {
        let names: HostNames = "Studio.example, b".parse().unwrap();
        let names: Vec<_> = names.0.iter().map(HostName::as_str).collect();
        assert_eq!(names, ["studio.example", "b"]);
        for bad in ["", "a,", "http://a", "a:80", "a b", "a..b", "*"] {
            assert!(bad.parse::<HostNames>().is_err(), "{bad}");
        }
    }
}
