//! Whether a server's certificate is believed: what webpki says, and one exception.
//!
//! webpki takes no certificate of an authority from a server. But the one that `openssl req -x509`
//! makes is an authority and a server's at once, and so is what many small installations show. curl
//! and Go take it when it stands among the trusted ones itself; so do we. Names, dates and
//! signatures are webpki's business in all cases.

use std::collections::HashSet;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::store::Store;
use super::words::is_an_authority;
use crate::digest::sha256;

#[derive(Debug)]
pub struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    known: HashSet<[u8; 32]>,
}

impl Verifier {
    /// Believes `store`.
    ///
    /// # Errors
    /// When that has nothing in it.
    pub fn new(store: Store, provider: &Arc<CryptoProvider>) -> Result<Self, VerifierBuilderError> {
        let roots = Arc::new(store.roots);
        let webpki = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
        Ok(Self {
            webpki: webpki.build()?,
            known: store.known,
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let believed = self.webpki.verify_server_cert(shown, more, name, ocsp, now);
        let Err(Error::InvalidCertificate(why)) = &believed else {
            return believed;
        };
        if lacks_an_authority(why) && self.known.contains(&sha256(shown)) {
            verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        believed
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, shown, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Whether all is well with a certificate but who has signed it. webpki looks at the dates before, and
/// ends there when they are wrong.
fn lacks_an_authority(why: &CertificateError) -> bool {
    is_an_authority(why)
        || matches!(
            why,
            CertificateError::UnknownIssuer
                | CertificateError::BadSignature
                | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
        )
}
