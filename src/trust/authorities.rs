//! A `tls-ca-file`: authorities of one coordinator that the system doesn't know.
//!
//! It is read now and then, since certificates are renewed while a service runs for months. What
//! was read last also travels to the coordinator's machines.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustls::pki_types::CertificateDer;

use super::pem;
use crate::thread::lock;

/// Cheap to clone; clones have read the same.
#[derive(Clone, Debug)]
pub struct Authorities {
    path: PathBuf,
    last: Arc<Mutex<Vec<CertificateDer<'static>>>>,
}

impl Authorities {
    /// Those in the file, and what in it could not be read, for the operator.
    ///
    /// # Errors
    /// A text for the operator when there are none.
    pub fn read(path: PathBuf) -> Result<(Self, Option<String>), String> {
        let found = pem::certificates(&path)?;
        let authorities = Self {
            path,
            last: Arc::new(Mutex::new(found.read)),
        };
        Ok((authorities, found.complaint))
    }

    /// Those that are in the file by now.
    pub(super) fn read_again(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        let found = pem::certificates(&self.path)?.read;
        lock(&self.last).clone_from(&found);
        Ok(found)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As they were last read, in PEM form: the certificates, and nothing else that is in the file.
    /// A key that somebody keeps there stays here.
    #[must_use]
    pub fn pem(&self) -> String {
        pem::write(&lock(&self.last))
    }
}
