//! Through which proxy an address is reached, as other programs on this machine read it.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` mean what they mean for curl, in lower case
//! first. What curl passes over is read as Go reads it, and so gitlab-runner, whose manual tells people
//! what to set: `HTTP_PROXY` in upper case (a web server hands its programs a header under that name;
//! this program is none of those), and in `NO_PROXY` a port, `*.`, brackets, and `*` among others.
//! Names are compared as they are written, and never looked up.
//!
//! A proxy that can't be used is an error: going around it would be a leak. Its address may hold
//! a password, so no text shows more of it than scheme, host and port.

use std::env;
use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use ureq::ProxyProtocol;
use ureq::http::Uri;
use ureq::http::uri::Authority;

/// Which proxy is for what. Without any, all is reached directly.
#[derive(Default)]
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    direct: Vec<Exception>,
}

/// Displays as its address without the login.
#[derive(Clone)]
pub struct Proxy {
    proxy: ureq::Proxy,
    shown: String,
}

/// An entry of `NO_PROXY`.
struct Exception {
    hosts: Hosts,
    /// All, if there is none.
    port: Option<u16>,
}

enum Hosts {
    All,
    /// Those whose addresses begin with so many bits of this one.
    Network(IpAddr, u32),
    /// This one and all below.
    Domain(String),
}

impl Proxies {
    /// # Errors
    /// A text for the operator.
    pub fn from_environment() -> Result<Self, String> {
        // What is not even a text is no address, which is told.
        Self::read(|name| Some(env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// `variable` is what a variable of the environment holds.
    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| {
                let text = variable(name)?.trim().to_owned();
                (!text.is_empty()).then_some((*name, text))
            })
        };
        let direct = first(&["no_proxy", "NO_PROXY"]).map_or_else(String::new, |(_, text)| text);
        let direct: Vec<_> = direct
            .split([',', ' ', '\t'])
            .filter_map(Exception::parse)
            .collect();
        let proxy = |names: &[&'static str]| {
            if direct.iter().any(Exception::is_everything) {
                return Ok(None);
            }
            let proxy = first(names)
                .map(|(name, text)| Proxy::parse(&text).map_err(|why| format!("{name} {why}")));
            proxy.transpose()
        };
        Ok(Self {
            http: proxy(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])?,
            https: proxy(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            direct,
        })
    }

    /// The one through which `address` is reached, if any.
    #[must_use]
    pub fn to(&self, address: &Uri) -> Option<&Proxy> {
        let (proxy, usual_port) = match address.scheme_str() {
            Some("https") => (self.https.as_ref()?, 443),
            _ => (self.http.as_ref()?, 80),
        };
        let host = bare(address.host()?).to_ascii_lowercase();
        let port = address.port_u16().unwrap_or(usual_port);
        let is_direct = self.direct.iter().any(|entry| entry.covers(&host, port));
        (!is_direct).then_some(proxy)
    }
}

impl Proxy {
    fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let protocol = match scheme.to_ascii_lowercase().as_str() {
            "http" => ProxyProtocol::Http,
            "https" => ProxyProtocol::Https,
            "socks" | "socks4" | "socks4a" | "socks5" | "socks5h" => {
                return Err(format!(
                    "names a {scheme} proxy; only http and https proxies can be used. Name one of those \
                     in HTTPS_PROXY and HTTP_PROXY, or set NO_PROXY to * to use none"
                ));
            }
            _ => return Err(no_address()),
        };
        let place = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // A password may have an @ in it.
        let (login, place) = place
            .rsplit_once('@')
            .map_or((None, place), |(login, place)| (Some(login), place));
        let authority: Authority = place.parse().map_err(|_| no_address())?;
        let usual_port = if protocol == ProxyProtocol::Http {
            80
        } else {
            443
        };
        let port = authority.port_u16().unwrap_or(usual_port);
        let host = authority.host();
        if host.is_empty() || (place != host && authority.port_u16().is_none()) {
            return Err(no_address());
        }
        let mut proxy = ureq::Proxy::builder(protocol).host(host).port(port);
        if let Some((user, password)) =
            login.map(|login| login.split_once(':').unwrap_or((login, "")))
        {
            proxy = proxy.username(&decoded(user)).password(&decoded(password));
        }
        Ok(Self {
            proxy: proxy.build().map_err(|_| no_address())?,
            shown: format!("{}://{host}:{port}", scheme.to_ascii_lowercase()),
        })
    }

    #[must_use]
    pub fn for_ureq(&self) -> ureq::Proxy {
        self.proxy.clone()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn no_address() -> String {
    "has no address of a proxy, such as http://proxy.example.org:3128 (what it has is not shown here, as \
     it may be a password)"
        .to_owned()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A host without the brackets of an address and the dot at the end of a whole name.
fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']']).trim_end_matches('.')
}

impl Exception {
    fn parse(text: &str) -> Option<Self> {
        if let Some(hosts) = Hosts::network(text) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let name = bare(host).trim_start_matches("*.").trim_start_matches('.');
        let hosts = match name {
            "" => return None,
            "*" => Hosts::All,
            name => {
                Hosts::network(name).unwrap_or_else(|| Hosts::Domain(name.to_ascii_lowercase()))
            }
        };
        Some(Self { hosts, port })
    }

    const fn is_everything(&self) -> bool {
        matches!(self.hosts, Hosts::All) && self.port.is_none()
    }

    /// `host` in lower case.
    fn covers(&self, host: &str, port: u16) -> bool {
        self.port.is_none_or(|only| only == port) && self.hosts.have(host)
    }
}

impl Hosts {
    /// An address, or one and how many of its bits count.
    fn network(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = bare(address).parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        (bits <= width).then_some(Self::Network(address, bits))
    }

    fn have(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Domain(name) => host
                .strip_suffix(name.as_str())
                .is_some_and(|sub| sub.is_empty() || sub.ends_with('.')),
            Self::Network(network, bits) => {
                let differs_at = match (network, host.parse::<IpAddr>()) {
                    (IpAddr::V4(a), Ok(IpAddr::V4(b))) => {
                        (a.to_bits() ^ b.to_bits()).leading_zeros()
                    }
                    (IpAddr::V6(a), Ok(IpAddr::V6(b))) => {
                        (a.to_bits() ^ b.to_bits()).leading_zeros()
                    }
                    _ => return false,
                };
                differs_at >= *bits
            }
        }
    }
}

#[cfg(test)]
mod tests;
