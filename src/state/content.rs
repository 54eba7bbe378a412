//! The state file as it is written: the lists of the Python runner, and what they have no room for.

use std::collections::BTreeSet;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Handle, OUR_KEY, Ours, PythonStandby, Supplement, Tracked};
use crate::job::Phase;

/// What is written.
pub struct Content<'a, T> {
    pub tracked: T,
    pub python_standby: &'a PythonStandby,
    pub tenants: &'a BTreeSet<String>,
    pub system_id: &'a str,
    /// Of the journal that goes on from it.
    pub journal: &'a str,
}

impl<'a, T: Iterator<Item = &'a Tracked> + Clone> Serialize for Content<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let launched = |tracked: &&Tracked| matches!(tracked.job.phase, Phase::Launched);
        // The Python runner can't decommission what has no resource.
        let ended = |tracked: &&Tracked| {
            matches!(tracked.job.phase, Phase::Ended { .. })
                && tracked.job.machine.resource.is_some()
        };
        let pending = |tracked: &'a Tracked| {
            let payload = tracked.job.payload()?;
            Some((Handle::of(tracked), payload.raw()))
        };
        let all = || self.tracked.clone();
        let mut file = serializer.serialize_map(None)?;
        file.serialize_entry("launched", &Each(all().filter(launched).map(Handle::of)))?;
        file.serialize_entry(
            "to_decommission",
            &Each(all().filter(ended).map(Handle::of)),
        )?;
        file.serialize_entry("standby_resources", self.python_standby)?;
        file.serialize_entry("pending", &Each(all().filter_map(pending)))?;
        let ours = Ours {
            system_id: Some(self.system_id),
            journal: Some(self.journal),
            tenants: self.tenants,
            jobs: Each(all().map(Supplement::of)),
        };
        file.serialize_entry(OUR_KEY, &ours)?;
        file.end()
    }
}

/// A list that is written item by item: hundreds of payloads are never in memory twice.
struct Each<T>(T);

impl<T: Iterator<Item: Serialize> + Clone> Serialize for Each<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}
