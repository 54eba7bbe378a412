//! How `ureq` is set up: trust, proxies, connections that are kept for a while.
//!
//! A service runs for a year, while names move, certificates are renewed and balancers are replaced.
//! So an agent, with all of its connections and what it read of certificates, is used for a limited
//! time; then another one takes its place, and what is under way ends on the old one. What is said
//! over the connections is not known here.

mod resolver;
mod tls;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, TcpConnector};

use self::resolver::Names;
pub use self::tls::NoConnection;
use self::tls::TlsConnector;
use crate::buffers::{GrowingBuffers, HEAD};
use crate::proxy::{Proxies, Proxy};
use crate::thread::lock;
use crate::trust::{Read, Trust};

/// As gitlab-runner's.
pub const USUAL_MAX_AGE: Duration = Duration::from_secs(15 * 60);
/// A connection that can't be made in this time will not be made: TCP has tried four times.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How this machine reaches others.
#[derive(Default)]
pub struct Network {
    pub proxies: Proxies,
    /// How long an agent is used; for ever when it is zero.
    pub max_age: Duration,
}

impl Network {
    /// As the environment says.
    ///
    /// # Errors
    /// A text for the operator, when it names a proxy or a trust store that can't be used.
    pub fn from_environment(max_age: Duration) -> Result<Self, String> {
        let proxies = Proxies::from_environment()?;
        Trust::default().read()?;
        Ok(Self { proxies, max_age })
    }
}

/// The agents for services of one trust, one after the other.
pub struct Agents {
    network: Arc<Network>,
    trust: Trust,
    current: Mutex<Option<Current>>,
}

struct Current {
    since: Instant,
    agent: ureq::Agent,
    read: Read,
}

impl Agents {
    #[must_use]
    pub const fn new(network: Arc<Network>, trust: Trust) -> Self {
        Self {
            network,
            trust,
            current: Mutex::new(None),
        }
    }

    /// Those for a service of another trust.
    #[must_use]
    pub fn with(&self, trust: Trust) -> Self {
        Self::new(self.network.clone(), trust)
    }

    /// The one for a request that begins now.
    ///
    /// # Errors
    /// [`NoConnection`] when the files of the trust can't be read. Once they could, what was in them
    /// counts until they can be read again: a file may be half written just now.
    pub fn current(&self) -> Result<ureq::Agent, NoConnection> {
        let mut current = lock(&self.current);
        let max_age = self.network.max_age;
        if let Some(current) = &*current
            && (max_age.is_zero() || current.since.elapsed() < max_age)
        {
            return Ok(current.agent.clone());
        }
        let read = match (self.trust.read(), current.take()) {
            (Ok(read), _) => read,
            (Err(why), Some(before)) => {
                log::warn!("{why}; going on with the certificates that were read before");
                before.read
            }
            (Err(why), None) => return Err(NoConnection::new(why)),
        };
        let agent = build(&read);
        *current = Some(Current {
            since: Instant::now(),
            agent: agent.clone(),
            read,
        });
        Ok(agent)
    }

    /// The proxy through which `address` is reached, if any.
    #[must_use]
    pub fn proxy_to(&self, address: &Uri) -> Option<&Proxy> {
        self.network.proxies.to(address)
    }
}

fn build(read: &Read) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!(
            "heptapod-paas-runner/",
            env!("CARGO_PKG_VERSION"),
            " (linux)"
        ))
        // Each request says through which one.
        .proxy(None)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        // Each connection holds both buffers for as long as it is kept, under those that grow: the
        // defaults of 128 KiB would be most of this program's memory.
        .input_buffer_size(8 << 10)
        .output_buffer_size(8 << 10)
        .max_idle_connections(32)
        .max_idle_connections_per_host(16)
        .max_response_header_size(HEAD)
        .build();
    let connector = ConnectProxyConnector::default()
        .chain(TcpConnector::default())
        .chain(TlsConnector::new(read.clone()))
        .chain(GrowingBuffers);
    ureq::Agent::with_parts(config, connector, Names)
}
