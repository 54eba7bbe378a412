//! Whom we believe, and as whom we show ourselves: authorities, and a client certificate.
//!
//! A [`Trust`] names files; [`Trust::read`] makes of them, as they are at this moment, what a TLS
//! connection needs. Everything that the program says to others over TLS goes by this one rule: the
//! system's authorities (or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`), and for a coordinator those
//! of its `tls-ca-file` as well. When and for which connections it is read is not known here.

mod authorities;
mod der;
mod identity;
mod pem;
mod store;
mod verifier;
mod words;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, ring};

pub use self::authorities::Authorities;
pub use self::identity::{Identity, Unusable};
use self::store::Store;
use self::verifier::Verifier;
pub use self::words::{explain, refuses_our_certificate};

/// The files that say whom to believe. Cheap to clone; clones read the same.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Those of a coordinator that the system doesn't know.
    pub authorities: Option<Authorities>,
    /// As whom we show ourselves to a coordinator that wants to know.
    pub identity: Option<Identity>,
}

/// What a TLS connection needs.
#[derive(Clone, Debug)]
pub struct Read {
    pub config: Arc<ClientConfig>,
    /// Where the authorities are from, for the operator.
    pub sources: Arc<str>,
}

impl Trust {
    /// Whether it is the same for all services.
    #[must_use]
    pub const fn is_the_systems(&self) -> bool {
        self.authorities.is_none() && self.identity.is_none()
    }

    /// Reads all files as they are now.
    ///
    /// # Errors
    /// A text for the operator, when one of those that somebody named can't be used.
    pub fn read(&self) -> Result<Read, String> {
        let mut store = Store::of_the_system()?;
        if let Some(authorities) = &self.authorities {
            let own = authorities.read_again()?;
            store.add_all(&own, &authorities.path().display().to_string());
        }
        let sources = store.sources().into();
        let provider = Arc::new(provider());
        let verifier = Verifier::new(store, &provider).map_err(|why| why.to_string())?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            // Not dangerous: it is webpki's own, and one exception.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &self.identity {
            Some(identity) => {
                let key = identity.read().map_err(|why| why.to_string())?;
                builder.with_client_cert_resolver(Arc::new(key))
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Read {
            config: Arc::new(config),
            sources,
        })
    }
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}
