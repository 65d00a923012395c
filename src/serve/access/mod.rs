//! Nobody else gets in.
//!
//! Three rules, each against another attack from a page of somebody else's in the user's browser, or
//! from another machine:
//!
//! 1. *The Host is one of ours* ([`hosts`]). A web site cannot let its own name point to this machine
//!    and then read the answers (DNS rebinding).
//! 2. *Nothing is changed on behalf of another site* ([`hosts::is_foreign`]). A form or script
//!    elsewhere cannot send requests here (CSRF).
//! 3. *On other addresses than loopback, a token is needed* ([`token`]). It is in the link that the
//!    log shows, and then in a cookie that no other site can send along.

pub mod headers;
mod hosts;
mod token;

use std::net::SocketAddr;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};

use crate::request::HostName;
use token::Token;

/// Who may do what.
#[derive(Debug)]
pub struct Access {
    hosts: hosts::Hosts,
    token: Option<Token>,
}

/// What to do with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is answered.
    Admitted,
    /// It has the token in its address: the browser gets this cookie, and is sent to the address
    /// without the token.
    SignIn {
        /// The value of `Set-Cookie`.
        cookie: String,
        /// The path.
        location: String,
    },
    /// It is refused.
    Refused(StatusCode, &'static str),
}

impl Access {
    /// The rules for a server that listens on `address`.
    ///
    /// # Errors
    /// If the system has no random bytes for a token.
    pub fn new(address: SocketAddr, allowed: &[HostName]) -> std::io::Result<Self> {
        let needs_token = !address.ip().is_loopback();
        let token = needs_token.then(|| Token::random(address.port())).transpose()?;
        Ok(Self { hosts: hosts::Hosts::new(allowed, needs_token), token })
    }

    /// The rules for a server on loopback whose page is for one person: it needs the token also there.
    ///
    /// # Errors
    /// If the system has no random bytes for a token.
    pub fn of_one_person(address: SocketAddr) -> std::io::Result<Self> {
        let token = Token::random(address.port())?;
        Ok(Self { hosts: hosts::Hosts::new(&[], false), token: Some(token) })
    }

    /// The link to the page, which a person opens. It contains the token.
    pub fn link(&self, address: SocketAddr) -> String {
        self.link_to(address, "/")
    }

    /// The link to this path, with the token.
    pub fn link_to(&self, address: SocketAddr, path: &str) -> String {
        // All addresses of a machine are none that a browser could open.
        let host = match address {
            _ if address.ip().is_unspecified() => format!("127.0.0.1:{}", address.port()),
            _ => address.to_string(),
        };
        match &self.token {
            Some(token) => format!("http://{host}{path}?token={}", token.as_str()),
            None => format!("http://{host}{path}"),
        }
    }

