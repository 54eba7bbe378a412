//! Why a TLS connection did not come about, in words that tell the operator what to do.

use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use crate::foreign::{Keep, one_line};

/// As many characters of the names in a certificate as a person reads.
const NAMES: usize = 100;

/// What went wrong with `host`, where the certificates of `sources` are believed.
#[must_use]
pub fn explain(error: &Error, host: &str, sources: &str) -> String {
    match error {
        Error::InvalidCertificate(why) => {
            format!(
                "the certificate of {host} {}",
                certificate(why, host, sources)
            )
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("{host} does not speak TLS at this port: its address may be an http:// one")
        }
        Error::AlertReceived(alert) if refuses_our_certificate(*alert) => format!(
            "{host} wants to see a client certificate that it knows ({alert:?}): `tls-cert-file` and \
             `tls-key-file` name it"
        ),
        Error::AlertReceived(AlertDescription::HandshakeFailure) => format!(
            "{host} ended the handshake: it shares no kind of encryption with this program, or wants a \
             client certificate (`tls-cert-file`)"
        ),
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => {
            format!("{host} speaks no TLS that is safe, 1.2 or 1.3: {error}")
        }
        _ => format!("no TLS with {host}: {error}"),
    }
}

/// Whether a server says so of the client certificate, or of its lack.
#[must_use]
pub const fn refuses_our_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
    )
}

/// Whether webpki refuses a server's certificate because it is an authority's.
pub fn is_an_authority(why: &CertificateError) -> bool {
    let CertificateError::Other(other) = why else {
        return false;
    };
    let webpkis = other.0.downcast_ref::<webpki::Error>();
    matches!(webpkis, Some(webpki::Error::CaUsedAsEndEntity))
}

/// The rest of the sentence.
fn certificate(why: &CertificateError, host: &str, sources: &str) -> String {
    match why {
        CertificateError::ExpiredContext { time, not_after } => format!(
            "expired on {}, and the clock here says {}: renew it",
            date(*not_after),
            date(*time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "is good from {} on, and the clock here says {}: set the clock, or have it issued anew",
            date(*not_before),
            date(*time)
        ),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let kind = if host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok() {
                "IP"
            } else {
                "DNS"
            };
            let host = host.trim_matches(['[', ']']);
            if presented.is_empty() {
                return format!(
                    "names no host (a common name does not count): have it issued with \
                     subjectAltName={kind}:{host}"
                );
            }
            let names: Vec<_> = presented.iter().map(|name| plain(name)).collect();
            let names = one_line(&names.join(", "), Keep::Start(NAMES));
            format!(
                "is for {names}: use one of these in the address, or have it issued with \
                 subjectAltName={kind}:{host}"
            )
        }
        CertificateError::UnknownIssuer => format!(
            "is of an authority that is not in {sources}: add that authority's certificate there, or \
             for a coordinator name it as `tls-ca-file`"
        ),
        CertificateError::InvalidPurposeContext { .. } | CertificateError::InvalidPurpose => {
            "is not made for a server (extendedKeyUsage=serverAuth): have it issued anew".to_owned()
        }
        why if is_an_authority(why) => format!(
            "is that of an authority, and not itself in {sources}: add this very certificate there, or \
             for a coordinator name it as `tls-ca-file`"
        ),
        CertificateError::BadSignature => {
            "has a signature that is wrong: an authority of the same name, but with another key, is \
             trusted here"
                .to_owned()
        }
        why => format!("can't be used: {why}"),
    }
}

/// A name as it is in an address: webpki has it as `DnsName("x.org")`.
fn plain(name: &str) -> &str {
    let inner = name.split_once('(').map_or(name, |(_, inner)| inner);
    inner.trim_matches(['(', ')', '"'])
}

/// The day; what is too far away to be one says nothing more than that.
fn date(time: UnixTime) -> String {
    // Year 9999, as far as dates are written.
    let seconds = time.as_secs().min(253_402_300_799);
    let moment = UNIX_EPOCH + Duration::from_secs(seconds);
    let text = humantime::format_rfc3339_seconds(moment).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}
