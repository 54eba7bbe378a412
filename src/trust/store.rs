//! Authorities: where the system keeps its own, and all of those that count for a connection.
//!
//! A static binary carries no trust store of the system it runs on, so it is looked for where
//! distributions put it. `SSL_CERT_FILE` and `SSL_CERT_DIR` are each instead of it, as for OpenSSL
//! and Go. Where there is none, Mozilla's list that was compiled in has to do.

use std::collections::HashSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use super::pem::certificates;
use crate::digest::sha256;

const FILE: &str = "SSL_CERT_FILE";
const FOLDERS: &str = "SSL_CERT_DIR";

/// The authorities that are believed.
pub struct Store {
    pub roots: RootCertStore,
    /// Hashes of the very certificates, of which `roots` has only names and keys.
    pub known: HashSet<[u8; 32]>,
    sources: Vec<String>,
}

impl Store {
    const fn new(roots: RootCertStore, known: HashSet<[u8; 32]>) -> Self {
        Self {
            roots,
            known,
            sources: Vec::new(),
        }
    }

    /// Those of the system.
    ///
    /// # Errors
    /// A text for the operator, when the environment names others that can't be read: they would
    /// not want to be without them.
    pub fn of_the_system() -> Result<Self, String> {
        let mut store = Self::new(RootCertStore::empty(), HashSet::new());
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let (file, folders) = (named(FILE), named(FOLDERS));
        if file.is_none() && folders.is_none() {
            store.add_where_systems_keep_them();
            return Ok(store);
        }
        if let Some(path) = file.map(PathBuf::from) {
            let found = certificates(&path).map_err(|why| format!("{FILE}: {why}"))?;
            store.add_all(&found.read, &format!("{FILE} ({})", path.display()));
        }
        if let Some(folders) = folders {
            store.add_folders(&folders)?;
        }
        Ok(store)
    }

    fn add_where_systems_keep_them(&mut self) {
        let places = openssl_probe::probe();
        if let Some(path) = places.cert_file
            && let Ok(found) = certificates(&path)
        {
            self.add_all(&found.read, &path.display().to_string());
        }
        for folder in places.cert_dir {
            if self.roots.is_empty()
                && let Ok(found) = all_in(&folder)
            {
                self.add_all(&found, &folder.display().to_string());
            }
        }
        if self.roots.is_empty() {
            let anchors = webpki_roots::TLS_SERVER_ROOTS;
            self.roots.extend(anchors.iter().cloned());
            self.sources.push("Mozilla's list".to_owned());
        }
    }

    fn add_folders(&mut self, folders: &OsString) -> Result<(), String> {
        let before = self.roots.len();
        let mut troubles = Vec::new();
        for folder in env::split_paths(folders).filter(|path| !path.as_os_str().is_empty()) {
            match all_in(&folder) {
                Ok(found) => self.add_all(&found, &format!("{FOLDERS} ({})", folder.display())),
                Err(why) => troubles.push(why),
            }
        }
        if self.roots.len() > before {
            return Ok(());
        }
        Err(format!("{FOLDERS}: {}", troubles.join("; ")))
    }

    /// Adds these, which are from `source`. What webpki can't read is left out, as there are such in every
    /// list, and so is what is there already.
    pub fn add_all(&mut self, found: &[CertificateDer<'_>], source: &str) {
        for certificate in found {
            if self.known.insert(sha256(certificate)) {
                let _ = self.roots.add(certificate.clone());
            }
        }
        self.sources.push(source.to_owned());
    }

    /// Where they are from.
    #[must_use]
    pub fn sources(&self) -> String {
        self.sources.join(" and ")
    }
}

/// All certificates in the files of a folder, whatever the files are called: OpenSSL wants the names that
/// `c_rehash` makes, Go doesn't.
fn all_in(folder: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let cannot_read = |error| format!("cannot read {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(cannot_read)?.flatten();
    let files = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file());
    let found: Vec<_> = files
        .filter_map(|path| certificates(&path).ok())
        .flat_map(|found| found.read)
        .collect();
    if found.is_empty() {
        return Err(format!("there is no certificate in {}", folder.display()));
    }
    Ok(found)
}