    /// Decides about a request.
    pub fn admit(&self, request: &Parts) -> Admission {
        use Admission::{Admitted, Refused};
        let Some(host) = hosts::host_of(request) else {
            return Refused(StatusCode::BAD_REQUEST, "the request names no host");
        };
        if !self.hosts.allow(host) {
            return Refused(
                StatusCode::MISDIRECTED_REQUEST,
                "the server does not answer under this name; start it with --allow-host NAME, or \
                 open the page by its address",
            );
        }
        if hosts::is_foreign(request, host) {
            return Refused(StatusCode::FORBIDDEN, "the request comes from another site");
        }
        let Some(token) = &self.token else { return Admitted };
        if let Some(given) = token::in_query(request) {
            return if request.method == Method::GET && token.matches(given) {
                let location = request.uri.path().to_owned();
                Admission::SignIn { cookie: token.cookie(), location }
            } else {
                Refused(StatusCode::UNAUTHORIZED, "the token in the link is of an earlier start")
            };
        }
        if token.is_in_headers(&request.headers) {
            Admitted
        } else {
            Refused(
                StatusCode::UNAUTHORIZED,
                "the page needs the link that the server shows in its log when it starts",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(method: Method, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn status(access: &Access, method: Method, uri: &str, headers: &[(&str, &str)]) -> u16 {
        match access.admit(&parts(method, uri, headers)) {
            Admission::Admitted => 200,
            Admission::SignIn { .. } => 303,
            Admission::Refused(status, _) => status.as_u16(),
        }
    }

    #[test]
    fn on_loopback_any_request_of_this_machine_is_admitted_and_none_of_another_site() {
        let access = Access::new("127.0.0.1:7861".parse().unwrap(), &[]).unwrap();
        let (host, foreign) = (("host", "localhost:7861"), ("origin", "http://evil.example"));
        for (method, headers, expected) in [
            (Method::GET, vec![host], 200),
            (Method::POST, vec![host], 200),
            (Method::POST, vec![host, ("origin", "http://localhost:7861")], 200),
            (Method::POST, vec![host, foreign], 403),
            (Method::PUT, vec![host, ("origin", "null")], 403),
            (Method::DELETE, vec![host, ("origin", "http://localhost:80")], 403),
            (Method::POST, vec![host, ("sec-fetch-site", "cross-site")], 403),
            (Method::POST, vec![host, ("sec-fetch-site", "same-site")], 403),
            (Method::GET, vec![host, ("sec-fetch-site", "cross-site")], 403),
            (Method::GET, vec![("host", "evil.example:7861")], 421),
            (Method::GET, vec![("host", "192.0.2.1:7861")], 421),
            (Method::GET, vec![], 400),
        ] {
            assert_eq!(status(&access, method.clone(), "/", &headers), expected, "{headers:?}");
        }
        // A link in a mail or on another site may be followed.
        let link = [
            host,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(status(&access, Method::GET, "/", &link), 200);
        assert_eq!(status(&access, Method::POST, "/", &link), 403);
        let in_a_frame = [host, link[1], link[2], ("sec-fetch-dest", "iframe")];
        assert_eq!(status(&access, Method::GET, "/", &in_a_frame), 403);
    }

    #[test]
    fn elsewhere_the_token_is_exchanged_for_a_cookie() {
        let address = "0.0.0.0:80".parse().unwrap();
        let names = ["studio.example".parse().unwrap()];
        let access = Access::new(address, &names).unwrap();
        let link = access.link(address);
        let query = link.strip_prefix("http://127.0.0.1:80").unwrap();
        let host = ("host", "studio.example");
        assert_eq!(status(&access, Method::GET, "/", &[host]), 401);
        assert_eq!(status(&access, Method::GET, "/?token=0", &[host]), 401);
        assert_eq!(status(&access, Method::POST, query, &[host]), 401);
        let SignIn { cookie, location } = access.admit(&parts(Method::GET, query, &[host])) else {
            panic!("not signed in")
        };
        assert_eq!(location, "/");
        assert!(cookie.contains("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
        let pair = cookie.split(';').next().unwrap();
        let many = format!("other=1; {pair}; more=2");
        assert_eq!(status(&access, Method::POST, "/", &[host, ("cookie", &many)]), 200);
        let wrong = format!("{pair}0");
        assert_eq!(status(&access, Method::POST, "/", &[host, ("cookie", &wrong)]), 401);
        let bearer = format!("Bearer {}", query.strip_prefix("/?token=").unwrap());
        assert_eq!(status(&access, Method::POST, "/", &[host, ("authorization", &bearer)]), 200);
        assert_eq!(status(&access, Method::POST, "/", &[host, ("authorization", "Bearer ")]), 401);
        // Who has the token may come by any address, and under no other name.
        let allowed = [("host", "192.0.2.1:8080"), ("authorization", &bearer)];
        assert_eq!(status(&access, Method::GET, "/", &allowed), 200);
        let rebound = [("host", "evil.example"), ("authorization", &bearer)];
        assert_eq!(status(&access, Method::GET, "/", &rebound), 421);
    }

    use Admission::SignIn;
}
