//! The token: a new one at each start, which nobody can guess.

use std::io;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use sha2::{Digest as _, Sha256};

use crate::serve::store::names::random;

/// The length of a token in bytes.
const BYTES: usize = 32;

/// The token, and the cookie that stands for it.
pub struct Token {
    text: String,
    /// Cookies are the same for all ports of a machine, so that the name of each server differs.
    cookie: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A new token for the server at this port.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn random(port: u16) -> io::Result<Self> {
        Ok(Self { text: random::<BYTES>()?, cookie: format!("render-worker-{port}") })
    }

    /// The token.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a text is the token. How long this takes says nothing about the token: what is compared
    /// are hashes, which nobody can choose.
    pub fn matches(&self, given: &str) -> bool {
        Sha256::digest(given) == Sha256::digest(&self.text)
    }

    /// The value of `Set-Cookie`. It is not `Secure`, because the server speaks plain HTTP.
    pub fn cookie(&self) -> String {
        format!("{}={}; HttpOnly; SameSite=Strict; Path=/", self.cookie, self.text)
    }

    /// Whether a request has the token, as a cookie or for a program.
    pub fn is_in_headers(&self, headers: &HeaderMap) -> bool {
        let all = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let mut bearers = all(header::AUTHORIZATION).filter_map(|it| it.strip_prefix("Bearer "));
        let mut cookies = all(header::COOKIE).flat_map(|text| text.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == self.cookie).then_some(value)
        });
        bearers.any(|given| self.matches(given)) || cookies.any(|given| self.matches(given))
    }
}

/// The token in the address of a request.
pub fn in_query(request: &Parts) -> Option<&str> {
    request.uri.query()?.split('&').find_map(|pair| pair.strip_prefix("token="))
}
