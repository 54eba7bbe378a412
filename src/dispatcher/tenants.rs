//! The top-level groups in whose accounts something may be left: where each has its own, machines can
//! be looked for only in those whose names are known.
//!
//! A name is forgotten when a search that began long enough after the group's last job has found
//! nothing: so there are as many names as groups that have jobs, and not as many as ever had one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::thread::lock;

/// What is looked at once a day, as the ends of credentials are, shall meet every group.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

pub struct Tenants {
    names: Arc<Mutex<BTreeSet<String>>>,
    /// When those may be forgotten that had a job since the start.
    kept_until: BTreeMap<String, Instant>,
    /// When the others may: what their last jobs began in another process is listed by then.
    others_until: Instant,
}

impl Tenants {
    /// Those of the last process, whose creations are listed `late`.
    pub fn of_last_process(names: BTreeSet<String>, late: Duration) -> Self {
        Self {
            names: Arc::new(Mutex::new(names)),
            kept_until: BTreeMap::new(),
            others_until: Instant::now() + late,
        }
    }

    /// For those who look into all of them.
    pub fn names(&self) -> Arc<Mutex<BTreeSet<String>>> {
        self.names.clone()
    }

    /// There is a job of this group, or was one a moment ago. Says whether that is news.
    pub fn has_job(&mut self, name: &str) -> bool {
        let is_new = lock(&self.names).insert(name.to_owned());
        let until = Instant::now() + KEPT_FOR;
        self.kept_until.insert(name.to_owned(), until);
        is_new
    }

    /// Nothing was found in `empty` by a search that began at `began`; those in `needed` have jobs.
    /// Says whether any was forgotten.
    pub fn forget(
        &mut self,
        empty: &BTreeSet<String>,
        began: Instant,
        needed: &BTreeSet<&str>,
    ) -> bool {
        let mut names = lock(&self.names);
        let before = names.len();
        names.retain(|name| {
            let until = self.kept_until.get(name).unwrap_or(&self.others_until);
            !empty.contains(name) || needed.contains(name.as_str()) || began < *until
        });
        self.kept_until.retain(|name, _| names.contains(name));
        names.len() < before
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};

    use super::{KEPT_FOR, Tenants};
    use crate::thread::lock;

    const LATE: Duration = Duration::from_secs(75);

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_group_is_forgotten_when_nothing_of_it_can_be_left() {
        let mut tenants = Tenants::of_last_process(set(&["idle", "busy", "full"]), LATE);
        tenants.has_job("new");
        let names = tenants.names();
        let (idle, needed) = (set(&["idle", "busy", "new"]), BTreeSet::from(["busy"]));
        let now = Instant::now();
        assert!(
            !tenants.forget(&idle, now, &needed),
            "its creation may come"
        );
        assert!(!tenants.forget(&set(&[]), now + LATE * 2, &needed));
        assert!(tenants.forget(&idle, now + LATE * 2, &needed));
        assert_eq!(*lock(&names), set(&["busy", "full", "new"]));
        assert!(tenants.forget(&idle, now + KEPT_FOR + LATE, &needed));
        assert_eq!(*lock(&names), set(&["busy", "full"]));
    }

    #[test]
    fn ten_thousand_groups_that_were_met_leave_no_trace() {
        let mut tenants = Tenants::of_last_process(BTreeSet::new(), LATE);
        let met: BTreeSet<_> = (0..10_000).map(|n| format!("group-{n}")).collect();
        for name in &met {
            tenants.has_job(name);
        }
        tenants.forget(&met, Instant::now() + KEPT_FOR + LATE, &BTreeSet::new());
        assert!(lock(&tenants.names()).is_empty() && tenants.kept_until.is_empty());
    }
}
