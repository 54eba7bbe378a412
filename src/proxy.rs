//! Through which proxy an address is reached, as other programs on this machine read it.
//!
//! `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` mean what they mean for curl, in lower case
//! first. In two things this follows Go, and so gitlab-runner, whose manual tells people what to set:
//! `HTTP_PROXY` counts in upper case, too (curl ignores it because a web server hands its programs a
//! header under that name; this program is none of those), and a port in `NO_PROXY` means that port
//! only. Names are compared as they are written, and never looked up.
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
mod tests {
    use super::Proxies;

    /// `A=x B=y z` are the variables A and B; the last one may have spaces in it.
    fn read(environment: &[(&str, &str)]) -> Result<Proxies, String> {
        Proxies::read(|name| {
            let mut all = environment.iter();
            all.find_map(|(known, text)| (*known == name).then(|| (*text).to_owned()))
        })
    }

    fn to(environment: &[(&str, &str)], address: &str) -> String {
        let proxies = read(environment).unwrap();
        let proxy = proxies.to(&address.parse().unwrap());
        proxy.map_or_else(|| "none".to_owned(), ToString::to_string)
    }

    /// What `curl -v` says with the same environment, but for the lines that name Go.
    #[test]
    fn each_scheme_has_the_proxy_that_other_programs_use() {
        let (http, https) = ("http://corp.test/x", "https://corp.test/x");
        for (environment, address, proxy) in [
            (&[][..], https, "none"),
            (&[("HTTPS_PROXY", "http://p:1")], https, "http://p:1"),
            (&[("HTTPS_PROXY", "http://p:1")], http, "none"),
            (&[("https_proxy", "http://p:1")], https, "http://p:1"),
            (&[("http_proxy", "http://p:1")], http, "http://p:1"),
            (&[("http_proxy", "http://p:1")], https, "none"),
            // As Go.
            (&[("HTTP_PROXY", "http://p:1")], http, "http://p:1"),
            (&[("HTTP_PROXY", "http://p:1")], https, "none"),
            (&[("ALL_PROXY", "http://p:1")], http, "http://p:1"),
            (&[("all_proxy", "http://p:1")], https, "http://p:1"),
            (
                &[("ALL_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://s:2")],
                https,
                "http://s:2",
            ),
            (
                &[("ALL_PROXY", "http://a:1"), ("HTTPS_PROXY", "http://s:2")],
                http,
                "http://a:1",
            ),
            (
                &[("HTTPS_PROXY", "http://u:1"), ("https_proxy", "http://l:2")],
                https,
                "http://l:2",
            ),
            // An empty one is as good as none.
            (
                &[("https_proxy", ""), ("HTTPS_PROXY", "http://u:1")],
                https,
                "http://u:1",
            ),
            // Not used, so that it need not be of use.
            (
                &[
                    ("all_proxy", "socks5://a:1"),
                    ("https_proxy", "p:2"),
                    ("http_proxy", "p:3"),
                ],
                https,
                "http://p:2",
            ),
            (
                &[("all_proxy", "socks5://a:1"), ("no_proxy", "*")],
                https,
                "none",
            ),
            (&[("https_proxy", "p.test")], https, "http://p.test:80"),
            (
                &[("https_proxy", "https://p.test/")],
                https,
                "https://p.test:443",
            ),
            (
                &[("https_proxy", "HTTP://u:p%40s@p.test:3128/")],
                https,
                "http://p.test:3128",
            ),
            (
                &[("https_proxy", "u:p@ss@[::1]:3128")],
                https,
                "http://[::1]:3128",
            ),
        ] {
            assert_eq!(to(environment, address), proxy, "{environment:?} {address}");
        }
    }

    #[test]
    fn a_login_is_sent_as_it_was_meant_and_shown_nowhere() {
        for login in ["user:s3%40cret", "user:s3@cret"] {
            let text = format!("http://{login}@p.test:3128");
            let proxies = read(&[("https_proxy", &text)]).unwrap();
            let proxy = proxies.https.unwrap();
            let sent = proxy.for_ureq();
            assert_eq!(
                (sent.username(), sent.password()),
                (Some("user"), Some("s3@cret"))
            );
            assert_eq!(proxy.to_string(), "http://p.test:3128");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_that_names_the_variable_and_no_password() {
        for (name, text) in [
            ("ALL_PROXY", "socks5://user:s3cret@p:1080"),
            ("https_proxy", "socks4a://p:1080"),
            ("HTTPS_PROXY", "ftp://user:s3cret@p:21"),
            ("HTTPS_PROXY", "http://"),
            ("HTTPS_PROXY", "http://user:s3cret@"),
            ("HTTPS_PROXY", "http://p:s3cret"),
            ("http_proxy", "http://p p:3128"),
            ("http_proxy", "://p"),
            ("http_proxy", "http://user:s3/cret@p:3128"),
            ("all_proxy", "http://p\u{fffd}:1"),
        ] {
            let why = read(&[(name, text)]).err().unwrap();
            assert!(
                why.starts_with(name) && why.contains("http"),
                "{text}: {why}"
            );
            assert!(!why.contains("s3"), "{why}");
        }
    }

    #[test]
    fn hosts_are_reached_directly_as_no_proxy_says() {
        for (no_proxy, direct, not_direct) in [
            (
                "corp.test",
                "corp.test a.corp.test A.B.CORP.test corp.test. corp.test:8443",
                "notcorp.test corp.test.evil",
            ),
            (".corp.test", "corp.test a.corp.test", "notcorp.test"),
            ("*.corp.test", "corp.test a.corp.test", "notcorp.test"),
            ("CORP.test.", "corp.test a.corp.test", "test"),
            (
                "x.test, corp.test ,y.test",
                "x.test corp.test a.y.test",
                "z.test",
            ),
            (
                "x.test corp.test\ty.test",
                "x.test corp.test y.test",
                "z.test",
            ),
            (
                "corp.test:8443",
                "corp.test:8443 a.corp.test:8443",
                "corp.test corp.test:443",
            ),
            ("corp.test:443", "corp.test", "corp.test:8443"),
            (
                "10.0.0.0/8",
                "10.1.2.3 10.255.0.1:8443",
                "11.0.0.1 ten.test",
            ),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("10.0.0.7", "10.0.0.7", "10.0.0.70 10.0.0.8"),
            ("10.0.0.7:8443", "10.0.0.7:8443", "10.0.0.7"),
            ("0.0.0.0/0", "1.2.3.4", "[::1] name.test"),
            ("10.0.0.0/33,10.0.0.0/x", "", "10.0.0.1"),
            ("::1", "[::1] [0:0::1]:8443", "[::2]"),
            ("[::1]", "[::1]", "[::2]"),
            ("[::1]:8443", "[::1]:8443", "[::1]"),
            ("fd00::/8", "[fd12::1]", "[fe80::1]"),
            ("*", "any.test 1.2.3.4 [::1]", ""),
            ("x.test,*", "any.test", ""),
            ("", "", "corp.test"),
            (" , ,", "", "corp.test"),
            ("localhost", "localhost", "127.0.0.1"),
        ] {
            let environment = [("https_proxy", "http://p:1"), ("no_proxy", no_proxy)];
            for (hosts, proxy) in [(direct, "none"), (not_direct, "http://p:1")] {
                for host in hosts.split_whitespace() {
                    let address = format!("https://{host}/x");
                    assert_eq!(to(&environment, &address), proxy, "{no_proxy:?} {host}");
                }
            }
        }
    }
}
