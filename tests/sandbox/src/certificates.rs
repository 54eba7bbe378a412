//! Certificates: those that servers of this world show, and all kinds of wrong ones for tests.
//!
//! Real services have one of an authority that everybody knows. An [`Authority`] here is known to those
//! who were told of it only. It may not know who shows what to whom.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Where everything is that shows one.
pub const HERE: &str = "localhost";

/// A certificate with its key.
pub struct Shown {
    pub pem: String,
    pub key: KeyPair,
    der: CertificateDer<'static>,
}

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn new() -> Self {
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        // No two have the same name.
        let name = BASE64_STANDARD.encode(key.public_key_raw());
        authority.distinguished_name.push(DnType::CommonName, name);
        let authority = CertifiedIssuer::self_signed(authority, key);
        Self(authority.expect("a certificate can be signed"))
    }

    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    #[must_use]
    pub fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// One that is good for this place, but for a change.
    #[must_use]
    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Shown {
        Shown::new(change, Some(&self.0))
    }
}

impl Shown {
    /// One that is its own authority, as `openssl req -x509` makes it.
    #[must_use]
    pub fn own_authority(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let authority = |params: &mut CertificateParams| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            change(params);
        };
        Self::new(authority, None)
    }

    fn new(
        change: impl FnOnce(&mut CertificateParams),
        issuer: Option<&Issuer<'_, KeyPair>>,
    ) -> Self {
        let mut params = params_for(HERE);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2999, 12, 31);
        change(&mut params);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = match issuer {
            Some(issuer) => params.signed_by(&key, issuer),
            None => params.self_signed(&key),
        };
        let certificate = certificate.expect("a certificate can be signed");
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            key,
        }
    }

    /// For a server that shows it.
    #[must_use]
    pub fn pair(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.der.clone()], PrivateKeyDer::Pkcs8(key))
    }

    /// A server that shows it, and asks its visitors for none.
    ///
    /// # Panics
    /// When TLS takes no such certificate.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        let (chain, key) = self.pair();
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = builder
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
        Arc::new(config.expect("TLS takes a certificate that was made here"))
    }

    /// As OpenSSL writes one that is trusted for servers.
    #[must_use]
    pub fn trusted_pem(&self) -> String {
        let for_servers = [0x30, 12, 0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
        let base64 = BASE64_STANDARD.encode([self.der.as_ref(), &for_servers].concat());
        let head = "TRUSTED CERTIFICATE-----";
        format!("-----BEGIN {head}\n{base64}\n-----END {head}\n")
    }
}

fn params_for(host: &str) -> CertificateParams {
    CertificateParams::new(vec![host.to_owned()]).expect("a host's name")
}

pub fn expired(params: &mut CertificateParams) {
    params.not_after = date_time_ymd(2001, 12, 31);
}

pub fn not_yet_valid(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2990, 1, 1);
}

pub fn for_another_host(params: &mut CertificateParams) {
    params.subject_alt_names = params_for("elsewhere.example").subject_alt_names;
}

/// Its name is where nobody looks any more.
pub fn with_a_common_name_only(params: &mut CertificateParams) {
    params.subject_alt_names.clear();
    params.distinguished_name.push(DnType::CommonName, HERE);
}
