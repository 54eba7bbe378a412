//! Names of hosts, looked up for a limited time: the system's own look-up can't be cut.
//!
//! It has a thread of its own, as in ureq's resolver, which however panics where no thread can be had. Here
//! the look-up is then made in place, and takes as long as it takes: without it nothing would go on at all. An
//! address is no name, and needs no thread.

use std::net::IpAddr;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::thread::STACK;

#[derive(Debug, Default)]
pub struct Names;

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        if timeout.after.is_not_happening() || is_address(uri) {
            return look_up(uri, config);
        }
        let (done, found) = sync_channel(1);
        let (name, settings) = (uri.clone(), config.clone());
        let work = move || {
            let _ = done.send(look_up(&name, &settings));
        };
        let thread = thread::Builder::new().stack_size(STACK);
        if thread.spawn(work).is_err() {
            return look_up(uri, config);
        }
        match found.recv_timeout(*timeout.after) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
            Err(RecvTimeoutError::Disconnected) => Err(Error::HostNotFound),
        }
    }
}

fn is_address(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

fn look_up(uri: &Uri, config: &Config) -> Result<ResolvedSocketAddrs, Error> {
    // Without a time limit it has no thread.
    DefaultResolver::default().resolve(uri, config, NextTimeout::default())
}
