//! How a program comes to believe the world's git remote, which has a certificate of an authority that nobody
//! knows: by variables of its environment, whichever program it is.
//!
//! The Python runner gives git an empty environment, so that an authority could be told to that in
//! `/etc/gitconfig` only. A `sitecustomize` of ours hands it on instead; the program itself is as it was
//! released.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

const SITE: &str = include_str!("sitecustomize.py");
/// What a program usually believes: where Debian and most others keep it.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

pub type Environment = Vec<(&'static str, OsString)>;

/// The variables for a program that believes this authority as well; what they name lies in `folder`.
///
/// # Errors
/// When that can't be written.
pub fn environment(folder: &Path, authority: &str) -> io::Result<Environment> {
    let (site, store) = (folder.join("site"), folder.join("authorities.pem"));
    fs::create_dir_all(&site)?;
    fs::write(site.join("sitecustomize.py"), SITE)?;
    let system = fs::read_to_string(SYSTEM).unwrap_or_default();
    fs::write(&store, format!("{system}\n{authority}"))?;
    Ok(vec![
        ("PYTHONPATH", site.into()),
        ("GIT_SSL_CAINFO", store.clone().into()),
        ("SSL_CERT_FILE", store.into()),
        // Servers on loopback are reached without a proxy, whatever the computer's settings are.
        ("NO_PROXY", "*".into()),
    ])
}
