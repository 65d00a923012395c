//! The HTTP client below the AWS SDK: TLS by rustls, host names resolved in Rust.
//!
//! `getaddrinfo` of a static glibc loads the NSS modules that `nsswitch.conf` of the root file
//! system names. They are built for another glibc, and loading them can crash the process
//! (rust-lang/rust issue 100711). The root file system belongs to the container, so names are
//! resolved from `/etc/hosts` and `/etc/resolv.conf` alone.

mod post;
mod watched;

use std::io;
use std::time::Duration;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::name_server::TokioConnectionProvider;
use hickory_resolver::{Resolver, TokioResolver};

pub use post::{Answer, NoAnswer, Post, post};
pub use watched::Meter;
use watched::watched;

/// How long an idle connection is kept. Frames can be minutes apart, and S3 closes idle
/// connections after some seconds. An upload that reuses a connection at that moment stalls
/// (aws-sdk-rust issue 1417).
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates the client of the SDK and its credential providers.
pub fn client() -> SharedHttpClient {
    let builder = Builder::new()
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tls_provider(Provider::Rustls(CryptoMode::Ring));
    watched(builder.build_with_resolver(Dns::from_system()))
}

/// Creates a client for `http:` alone. It loads no certificate authorities: that takes time, and
/// logs a warning on a system without any.
pub fn plain_client() -> SharedHttpClient {
    let builder = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let no_authorities = TlsContext::builder().with_trust_store(TrustStore::empty()).build();
    let builder = match no_authorities {
        Ok(no_authorities) => builder.tls_context(no_authorities),
        // Cannot happen: an empty trust store is valid. The default one would work as well.
        Err(_) => builder,
    };
    watched(builder.build_with_resolver(Dns::from_system()))
}

#[derive(Clone, Debug)]
struct Dns(TokioResolver);

impl Dns {
    fn from_system() -> Self {
        let provider = TokioConnectionProvider::default();
        let builder = TokioResolver::builder(provider.clone()).unwrap_or_else(|error| {
            // Without resolv.conf, IP addresses and names in /etc/hosts still work.
            tracing::debug!(%error, "no DNS servers: /etc/resolv.conf cannot be read");
            Resolver::builder_with_config(ResolverConfig::new(), provider)
        });
        Self(builder.build())
    }
}

impl ResolveDns for Dns {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            match self.0.lookup_ip(name).await {
                Ok(addresses) => Ok(addresses.into_iter().collect()),
                Err(error) => {
                    let text = format!("cannot resolve the host name {name:?}: {error}");
                    Err(ResolveDnsError::new(io::Error::other(text)))
                }
            }
        })
    }
}
