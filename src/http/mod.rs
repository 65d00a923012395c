//! The HTTP client below the AWS SDK: TLS by rustls, names resolved in Rust.
//!
//! `getaddrinfo` of a static glibc loads the NSS modules that the root file
//! system's `nsswitch.conf` names, built for another glibc, and can die of it
//! (rust-lang/rust issue 100711). A container's root file system is somebody
//! else's, so names are resolved from `/etc/hosts` and `/etc/resolv.conf` alone.

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

pub use watched::Meter;
use watched::watched;

/// How long an idle connection is kept. Frames can be minutes apart, and S3 closes
/// idle connections after some seconds: one that is reused just then stalls the
/// upload (aws-sdk-rust issue 1417).
const IDLE: Duration = Duration::from_secs(5);

/// A client for the SDK and its credential providers.
pub fn client() -> SharedHttpClient {
    let builder =
        Builder::new().pool_idle_timeout(IDLE).tls_provider(Provider::Rustls(CryptoMode::Ring));
    watched(builder.build_with_resolver(Dns::from_system()))
}

/// A client for `http:` alone: it looks for no certificate authorities, which takes time,
/// and a warning where the system has none.
pub fn plain_client() -> SharedHttpClient {
    let builder = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let nobody = TlsContext::builder().with_trust_store(TrustStore::empty()).build();
    let builder = match nobody {
        Ok(nobody) => builder.tls_context(nobody),
        // Nothing was configured that could be wrong; with authorities it works as well.
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
            // A root file system without resolv.conf: addresses and hosts still work.
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
