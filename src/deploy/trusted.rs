//! Which git remotes may see the organization's token, and the job.
//!
//! The address of an application's repository comes from the API's answer. A wrong one, from
//! whatever reason, must not carry them elsewhere: they go to Clever Cloud's own hosts over https
//! or ssh, or to the host that the operator configured as the API.

use ureq::http::Uri;

use super::ssh::Address;
use crate::config::values::is_loopback;

const CLEVER_HOSTS: &str = ".clever-cloud.com";

#[must_use]
pub fn is_trusted(url: &str, api_url: &str) -> bool {
    let (Ok(remote), Ok(api)) = (url.parse::<Uri>(), api_url.parse::<Uri>()) else {
        return false;
    };
    let user_in_url = remote
        .authority()
        .is_none_or(|authority| authority.as_str().contains('@'));
    let plain = !user_in_url && url.bytes().all(|b| b.is_ascii_graphic());
    let https = remote.scheme_str() == Some("https");
    let as_api = https || remote.scheme_str() == api.scheme_str();
    plain && ((https && is_clevers(&remote)) || (as_api && is_same_place(&remote, &api)))
}

/// The address of a remote over ssh, if it is one that is trusted.
#[must_use]
pub fn over_ssh(url: &str, api_url: &str) -> Option<Address> {
    let (remote, api) = (url.parse::<Uri>().ok()?, api_url.parse::<Uri>().ok()?);
    let is_trusted = is_clevers(&remote) || is_same_place(&remote, &api);
    Address::read(url).filter(|_| is_trusted)
}

fn is_clevers(remote: &Uri) -> bool {
    let host = remote.host().unwrap_or_default();
    host.to_ascii_lowercase().ends_with(CLEVER_HOSTS)
}

fn is_same_place(remote: &Uri, api: &Uri) -> bool {
    let (Some(host), Some(api_host)) = (remote.host(), api.host()) else {
        return false;
    };
    host.eq_ignore_ascii_case(api_host) || (is_loopback(host) && is_loopback(api_host))
}

#[must_use]
pub fn host(url: &str) -> Option<String> {
    Some(url.parse::<Uri>().ok()?.host()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{is_trusted, over_ssh};

    #[test]
    fn the_token_goes_to_clever_clouds_hosts_and_to_the_configured_api_only() {
        let clever = "https://api.clever-cloud.com/v2";
        let local = "http://127.0.0.1:8080/v2";
        for (url, api, trusted) in [
            (
                "https://push-n3-par-clevercloud-customers.services.clever-cloud.com/app_1.git",
                clever,
                true,
            ),
            ("https://push.clever-cloud.com/app_1.git", clever, true),
            ("http://push.clever-cloud.com/app_1.git", clever, false),
            (
                "https://clever-cloud.com.evil.example/app_1.git",
                clever,
                false,
            ),
            ("https://evilclever-cloud.com/app_1.git", clever, false),
            (
                "https://push.clever-cloud.com@evil.example/app_1.git",
                clever,
                false,
            ),
            (
                "https://user@push.clever-cloud.com/app_1.git",
                clever,
                false,
            ),
            ("ext::sh -c evil", clever, false),
            ("--upload-pack=evil", clever, false),
            ("http://127.0.0.1:9999/app_1.git", local, true),
            ("http://localhost:9999/app_1.git", local, true),
            ("http://127.0.0.1:9999/app_1.git", clever, false),
            ("http://10.0.0.1/app_1.git", local, false),
            (
                "https://api.paas.example/git/app_1.git",
                "https://api.paas.example/v2",
                true,
            ),
            (
                "http://api.paas.example/git/app_1.git",
                "https://api.paas.example/v2",
                false,
            ),
        ] {
            assert_eq!(is_trusted(url, api), trusted, "{url} with the API at {api}");
        }
    }

    #[test]
    fn over_ssh_the_same_hosts_are_trusted() {
        let clever = "https://api.clever-cloud.com/v2";
        let local = "http://127.0.0.1:8080/v2";
        for (url, api, trusted) in [
            (
                "git+ssh://git@push-n3-par-clevercloud-customers.services.clever-cloud.com/a.git",
                clever,
                true,
            ),
            ("ssh://git@push.clever-cloud.com/a.git", clever, true),
            (
                "ssh://git@clever-cloud.com.evil.example/a.git",
                clever,
                false,
            ),
            ("ssh://git@evilclever-cloud.com/a.git", clever, false),
            (
                "ssh://git@push.clever-cloud.com@evil.example/a.git",
                clever,
                false,
            ),
            ("ssh://git@127.0.0.1:2022/a.git", local, true),
            ("ssh://git@127.0.0.1:2022/a.git", clever, false),
            ("https://push.clever-cloud.com/a.git", clever, false),
            ("ext::sh -c evil", clever, false),
        ] {
            assert_eq!(
                over_ssh(url, api).is_some(),
                trusted,
                "{url} with the API at {api}"
            );
        }
    }
}
