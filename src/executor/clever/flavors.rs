//! What Clever Cloud offers: machine sizes and the version of the machine type.
//!
//! Both lists are public (Clever page, 2): no credentials are sent, which some kinds of
//! credentials would even be refused for. They are kept for an hour; old ones are better than
//! none when they can't be refreshed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::Uri;

use crate::http::{Call, Http};
use crate::json::{self, Fields};
use crate::weight::Weight;

const KEPT_FOR: Duration = Duration::from_secs(3600);
/// After a failure the service is left in peace for a moment.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// The list of machine types repeats every flavor for every type.
const LIMIT: u64 = 16 << 20;
const TIMEOUT: Duration = Duration::from_secs(15);

/// A machine size that can be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flavor {
    /// As users say it: `M`.
    pub name: String,
    pub weight: Weight,
    /// In MiB.
    pub memory: u64,
}

/// Flavor and instance lists of one API, with the filter for our kind of machine.
pub struct Catalogue {
    http: Http,
    flavors_url: String,
    instances_url: String,
    prefix: String,
    flavors: Kept<Vec<Flavor>>,
    version: Kept<String>,
}

/// A fetched value with its age.
struct Kept<T>(Mutex<State<T>>);

struct State<T> {
    value: Option<(T, Instant)>,
    failed: Option<(String, Instant)>,
}

impl Catalogue {
    #[must_use]
    pub fn new(http: Http, api: &str, context: &str, prefix: &str) -> Self {
        Self {
            http,
            flavors_url: format!("{api}/products/flavors?context={context}"),
            instances_url: format!("{api}/products/instances"),
            prefix: prefix.to_owned(),
            flavors: Kept::empty(),
            version: Kept::empty(),
        }
    }

    /// The flavors on offer, lightest first.
    ///
    /// # Errors
    /// A text that says what was tried and what came back.
    pub fn flavors(&self) -> Result<Vec<Flavor>, String> {
        self.flavors.get(|| self.fetch_flavors())
    }

    /// The current version of the Docker machine type, which a creation must name.
    ///
    /// # Errors
    /// As above.
    pub fn instance_version(&self) -> Result<String, String> {
        self.version.get(|| self.fetch_version())
    }

    /// Clever Cloud refused what was taken from here: fetch it anew the next time.
    pub fn forget(&self) {
        self.flavors.forget();
        self.version.forget();
    }

    fn fetch_flavors(&self) -> Result<Vec<Flavor>, String> {
        let mut flavors: Vec<_> = fetch(&self.http, &self.flavors_url, |written| {
            Flavor::read(written, &self.prefix)
        })?;
        if flavors.is_empty() {
            let (url, prefix) = (&self.flavors_url, &self.prefix);
            return Err(format!(
                "{url} offers no flavor whose name begins with {prefix}"
            ));
        }
        flavors.sort_by_key(|flavor| (flavor.memory, flavor.name.clone()));
        Ok(flavors)
    }

    /// The reference takes the version of the item named `Docker`; the newest one, if there are
    /// several. Clever page, 2.2.
    fn fetch_version(&self) -> Result<String, String> {
        let versions = fetch(&self.http, &self.instances_url, |instance| {
            let enabled = instance.get("enabled") != Some(false);
            let is_docker = instance.text("name").as_deref() == Some("Docker");
            instance.text("version").filter(|_| enabled && is_docker)
        })?;
        let newest = versions.into_iter().max();
        newest.ok_or_else(|| format!("{} lists no type named Docker", self.instances_url))
    }
}

impl Flavor {
    /// Foreign and unavailable flavors can be in the list, and most fields may be missing.
    fn read(written: &Fields<'_>, prefix: &str) -> Option<Self> {
        let name = written.text("name")?;
        let name = name.strip_prefix(prefix)?;
        let available: Option<bool> = written.get("available");
        let bytes: Option<u64> = written.object("memory").get("value");
        let memory = written.get("mem").or_else(|| Some(bytes? >> 20))?;
        (available != Some(false) && !name.is_empty()).then(|| Self {
            name: name.to_owned(),
            weight: Weight::of_memory(memory),
            memory,
        })
    }
}

/// What `pick` takes from the objects of a list.
fn fetch<T>(
    http: &Http,
    url: &str,
    pick: impl Fn(&Fields<'_>) -> Option<T>,
) -> Result<Vec<T>, String> {
    let what = || {
        let host = url
            .parse::<Uri>()
            .ok()
            .and_then(|uri| Some(uri.host()?.to_owned()));
        let path = url.split_once("/products").map_or(url, |(_, path)| path);
        format!("GET /products{path} at {}", host.unwrap_or_default())
    };
    let call = Call::get(url)
        .header("Content-Type", "application/json")
        .within(TIMEOUT)
        .at_most(LIMIT);
    let answer = http
        .send(&call)
        .map_err(|error| format!("{}: {error}", what()))?;
    if !answer.is_success() {
        return Err(format!("{}: {}", what(), answer.describe(&call)));
    }
    let objects = json::objects(&answer.body)
        .map_err(|_| format!("{}: the answer is not a JSON list", what()))?;
    Ok(objects.iter().filter_map(pick).collect())
}

impl<T: Clone> Kept<T> {
    const fn empty() -> Self {
        Self(Mutex::new(State {
            value: None,
            failed: None,
        }))
    }

    /// The kept value while it is young, else a new one; an old one when no new one can be had.
    /// Threads that ask meanwhile wait for the one that fetches.
    fn get(&self, fetch: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, since)) = &state.value
            && since.elapsed() < KEPT_FOR
        {
            return Ok(value.clone());
        }
        let recently = state
            .failed
            .as_ref()
            .filter(|(_, at)| at.elapsed() < ASKED_AGAIN_AFTER);
        let fetched = match recently {
            Some((why, _)) => Err(why.clone()),
            None => fetch(),
        };
        match fetched {
            Ok(value) => {
                *state = State {
                    value: Some((value.clone(), Instant::now())),
                    failed: None,
                };
                Ok(value)
            }
            Err(why) => {
                if state
                    .failed
                    .as_ref()
                    .is_none_or(|(_, at)| at.elapsed() >= ASKED_AGAIN_AFTER)
                {
                    state.failed = Some((why.clone(), Instant::now()));
                }
                state
                    .value
                    .as_ref()
                    .map(|(value, _)| value.clone())
                    .ok_or(why)
            }
        }
    }

    fn forget(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State {
            value: None,
            failed: None,
        };
    }
}
