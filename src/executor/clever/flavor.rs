//! Which flavor a job gets, of those that are on offer, and what that weighs.
//!
//! The job's own word counts before its tags, and these before the default. How a list of flavors is
//! had is not known here.

use std::ops::RangeInclusive;

use super::trouble::Trouble;
use super::{CleverDocker, words};
use crate::clever::Flavor;
use crate::executor::{Executor, Machine, Price};
use crate::payload::Payload;
use crate::weight::Weight;

impl CleverDocker {
    /// The flavor that a job asks for, or the default one.
    pub(super) fn flavor_of(
        &self,
        payload: &Payload,
        machine: &Machine,
    ) -> Result<Flavor, Trouble> {
        let flavors = self.catalogue.flavors().map_err(Trouble::Unprepared)?;
        let offered = self.offered(flavors).map_err(Trouble::Unprepared)?;
        let wanted = self.wanted_flavor(payload, machine);
        let found = offered.iter().find(|flavor| flavor.name == wanted).cloned();
        found.ok_or_else(|| {
            let names: Vec<_> = offered.iter().map(|flavor| flavor.name.as_str()).collect();
            let offered = names.join(", ");
            Trouble::Final(match payload.flavor() {
                Some(wanted) => words::no_such_flavor(wanted, &offered),
                None if wanted == self.settings.default_flavor => {
                    words::no_default_flavor(wanted, &offered)
                }
                None => words::no_flavor_for_tag(wanted, &offered),
            })
        })
    }

    fn wanted_flavor<'a>(&'a self, payload: &'a Payload, machine: &'a Machine) -> &'a str {
        let chosen = payload.flavor().or(machine.flavor.as_deref());
        chosen.unwrap_or(&self.settings.default_flavor)
    }

    /// The flavors that a job may ask for: those that can be ordered, none above the configured
    /// maximum.
    pub(super) fn offered(&self, mut flavors: Vec<Flavor>) -> Result<Vec<Flavor>, String> {
        if let Some(max) = &self.settings.max_flavor {
            let heaviest = flavors
                .iter()
                .find(|flavor| flavor.name == *max)
                .map(|f| f.weight);
            let heaviest = heaviest.ok_or_else(|| {
                format!(
                    "cc_max_flavor is {max:?}, which {} does not offer",
                    self.settings.api_url
                )
            })?;
            flavors.retain(|flavor| flavor.weight <= heaviest);
        }
        flavors.retain(|flavor| flavor.is_available);
        Ok(flavors)
    }

    /// What a job with these tags gets: the heaviest that one of them stands for.
    pub(super) fn flavor_by(&self, tags: &[String]) -> &str {
        let by_tag = &self.settings.flavor_by_tag;
        let named = tags.iter().filter_map(|tag| by_tag.get(tag));
        let flavors = self.catalogue.known_flavors().unwrap_or_default();
        let weight = |name: &&String| {
            let flavor = flavors.iter().find(|flavor| flavor.name == **name);
            flavor.map(|flavor| flavor.weight)
        };
        named
            .max_by_key(weight)
            .unwrap_or(&self.settings.default_flavor)
    }

    pub(super) fn weight_of_job(&self, payload: &Payload, machine: &Machine) -> Option<Weight> {
        let offered = self.offered(self.catalogue.known_flavors()?).ok()?;
        if self.goes_by_tags(payload, machine) {
            return None;
        }
        let wanted = self.wanted_flavor(payload, machine);
        let found = offered.into_iter().find(|flavor| flavor.name == wanted);
        Some(found.map_or(Weight::ZERO, |flavor| flavor.weight))
    }

    pub(super) fn price_of(&self, flavor: &str) -> Option<Price> {
        let (zone, currency) = (&self.settings.zone, &self.settings.currency);
        let hourly = self.catalogue.hourly(flavor, zone, currency)?;
        Some(Price {
            hourly,
            currency: currency.clone(),
        })
    }

    pub(super) fn weights_on_offer(&self) -> Result<RangeInclusive<Weight>, String> {
        let offered = self.offered(self.catalogue.flavors()?)?;
        let weights = || offered.iter().map(|flavor| flavor.weight);
        match (weights().min(), weights().max()) {
            (Some(lightest), Some(heaviest)) => Ok(lightest..=heaviest),
            _ => Err("no flavor is on offer".to_owned()),
        }
    }
}
