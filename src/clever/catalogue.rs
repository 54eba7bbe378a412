//! What Clever Cloud offers: machine sizes, and version and variant of the machine type.
//!
//! Both lists are public (Clever page, 2): no credentials are sent, which some kinds of
//! credentials would even be refused for. They are kept for an hour; old ones are better than
//! none when they can't be refreshed.

use std::time::Duration;

use super::kept::Kept;
use super::prices::Prices;
use super::public::{get, what};
use crate::http::Http;
use crate::json::{self, Fields};
use crate::weight::Weight;

const KEPT_FOR: Duration = Duration::from_secs(3600);
/// After a failure the service is left in peace for a moment.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// They change once in years, and nothing but a sum depends on them.
const PRICES_KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
const PRICES_ASKED_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// A machine size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flavor {
    /// As users say it: `M`.
    pub name: String,
    pub weight: Weight,
    pub memory_mib: u64,
    /// Some are known, but can't be ordered at the moment.
    pub is_available: bool,
    /// How the price list calls it.
    pub price_id: Option<String>,
}

impl Flavor {
    /// What an hour of it costs, where that is known.
    #[must_use]
    pub fn price(&self, prices: &Prices) -> Option<f64> {
        prices.of(self.price_id.as_ref()?)
    }
}

/// The type of machine that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineType {
    /// Made for runners; not in the public list of types, and not open to every organization. Its
    /// flavors have a list of their own, for this context.
    HeptapodRunner { context: String, variant: String },
    /// The public Docker type, with the flavors of any application (Clever page, 2.2).
    Docker { variant: Option<String> },
}

/// What a creation must name of the type of machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub version: String,
    pub variant: String,
}

/// A type in the list of types.
#[derive(Clone)]
struct Listed {
    instance: Instance,
    flavors: Vec<Flavor>,
}

/// Flavor and instance lists of one API, for one type of machine.
pub struct Catalogue {
    http: Http,
    api: String,
    machine_type: MachineType,
    prefix: String,
    flavors: Kept<Vec<Flavor>>,
    listed: Kept<Listed>,
    prices: Kept<Prices>,
}

impl Catalogue {
    /// Names of flavors at Clever Cloud begin with `prefix`, which users don't say.
    #[must_use]
    pub fn new(http: Http, api: &str, machine_type: MachineType, prefix: &str) -> Self {
        Self {
            http,
            api: api.to_owned(),
            machine_type,
            prefix: prefix.to_owned(),
            flavors: Kept::empty(KEPT_FOR, ASKED_AGAIN_AFTER),
            listed: Kept::empty(KEPT_FOR, ASKED_AGAIN_AFTER),
            prices: Kept::empty(PRICES_KEPT_FOR, PRICES_ASKED_AGAIN_AFTER),
        }
    }

    /// All flavors, lightest first.
    ///
    /// # Errors
    /// A text that says what was tried and what came back.
    pub fn flavors(&self) -> Result<Vec<Flavor>, String> {
        match &self.machine_type {
            MachineType::HeptapodRunner { context, .. } => {
                self.flavors.get(|| self.fetch_flavors(context))
            }
            MachineType::Docker { .. } => Ok(self.listed()?.flavors),
        }
    }

    /// The same as far as they are known, maybe old ones: no request is made.
    pub fn known_flavors(&self) -> Option<Vec<Flavor>> {
        match self.machine_type {
            MachineType::HeptapodRunner { .. } => self.flavors.known(),
            MachineType::Docker { .. } => Some(self.listed.known()?.flavors),
        }
    }

    /// What an hour of this flavor costs in `zone`, where that can be learnt. May take as long as a
    /// request.
    pub fn hourly(&self, flavor: &str, zone: &str, currency: &str) -> Option<f64> {
        let prices = self
            .prices
            .get(|| Prices::fetch(&self.http, &self.api, zone, currency));
        let prices = prices
            .inspect_err(|why| log::debug!("prices are not known: {why}"))
            .ok()?;
        let flavors = self.known_flavors()?;
        let known = flavors.iter().find(|known| known.name == flavor)?;
        known.price(&prices)
    }

