//! Whom we believe: the certificate authorities of this system, and those of a runner's own file.
//!
//! A static binary carries no trust store of the system it runs on, so it is looked for where
//! distributions put it; `SSL_CERT_FILE` says otherwise. Where there is none, Mozilla's list that
//! was compiled in has to do.

use std::env;
use std::fs;

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

const SYSTEM_STORES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The system's authorities, and those of `own`, a text in PEM form.
#[must_use]
pub fn roots(own: Option<&str>) -> RootCerts {
    let mut trusted = system_store();
    trusted.extend(
        own.map(|pem| certificates(pem.as_bytes()))
            .unwrap_or_default(),
    );
    if trusted.is_empty() {
        RootCerts::WebPki
    } else {
        RootCerts::new_with_certs(&trusted)
    }
}

/// Whether `pem` has at least one certificate.
#[must_use]
pub fn has_certificates(pem: &str) -> bool {
    !certificates(pem.as_bytes()).is_empty()
}

fn system_store() -> Vec<Certificate<'static>> {
    let chosen = env::var("SSL_CERT_FILE").ok();
    let places = chosen.iter().map(String::as_str).chain(SYSTEM_STORES);
    places
        .filter_map(|path| fs::read(path).ok())
        .map(|pem| certificates(&pem))
        .find(|certificates| !certificates.is_empty())
        .unwrap_or_default()
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect()
}
