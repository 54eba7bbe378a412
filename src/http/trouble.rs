//! Why there was no usable answer, in words, and whether what was asked for may have been done.

use std::io;

use super::{Answer, Call, NoAnswer, SHOWN};
use crate::foreign::{Keep, one_line};
use crate::proxy::Proxy;

/// What came of a request, as it is counted.
pub fn kind_of(result: &Result<Answer, NoAnswer>) -> &'static str {
    match result.as_ref().map(|answer| answer.status) {
        Ok(200..=299) => "2xx",
        Ok(300..=399) => "3xx",
        Ok(400..=499) => "4xx",
        Ok(_) => "5xx",
        Err(_) => "no_answer",
    }
}

pub fn no_answer(call: &Call<'_>, proxy: Option<&Proxy>, error: &ureq::Error) -> NoAnswer {
    let certainly_not_sent = match error {
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::BadUri(_)
        // All that we say ourselves is about connections that did not come about.
        | ureq::Error::Other(_) => true,
        ureq::Error::Timeout(phase) => {
            matches!(phase, ureq::Timeout::Resolve | ureq::Timeout::Connect)
        }
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    };
    let why = match error {
        ureq::Error::Timeout(ureq::Timeout::PerRead) => {
            let silence = call.silence.unwrap_or_default();
            format!("not a byte has come for {silence:.0?}")
        }
        ureq::Error::Timeout(phase) => format!("no answer in time ({phase})"),
        ureq::Error::LargeResponseHeader(_, most) => {
            format!("the answer's head has more than {} KiB", most >> 10)
        }
        // The one limit of the parser that can't be set.
        ureq::Error::Protocol(error) if error.to_string().contains("too many headers") => {
            "the answer's head has more than 128 headers".to_owned()
        }
        ureq::Error::BodyExceedsLimit(limit) => format!("an answer of more than {limit} bytes"),
        ureq::Error::ConnectProxyFailed(why) if why.contains("407") => {
            "the proxy wants a login, or another one: user:password@ in its address".to_owned()
        }
        ureq::Error::ConnectProxyFailed(why) => format!("the proxy opens no tunnel: {why}"),
        // Written for a person, and as long as it has to be.
        ureq::Error::Other(why) => one_line(&why.to_string(), Keep::All),
        error => one_line(&call.scrub(error.to_string()), Keep::Start(SHOWN)),
    };
    let through = proxy.map_or_else(String::new, |proxy| format!(" (through the proxy {proxy})"));
    NoAnswer {
        why: format!("{why}{through}"),
        may_have_been_done: !certainly_not_sent,
    }
}