    /// What a creation must name now.
    ///
    /// # Errors
    /// As above.
    pub fn instance(&self) -> Result<Instance, String> {
        let listed = self.listed()?.instance;
        let variant = match &self.machine_type {
            MachineType::HeptapodRunner { variant, .. } => Some(variant.clone()),
            MachineType::Docker { variant } => variant.clone(),
        };
        Ok(Instance {
            variant: variant.unwrap_or(listed.variant),
            ..listed
        })
    }

    /// Clever Cloud refused what was taken from here: fetch it anew the next time.
    pub fn forget(&self) {
        self.flavors.forget();
        self.listed.forget();
    }

    fn fetch_flavors(&self, context: &str) -> Result<Vec<Flavor>, String> {
        let url = format!("{}/products/flavors?context={context}", self.api);
        let flavors = fetch(&self.http, &url, |written| {
            Flavor::read(written, &self.prefix)
        })?;
        self.check(flavors, &url)
    }

    fn check(&self, mut flavors: Vec<Flavor>, url: &str) -> Result<Vec<Flavor>, String> {
        if flavors.is_empty() {
            let prefix = &self.prefix;
            return Err(format!(
                "{url} offers no flavor whose name begins with {prefix:?}"
            ));
        }
        flavors.sort_by_key(|flavor| (flavor.memory_mib, flavor.name.clone()));
        Ok(flavors)
    }

    fn listed(&self) -> Result<Listed, String> {
        self.listed.get(|| self.fetch_listed())
    }

    /// The type that is called `Docker`, as the reference takes it for its version; where its flavors
    /// count, too, the one whose variant has the slug `docker`. The newest, if there are several.
    /// Clever page, 2.2.
    fn fetch_listed(&self) -> Result<Listed, String> {
        let url = format!("{}/products/instances", self.api);
        let types = fetch(&self.http, &url, |listed| {
            let is_enabled = listed.get("enabled") != Some(false);
            let variant = listed.object("variant");
            let is_called = || listed.text("name").as_deref() == Some("Docker");
            let is_docker = match (&self.machine_type, variant.text("slug")) {
                (MachineType::Docker { .. }, Some(slug)) => slug == "docker",
                _ => is_called(),
            };
            let instance = Instance {
                version: listed.text("version")?,
                variant: variant.text("id").unwrap_or_default(),
            };
            let of_runners = |flavor: &Fields<'_>| flavor.get("microservice") != Some(true);
            let flavors = listed.list("flavors").into_iter();
            let flavors = flavors
                .filter_map(|flavor| Fields::of(flavor).ok())
                .filter(of_runners)
                .filter_map(|flavor| Flavor::read(&flavor, &self.prefix));
            (is_enabled && is_docker).then(|| Listed {
                instance,
                flavors: flavors.collect(),
            })
        })?;
        let newest = types
            .into_iter()
            .max_by(|a, b| a.instance.version.cmp(&b.instance.version));
        let newest = newest.ok_or_else(|| format!("{url} lists no type named Docker"))?;
        let flavors = match self.machine_type {
            MachineType::HeptapodRunner { .. } => Vec::new(),
            MachineType::Docker { .. } => self.check(newest.flavors, &url)?,
        };
        Ok(Listed { flavors, ..newest })
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
            price_id: written.text("price_id"),
        })
    }
}

/// What `pick` takes from the objects of a list.
fn fetch<T>(
    http: &Http,
    url: &str,
    pick: impl Fn(&Fields<'_>) -> Option<T>,
) -> Result<Vec<T>, String> {
    let answer = get(http, url)?;
    let objects = json::objects(&answer.body)
        .map_err(|_| format!("{}: the answer is not a JSON list", what(url)))?;
    Ok(objects.iter().filter_map(pick).collect())
}
