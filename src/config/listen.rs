//! Where metrics and the page are served, if anywhere: on this computer alone, unless there is a token.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::keys;
use super::secrets::Secrets;
use super::written::Section;
use crate::secret::Secret;

/// Where, and what one has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    pub address: SocketAddr,
    pub token: Option<Secret>,
}

/// gitlab-runner's, too.
const USUAL_PORT: u16 = 9252;
const WANTED: &str = "must be an address of this computer and a port, such as \"127.0.0.1:9252\"";

/// What an address without a host means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Named(SocketAddr),
    /// Only the port is written.
    Anywhere(u16),
}

impl Listen {
    pub(super) fn read(global: &Section<'_>) -> Option<Self> {
        let key = &keys::LISTEN_ADDRESS;
        let token = global.optional_secret(&keys::PAAS_LISTEN_TOKEN, &Secrets::none());
        let has_token = global.has(&keys::PAAS_LISTEN_TOKEN);
        if has_token
            && token
                .as_ref()
                .is_some_and(|token| token.reveal().is_empty())
        {
            global.problem_at(&keys::PAAS_LISTEN_TOKEN, "`paas_listen_token` is empty");
        }
        let written = global.text(key);
        if written.is_empty() {
            return None;
        }
        let address = match place(&written) {
            Some(Place::Named(address)) => address,
            Some(Place::Anywhere(port)) if has_token => (Ipv6Addr::UNSPECIFIED, port).into(),
            Some(Place::Anywhere(port)) => {
                let what = format!(
                    "`{}` names no host: without `paas_listen_token` that is 127.0.0.1 here, which only this \
                     computer reaches",
                    key.name()
                );
                let remedy = "write \"127.0.0.1:PORT\", or set paas_listen_token to be reached from elsewhere";
                let name = key
                    .names()
                    .iter()
                    .find(|name| global.written_keys().any(|it| it == **name));
                global.doubt_at(name.unwrap_or(&key.name()), what, remedy);
                (Ipv4Addr::LOCALHOST, port).into()
            }
            None => {
                global.problem_at(key, format!("`{}` {WANTED}", key.name()));
                return None;
            }
        };
        if !address.ip().is_loopback() && !has_token {
            let what = format!(
                "`paas_listen_token` is missing: {} can be reached from elsewhere, and tells of projects and of \
                 users; set it, or listen at 127.0.0.1",
                address.ip()
            );
            global.problem_at(key, what);
        }
        Some(Self { address, token })
    }
}

/// As gitlab-runner reads it, but for names, which would have to be asked for.
fn place(written: &str) -> Option<Place> {
    if let Ok(address) = written.parse() {
        return Some(Place::Named(address));
    }
    let (host, port) = match written.rsplit_once(':') {
        // An IPv6 address without a port.
        _ if written.parse::<Ipv6Addr>().is_ok() => (written, USUAL_PORT),
        Some((host, port)) if !host.ends_with(':') => (host, port.parse().ok()?),
        _ => (written, USUAL_PORT),
    };
    match host {
        "" => Some(Place::Anywhere(port)),
        "localhost" => Some(Place::Named((Ipv4Addr::LOCALHOST, port).into())),
        _ => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let host: IpAddr = host.parse().ok()?;
            Some(Place::Named((host, port).into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, place};

    #[test]
    fn an_address_is_read_as_gitlab_runner_reads_it_and_a_name_is_none() {
        for (written, read) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("127.0.0.1", "127.0.0.1:9252"),
            ("localhost:0", "127.0.0.1:0"),
            ("[::1]:9000", "[::1]:9000"),
            ("::1", "[::1]:9252"),
            ("[::]", "[::]:9252"),
            ("0.0.0.0:9252", "0.0.0.0:9252"),
        ] {
            let expected = Some(Place::Named(read.parse().unwrap()));
            assert_eq!(place(written), expected, "{written}");
        }
        assert_eq!(place(":9252"), Some(Place::Anywhere(9252)));
        for wrong in [
            "example.org:9252",
            "127.0.0.1:x",
            "127.0.0.1:99999",
            "http://127.0.0.1:1",
        ] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }
}
