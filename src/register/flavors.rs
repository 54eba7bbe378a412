//! The types and sizes of machines that a person can choose from, and what they cost.
//!
//! The API's lists are a help and no condition: when they can't be had, whatever is typed has to do.

use std::fmt::Write;
use std::str::FromStr;

use crate::clever::{Catalogue, MachineType};
pub use crate::clever::{Flavor, Prices};
use crate::config::keys;
use crate::config::values::{FLAVOR_FAMILY, HEPTAPOD_VARIANT, flavor_prefix};
use crate::http::Http;

/// A type of machine, as `cc_instance` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instance {
    Docker,
    HeptapodRunner,
}

impl Instance {
    pub const ALL: [Self; 2] = [Self::Docker, Self::HeptapodRunner];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::HeptapodRunner => "heptapod-runner",
        }
    }

    const fn described(self) -> &'static str {
        match self {
            Self::Docker => "the public type, open to everybody",
            Self::HeptapodRunner => "made for runners, and not open to every organization",
        }
    }

    /// The flavors on offer at `api`, smallest first.
    ///
    /// # Errors
    /// A text that says what was tried and what came back.
    pub fn flavors(self, http: &Http, api: &str) -> Result<Vec<Flavor>, String> {
        let (machine_type, prefix) = match self {
            Self::Docker => (MachineType::Docker { variant: None }, String::new()),
            Self::HeptapodRunner => {
                let machine_type = MachineType::HeptapodRunner {
                    context: FLAVOR_FAMILY.to_owned(),
                    variant: HEPTAPOD_VARIANT.to_owned(),
                };
                (machine_type, flavor_prefix(FLAVOR_FAMILY))
            }
        };
        let mut flavors = Catalogue::new(http.clone(), api, machine_type, &prefix).flavors()?;
        flavors.retain(|flavor| flavor.is_available);
        Ok(flavors)
    }
}

impl FromStr for Instance {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(" and ");
            format!("unknown type {name:?}; there are {names}")
        })
    }
}

/// What machines cost where the configuration has them; nothing, when that can't be learnt.
pub fn prices(http: &Http, api: &str) -> Prices {
    let zone: Option<String> = keys::CC_ZONE.default();
    let currency: Option<String> = keys::CC_CURRENCY.default();
    let (zone, currency) = (zone.unwrap_or_default(), currency.unwrap_or_default());
    let prices = Prices::fetch(http, api, &zone, &currency);
    prices.unwrap_or_else(|why| {
        log::warn!("what machines cost is not known: {why}");
        Prices::default()
    })
}

/// Both types, each with an example, and which one is cheaper.
pub fn comparison(http: &Http, api: &str, prices: &Prices) -> String {
    let mut text = "Which type of machine?".to_owned();
    let mut cheapest: Option<(f64, Instance)> = None;
    for instance in Instance::ALL {
        let (name, what) = (instance.name(), instance.described());
        let _ = write!(text, "\n  {name:<15}  {what}");
        let flavors = instance.flavors(http, api).unwrap_or_default();
        let Some(flavor) = usual(&flavors) else {
            continue;
        };
        let _ = write!(text, "; {} has {}", flavor.name, memory(flavor));
        let Some(price) = flavor.price(prices) else {
            continue;
        };
        let of_memory = price / gibibytes(flavor);
        let _ = write!(
            text,
            ", {price:.3} € an hour ({of_memory:.3} € for each GiB)"
        );
        if cheapest.is_none_or(|(least, _)| of_memory < least) {
            cheapest = Some((of_memory, instance));
        }
    }
    if let Some((_, instance)) = cheapest {
        let _ = write!(text, "\nThe cheaper one is {}.", instance.name());
    }
    text
}

/// The list as a person reads it.
pub fn table(flavors: &[Flavor], prices: &Prices) -> String {
    let lines = flavors.iter().map(|flavor| {
        let price = flavor.price(prices);
        let price = price.map_or_else(String::new, |price| format!("   {price:.3} € an hour"));
        format!("  {:<4} {:>9}{price}", flavor.name, memory(flavor))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What most take: the configuration's own default, where it is on offer.
pub fn usual(flavors: &[Flavor]) -> Option<&Flavor> {
    let usual: Option<String> = keys::CC_DEFAULT_FLAVOR.default();
    let is_usual = |flavor: &&Flavor| Some(&flavor.name) == usual.as_ref();
    flavors.iter().find(is_usual).or(flavors.first())
}

fn gibibytes(flavor: &Flavor) -> f64 {
    flavor.memory_mib as f64 / 1024.0
}

fn memory(flavor: &Flavor) -> String {
    format!("{:.1} GiB", gibibytes(flavor))
}
