//! Where to tell that a job has ended.

use std::fmt;
use std::str::FromStr;

use ::http::Uri;
use thiserror::Error;

/// The address of a webhook. It is secret, because anybody who knows it can post there: only its host is
/// shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    server: String,
    path: String,
}

impl Webhook {
    /// Scheme, host and port: `https://example.org:8443`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Path and query, which are the secret part.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host, with its port if there is one.
    pub fn host(&self) -> &str {
        self.server.split_once("://").map_or("", |(_, host)| host)
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Webhook").field(&self.server).finish()
    }
}

/// Who is told of the end of which job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Where to post.
    pub webhook: Webhook,
    /// The subcommand: `run`, `submit`.
    pub action: &'static str,
    /// The URI or path of the scene.
    pub input: Option<String>,
    /// The URI or path of the output.
    pub output: Option<String>,
    /// The id of the job on AWS Batch that was given.
    pub job_id: Option<String>,
}

/// Why a text is no webhook. It does not show the text, which is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not the address of a webhook; give https://HOST/PATH or http://HOST:PORT/PATH")]
pub struct WebhookError;

impl FromStr for Webhook {
    type Err = WebhookError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| WebhookError)?;
        let scheme = uri.scheme_str().ok_or(WebhookError)?.to_ascii_lowercase();
        let host = uri.authority().ok_or(WebhookError)?;
        // A user's name would have to be sent in another way.
        if !["http", "https"].contains(&scheme.as_str()) || host.as_str().contains('@') {
            return Err(WebhookError);
        }
        let path = uri.path_and_query().map_or("/".to_owned(), ToString::to_string);
        Ok(Self { server: format!("{scheme}://{host}"), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_an_address_of_which_only_the_host_is_shown() {
        for (text, server, path) in [
            (
                "https://hooks.example.org/services/T0/x",
                "https://hooks.example.org",
                "/services/T0/x",
            ),
            ("HTTP://localhost:8065/a?b=c#d", "http://localhost:8065", "/a?b=c"),
            ("http://[::1]:80", "http://[::1]:80", "/"),
            ("https://example.org?key=1", "https://example.org", "/?key=1"),
        ] {
            let hook: Webhook = text.parse().unwrap();
            assert_eq!((hook.server(), hook.path()), (server, path), "{text}");
            assert!(!format!("{hook:?}").contains(path.trim_start_matches('/')) || path == "/");
        }
        for bad in [
            "",
            "example.org/x",
            "ftp://example.org/x",
            "https:///x",
            "https://a b/x",
            "https://u:p@h/x",
        ] {
            assert_eq!(bad.parse::<Webhook>(), Err(WebhookError), "{bad}");
        }
    }
}
