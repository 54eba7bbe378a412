//! Certificates and keys as people keep them: files in PEM form, with what editors and tools leave in
//! them.
//!
//! Comments in any encoding, byte order marks, UTF-16, line ends of any system, files that were put
//! together without a line break between them, and OpenSSL's `TRUSTED CERTIFICATE`, which has behind
//! the certificate what it is trusted for. What can't be read is told; what a certificate is worth
//! is not decided here.

use std::fs;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::der::{self, FIRST_CHOICE, SEQUENCE};

/// What is in a file of certificates: at least one.
#[derive(Debug)]
pub struct Certificates {
    pub read: Vec<CertificateDer<'static>>,
    /// What could not be read beside them, for the operator.
    pub complaint: Option<String>,
}

/// `id-kp-serverAuth` and `anyExtendedKeyUsage`, as they stand in DER.
const FOR_SERVERS: [&[u8]; 2] = [&[0x2b, 6, 1, 5, 5, 7, 3, 1], &[0x55, 0x1d, 0x25, 0]];

/// Reads a file of certificates.
///
/// # Errors
/// A text for the operator when there is none that can be read; it says what there is instead.
pub fn certificates(path: &Path) -> Result<Certificates, String> {
    let text = read(path)?;
    let mut found = Certificates {
        read: Vec::new(),
        complaint: None,
    };
    for item in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let certificate = item
            .map_err(|error| error.to_string())
            .and_then(|der| certificate(&der));
        match certificate {
            Ok(certificate) => found.read.push(certificate),
            Err(why) => {
                let shown = path.display();
                found.complaint = Some(format!("a certificate in {shown} can't be read: {why}"));
            }
        }
    }
    if found.read.is_empty() {
        let nothing = || {
            format!(
                "there is no certificate in {}{}",
                path.display(),
                instead(&text)
            )
        };
        return Err(found.complaint.unwrap_or_else(nothing));
    }
    Ok(found)
}

/// Reads a file's first private key.
///
/// # Errors
/// A text for the operator, which shows nothing of the key.
pub fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let text = read(path)?;
    if text.contains("ENCRYPTED") {
        return Err(format!(
            "the key in {} has a passphrase, which nobody is there to type; `openssl pkey` writes it \
             without one",
            path.display()
        ));
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        format!(
            "there is no private key in {}{}",
            path.display(),
            instead(&text)
        )
    })
}

/// In PEM form, for those who read nothing else.
#[must_use]
pub fn write(certificates: &[CertificateDer<'_>]) -> String {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;

    let mut pem = String::new();
    for certificate in certificates {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        let encoded = BASE64_STANDARD.encode(certificate);
        for line in encoded.as_bytes().chunks(64) {
            pem.push_str(&String::from_utf8_lossy(line));
            pem.push('\n');
        }
        pem.push_str("-----END CERTIFICATE-----\n");
    }
    pem
}

/// The file's text without what stands in the way. What is not UTF-8 is a comment, of which nobody asks
/// what it says.
fn read(path: &Path) -> Result<String, String> {
    let bytes =
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let latin = |bytes: Vec<u8>| bytes.into_iter().map(char::from).collect();
    let mut text = String::from_utf8(bytes).unwrap_or_else(|error| latin(error.into_bytes()));
    // The system's store is big, and has none of these: it is not copied for each.
    for (before, after) in [
        // The zeros and the marks of UTF-16, and the mark of UTF-8, as such and as Latin-1.
        ("\0", ""),
        ("\u{ff}\u{fe}", ""),
        ("\u{fe}\u{ff}", ""),
        ("\u{feff}", ""),
        ("\u{ef}\u{bb}\u{bf}", ""),
        ("----------BEGIN ", "-----\n-----BEGIN "),
        (" TRUSTED CERTIFICATE-----", " CERTIFICATE-----"),
        (" X509 CERTIFICATE-----", " CERTIFICATE-----"),
    ] {
        if text.contains(before) {
            text = text.replace(before, after);
        }
    }
    Ok(text)
}

/// One that a server may be believed for.
fn certificate(der: &[u8]) -> Result<CertificateDer<'static>, String> {
    let element = der::first(der).ok_or("it is cut off")?;
    let certificate = CertificateDer::from(element.whole.to_vec());
    RootCertStore::empty()
        .add(certificate.clone())
        .map_err(|error| error.to_string())?;
    if is_for_servers(element.rest) {
        Ok(certificate)
    } else {
        Err("its own words say that it is not trusted for servers".to_owned())
    }
}

/// By what OpenSSL has written behind a certificate: uses for which it is trusted, all if there are
/// none, and others for which it is not. Some systems keep the ones that they distrust in the same file.
fn is_for_servers(behind: &[u8]) -> bool {
    let lists = der::first(behind).map_or(&[][..], |element| element.content);
    der::all(lists).all(|list| {
        let named = der::all(list.content).any(|use_of| FOR_SERVERS.contains(&use_of.content));
        match list.tag {
            SEQUENCE => named,
            FIRST_CHOICE => !named,
            _ => true,
        }
    })
}

