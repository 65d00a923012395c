//! Where to tell that a job has ended.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The address of a webhook. Whoever knows it can post there, so it is secret: only its host is shown.
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
        let (scheme, rest) = text.split_once("://").ok_or(WebhookError)?;
        let scheme = scheme.to_ascii_lowercase();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        // A fragment is not sent.
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let fits =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        let is_valid = ["http", "https"].contains(&scheme.as_str())
            && host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && host.chars().all(fits)
            && rest.chars().all(|c| c.is_ascii_graphic());
        if is_valid {
            Ok(Self { server: format!("{scheme}://{host}"), path })
        } else {
            Err(WebhookError)
        }
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
