//! A certificate for the server, which no client trusts by default.

use std::sync::Arc;

use rcgen::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A server's certificate and key.
pub struct Identity {
    pub acceptor: TlsAcceptor,
    /// The self-signed certificate.
    pub pem: String,
}

impl Identity {
    /// Creates a certificate for this machine.
    pub fn new() -> Self {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the protocol versions of the crypto provider")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())
            .expect("a certificate that belongs to its key");
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), pem: cert.pem() }
    }
}
