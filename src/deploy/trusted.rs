//! Which git remotes may see the organization's token.
//!
//! The address of an application's repository comes from the API's answer. A wrong one, from
//! whatever reason, must not carry the token elsewhere: it goes to Clever Cloud's own hosts over
//! https, or to the host that the operator configured as the API.

use ureq::http::Uri;

use crate::config::values::is_loopback;

const CLEVER_HOSTS: &str = ".clever-cloud.com";

#[must_use]
pub fn is_trusted(url: &str, api_url: &str) -> bool {
    let (Ok(remote), Ok(api)) = (url.parse::<Uri>(), api_url.parse::<Uri>()) else {
        return false;
    };
    let (Some(host), Some(api_host)) = (remote.host(), api.host()) else {
        return false;
    };
    let user_in_url = remote
        .authority()
        .is_none_or(|authority| authority.as_str().contains('@'));
    let plain = !user_in_url && url.bytes().all(|b| b.is_ascii_graphic());
    let https = remote.scheme_str() == Some("https");
    let as_api = remote.scheme_str() == api.scheme_str() || https;
    let same_place =
        host.eq_ignore_ascii_case(api_host) || (is_loopback(host) && is_loopback(api_host));
    let of_clever = https && host.to_ascii_lowercase().ends_with(CLEVER_HOSTS);
    plain && (of_clever || (as_api && same_place))
}

#[must_use]
pub fn host(url: &str) -> Option<String> {
    Some(url.parse::<Uri>().ok()?.host()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_trusted;

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
}
