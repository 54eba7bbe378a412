//! What Clever Cloud offers: machine sizes and the version of the machine type.
//!
//! Both lists are public (Clever page, 2): no credentials are sent, which some kinds of
//! credentials would even be refused for. They are kept for an hour; old ones are better than
//! none when they can't be refreshed.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ureq::http::Uri;

use crate::http::{Call, Http};
use crate::json::{self, Fields};
use crate::thread::lock;
use crate::weight::Weight;

const KEPT_FOR: Duration = Duration::from_secs(3600);
/// After a failure the service is left in peace for a moment.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// The list of machine types repeats every flavor for every type.
const LIMIT: u64 = 16 << 20;
const TIMEOUT: Duration = Duration::from_secs(15);

/// A machine size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flavor {
    /// As users say it: `M`.
    pub name: String,
    pub weight: Weight,
    pub memory_mib: u64,
    /// Some are known, but can't be ordered at the moment.
    pub is_available: bool,
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
struct Kept<T> {
    value: Mutex<Option<Fetched<T>>>,
    /// Why it could not be fetched of late. Held by the thread that fetches.
    failed: Mutex<Option<(String, Instant)>>,
}

#[derive(Clone)]
struct Fetched<T> {
    value: T,
    since: Instant,
    /// Clever Cloud refused a creation that was made with it.
    was_refused: bool,
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

    /// All flavors, lightest first.
    ///
    /// # Errors
    /// A text that says what was tried and what came back.
    pub fn flavors(&self) -> Result<Vec<Flavor>, String> {
        self.flavors.get(|| self.fetch_flavors())
    }

    /// The same as far as they are known, maybe old ones: no request is made.
    pub fn known_flavors(&self) -> Option<Vec<Flavor>> {
        self.flavors.known()
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
        flavors.sort_by_key(|flavor| (flavor.memory_mib, flavor.name.clone()));
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
    /// Foreign flavors can be in the list, and most fields may be missing.
    fn read(written: &Fields<'_>, prefix: &str) -> Option<Self> {
        let name = written.text("name")?;
        let name = name.strip_prefix(prefix)?;
        let available: Option<bool> = written.get("available");
        let bytes: Option<u64> = written.object("memory").get("value");
        let memory_mib = written.get("mem").or_else(|| Some(bytes? >> 20))?;
        (!name.is_empty()).then(|| Self {
            name: name.to_owned(),
            weight: Weight::of_memory(memory_mib),
            memory_mib,
            is_available: available != Some(false),
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
        Self {
            value: Mutex::new(None),
            failed: Mutex::new(None),
        }
    }

    /// The kept value while it is young, else a new one; an old one when no new one can be had.
    /// Threads that have nothing wait for the one that fetches.
    fn get(&self, fetch: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        if let Some(young) = self.young() {
            return Ok(young);
        }
        let mut failed = lock(&self.failed);
        if let Some(young) = self.young() {
            return Ok(young);
        }
        let recently = failed
            .as_ref()
            .filter(|(_, at)| at.elapsed() < ASKED_AGAIN_AFTER);
        let why = match recently.map(|(why, _)| why.clone()) {
            Some(why) => why,
            None => match fetch() {
                Ok(value) => {
                    *failed = None;
                    self.keep(value.clone());
                    return Ok(value);
                }
                Err(why) => {
                    *failed = Some((why.clone(), Instant::now()));
                    why
                }
            },
        };
        self.accepted().map(|kept| kept.value).ok_or(why)
    }

    fn keep(&self, value: T) {
        *self.lock() = Some(Fetched {
            value,
            since: Instant::now(),
            was_refused: false,
        });
    }

    fn young(&self) -> Option<T> {
        let kept = self.accepted()?;
        (kept.since.elapsed() < KEPT_FOR).then_some(kept.value)
    }

    fn accepted(&self) -> Option<Fetched<T>> {
        self.lock().clone().filter(|kept| !kept.was_refused)
    }

    fn known(&self) -> Option<T> {
        self.lock().as_ref().map(|kept| kept.value.clone())
    }

    fn forget(&self) {
        if let Some(kept) = self.lock().as_mut() {
            kept.was_refused = true;
        }
        *lock(&self.failed) = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Fetched<T>>> {
        lock(&self.value)
    }
}
