//! As whom we show ourselves to a coordinator that asks: `tls-cert-file` and `tls-key-file`.
//!
//! Both stay on this machine. The key is this installation's, good for all that its coordinator lets
//! it do; a machine runs what strangers write.

use std::fmt;
use std::path::PathBuf;

use rustls::InconsistentKeys;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::{pem, provider};

/// Two files. What they hold is read when it is needed.
#[derive(Clone, Debug)]
pub struct Identity {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Which of the two files can't be used, and why, for the operator.
#[derive(Debug)]
pub enum Unusable {
    Certificate(String),
    Key(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(why) | Self::Key(why) => f.write_str(why),
        }
    }
}

impl Identity {
    /// Reads both files as they are now. Behind the certificate may be those that lead to its authority.
    ///
    /// # Errors
    /// [`Unusable`]; also when they are not of each other.
    pub fn read(&self) -> Result<SingleCertAndKey, Unusable> {
        let chain = pem::certificates(&self.certificate).map_err(Unusable::Certificate)?;
        if let Some(why) = chain.complaint {
            return Err(Unusable::Certificate(why));
        }
        let key = pem::key(&self.key).map_err(Unusable::Key)?;
        let pair = CertifiedKey::from_der(chain.read, key, &provider());
        pair.map(SingleCertAndKey::from).map_err(|error| {
            let (certificate, key) = (self.certificate.display(), self.key.display());
            Unusable::Key(match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    format!("the key in {key} is not that of the certificate in {certificate}")
                }
                error => format!("the key in {key} can't be used: {error}"),
            })
        })
    }
}