/// What there is, where something else was looked for.
fn instead(text: &str) -> String {
    let label = text
        .split_once("-----BEGIN ")
        .and_then(|(_, behind)| behind.split_once("-----"));
    match label {
        Some((label, _)) => format!(", but a {}", label.to_lowercase()),
        // The beginning of a sequence, in DER.
        None if text.starts_with("0\u{82}") => {
            ": it is in DER form; `openssl x509 -inform der` writes it in PEM form".to_owned()
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use rustls::pki_types::CertificateDer;
    use tempfile::TempDir;

    use super::{certificates, key, write};

    fn certificate() -> (Vec<u8>, String) {
        let shown = rcgen::generate_simple_self_signed(["x.test".to_owned()]).unwrap();
        (shown.cert.der().to_vec(), shown.signing_key.serialize_pem())
    }

    fn file(content: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.pem");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    fn pem(der: &[u8]) -> String {
        write(&[CertificateDer::from(der)])
    }

    fn utf16(text: &str) -> Vec<u8> {
        let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_certificate_is_found_whatever_tools_and_editors_have_made_of_its_file() {
        let (der, key) = certificate();
        let plain = pem(&der);
        let joined = plain.trim_end();
        for content in [
            plain.clone().into_bytes(),
            ["\u{feff}", &plain].concat().into_bytes(),
            utf16(&plain),
            plain.replace('\n', "\r\n").into_bytes(),
            plain.replace('\n', "\r").into_bytes(),
            plain.replace("-----\n", "-----  \n").into_bytes(),
            [b"Autorit\xe9 de Gen\xe8ve:\n".as_slice(), plain.as_bytes()].concat(),
            plain.replace(" CERT", " X509 CERT").into_bytes(),
            plain.replace(" CERT", " TRUSTED CERT").into_bytes(),
            format!("{key}{plain}").into_bytes(),
        ] {
            let (_folder, path) = file(&content);
            let found = certificates(&path).unwrap();
            assert!(
                found.read == [CertificateDer::from(der.as_slice())],
                "{content:?}"
            );
            assert_eq!(found.complaint, None);
        }
        let (_folder, path) = file([joined, joined, "\u{feff}", &plain].concat().as_bytes());
        assert_eq!(certificates(&path).unwrap().read.len(), 3);
    }

    #[test]
    fn what_openssl_writes_behind_a_certificate_says_what_it_is_good_for() {
        let (der, _) = certificate();
        let server: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
        let client: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2];
        let element = |tag: u8, content: &[u8]| {
            let length = u8::try_from(content.len()).unwrap();
            [&[tag, length], content].concat()
        };
        for (lists, is_good) in [
            (vec![], true),
            (element(0x30, server), true),
            (element(0x30, &[client, server].concat()), true),
            (element(0x30, client), false),
            (element(0xa0, client), true),
            (element(0xa0, server), false),
            (element(0xa0, &[6, 4, 0x55, 0x1d, 0x25, 0]), false),
            (
                [element(0x30, server), element(0xa0, server)].concat(),
                false,
            ),
            (element(0x0c, b"alias"), true),
        ] {
            let content = pem(&[der.clone(), element(0x30, &lists)].concat());
            let (_folder, path) = file(content.replace(" CERT", " TRUSTED CERT").as_bytes());
            let found = certificates(&path);
            assert_eq!(found.is_ok(), is_good, "{lists:?} {found:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_as_what_it_is() {
        let (der, key) = certificate();
        let plain = pem(&der);
        let cut: String = plain.lines().take(3).collect::<Vec<_>>().join("\n");
        for (content, why) in [
            (&b""[..], "there is no certificate in"),
            (b"# todo", "there is no certificate in"),
            (key.as_bytes(), ", but a private key"),
            (
                b"-----BEGIN PKCS7-----\nAA==\n-----END PKCS7-----",
                ", but a pkcs7",
            ),
            (der.as_slice(), "is in DER form; `openssl x509 -inform der`"),
            (cut.as_bytes(), "can't be read"),
            (plain.replace("MII", "M!I").as_bytes(), "can't be read"),
            (pem(&der[..99]).as_bytes(), "can't be read: it is cut off"),
            (pem(&[0x30, 2, 5, 0]).as_bytes(), "can't be read"),
        ] {
            let (_folder, path) = file(content);
            let told = certificates(&path).unwrap_err();
            assert!(told.contains(why) && told.contains("file.pem"), "{told}");
        }
        let told = certificates("/nowhere/ca.pem".as_ref()).unwrap_err();
        assert!(
            told.starts_with("cannot read /nowhere/ca.pem: No such"),
            "{told}"
        );
        let (_folder, path) = file([plain.as_str(), &pem(&der[..99])].concat().as_bytes());
        let found = certificates(&path).unwrap();
        assert_eq!(found.read.len(), 1);
        assert!(found.complaint.unwrap().contains("cut off"));
    }

    #[test]
    fn a_key_is_read_where_it_stands_and_never_shown() {
        let (der, text) = certificate();
        let (_folder, path) = file([pem(&der), text.replace('\n', "\r\n")].concat().as_bytes());
        assert!(key(&path).is_ok());
        let secret = text.lines().nth(1).unwrap();
        let locked = text.replace("PRIVATE", "ENCRYPTED PRIVATE");
        for (content, why) in [
            (pem(&der), "there is no private key in"),
            (locked, "has a passphrase"),
            (text.replace("END", "END OF"), "there is no private key in"),
        ] {
            let (_folder, path) = file(content.as_bytes());
            let told = key(&path).unwrap_err();
            assert!(told.contains(why) && !told.contains(secret), "{told}");
        }
    }
}
