use super::Proxies;

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

/// As with curl, but for the lines that name Go.
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

/// The hosts that are reached directly, and those that are not. As curl 7.88 does with the same words.
#[test]
fn hosts_are_reached_directly_as_no_proxy_says() {
    for (no_proxy, direct, not_direct) in [
        (
            "corp.test",
            "corp.test a.corp.test A.B.CORP.test",
            "notcorp.test corp.test.evil",
        ),
        ("corp.test", "corp.test. corp.test:8443", "test"),
        (".corp.test", "corp.test a.corp.test", "notcorp.test"),
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
            "10.0.0.0/8",
            "10.1.2.3 10.255.0.1:8443",
            "11.0.0.1 ten.test",
        ),
        ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
        ("10.0.0.7", "10.0.0.7", "10.0.0.70 10.0.0.8"),
        ("10.0.0.0/33,10.0.0.0/x", "", "10.0.0.1"),
        ("::1", "[::1] [0:0::1]:8443", "[::2]"),
        ("fd00::/8", "[fd12::1]", "[fe80::1]"),
        ("*", "any.test 1.2.3.4 [::1]", ""),
        ("", "", "corp.test"),
        (" , ,", "", "corp.test"),
        ("localhost", "localhost", "127.0.0.1"),
    ] {
        check_direct(no_proxy, direct, not_direct);
    }
}

/// curl passes over these.
#[test]
fn what_curl_does_not_know_in_no_proxy_is_read_as_go_reads_it() {
    for (no_proxy, direct, not_direct) in [
        ("*.corp.test", "a.corp.test", "notcorp.test"),
        (
            "corp.test:8443",
            "corp.test:8443 a.corp.test:8443",
            "corp.test corp.test:443",
        ),
        ("corp.test:443", "corp.test", "corp.test:8443"),
        ("10.0.0.7:8443", "10.0.0.7:8443", "10.0.0.7"),
        ("[::1]", "[::1]", "[::2]"),
        ("[::1]:8443", "[::1]:8443", "[::1]"),
        ("x.test,*", "any.test", ""),
        ("corp.test:x", "", "corp.test"),
    ] {
        check_direct(no_proxy, direct, not_direct);
    }
}

fn check_direct(no_proxy: &str, direct: &str, not_direct: &str) {
    let environment = [("https_proxy", "http://p:1"), ("no_proxy", no_proxy)];
    for (hosts, proxy) in [(direct, "none"), (not_direct, "http://p:1")] {
        for host in hosts.split_whitespace() {
            let address = format!("https://{host}/x");
            assert_eq!(to(&environment, &address), proxy, "{no_proxy:?} {host}");
        }
    }
}
