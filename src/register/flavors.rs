//! The machine sizes that a person can choose from.
//!
//! The API's list is a help and no condition: when it can't be had, whatever is typed has to do.

pub use crate::clever::Flavor;
use crate::clever::{Catalogue, MachineType};
use crate::config::values::{FLAVOR_FAMILY, HEPTAPOD_VARIANT, flavor_prefix};
use crate::http::Http;

/// The flavors on offer at `api`, smallest first.
///
/// # Errors
/// A text that says what was tried and what came back.
pub fn fetch(http: &Http, api: &str) -> Result<Vec<Flavor>, String> {
    let prefix = flavor_prefix(FLAVOR_FAMILY);
    let machine_type = MachineType::HeptapodRunner {
        context: FLAVOR_FAMILY.to_owned(),
        variant: HEPTAPOD_VARIANT.to_owned(),
    };
    Catalogue::new(http.clone(), api, machine_type, &prefix).flavors()
}

/// The list as a person reads it.
pub fn table(flavors: &[Flavor]) -> String {
    let line = |flavor: &Flavor| {
        let gibibytes = flavor.memory_mib as f64 / 1024.0;
        format!("  {:<4} {gibibytes:>5} GiB of memory", flavor.name)
    };
    flavors.iter().map(line).collect::<Vec<_>>().join("\n")
}
