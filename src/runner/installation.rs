//! What all runners of a process share, and what tells this installation from all others.

use std::fs;
use std::path::{Path, PathBuf, absolute};

use rustix::system::uname;

use crate::deploy::push::Pusher;
use crate::deploy::scratch::Scratch;
use crate::digest::{hmac_sha256_hex, random_hex, sha256_hex};
use crate::http::Http;
use crate::whole_file::{beside, resolve};

pub struct Installation {
    /// For services that the system knows.
    pub http: Http,
    pub scratch: Scratch,
    pub pusher: Pusher,
    /// How coordinators tell it from others with the same token.
    pub system_id: String,
    /// How we tell our machines from those of others.
    pub mark: String,
}

impl Installation {
    /// The one whose state is in `state_file`, where `remembered` is its system id from before.
    #[must_use]
    pub fn of(state_file: &Path, remembered: Option<&str>, scratch: Scratch, http: Http) -> Self {
        let system_id = system_id(remembered);
        let place = resolve(state_file).unwrap_or_else(|_| absolute_path(state_file));
        Self {
            pusher: Pusher::new(
                http.for_another_service(),
                scratch.clone(),
                beside(&place, ".known_hosts"),
            ),
            http,
            scratch,
            mark: mark(&system_id, state_file),
            system_id,
        }
    }
}

/// In the way of gitlab-runner: `s_` and the beginning of a hash of the machine's id, or `r_` and
/// chance, which is `remembered` in the state file. GitLab page, 1.3.
fn system_id(remembered: Option<&str>) -> String {
    let machine_id = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty());
    if let Some(id) = machine_id {
        let hash = hmac_sha256_hex(id.as_bytes(), b"gitlab-runner", BYTES);
        return format!("s_{hash}");
    }
    if let Some(remembered) = remembered {
        return remembered.to_owned();
    }
    // Without chance all such installations look like one, which only blurs a statistic.
    let chance = random_hex(BYTES).unwrap_or_else(|_| "00".repeat(BYTES));
    format!("r_{chance}")
}

/// Two services on one machine have the same id, but never the same state file; a copy of a machine
/// has both, but another name.
fn mark(system_id: &str, state_file: &Path) -> String {
    let path = absolute_path(state_file);
    // Not from /proc/sys, which the unit hides.
    let names = uname();
    let host = names.nodename().to_bytes();
    // The line's end is as in that file, from which marks were made before.
    let parts = [path.as_os_str().as_encoded_bytes(), b"@", host, b"\n"];
    let hash = sha256_hex(&parts, BYTES);
    format!("{system_id}.{hash}")
}

fn absolute_path(path: &Path) -> PathBuf {
    absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Of a hash, as gitlab-runner shows it.
const BYTES: usize = 6;
