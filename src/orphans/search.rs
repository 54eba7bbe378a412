//! The search for machines without a job, at start, every hour, and after each job that ended with a
//! machine that may be unseen.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::executor::Found;
use crate::runner::Runner;
use crate::shutdown::{Stop, Stopped};
use crate::thread::lock;

const EVERY: Duration = Duration::from_secs(3600);
/// When it could not be looked everywhere.
const AGAIN: Duration = Duration::from_secs(60);

/// What is searched, and when.
pub struct Search {
    pub runners: Vec<Arc<Runner>>,
    /// Top-level groups that ever had a job here.
    pub tenants: Arc<Mutex<BTreeSet<String>>>,
    /// Something arrives when a job has ended whose creation may still come to its end.
    pub wake: Receiver<()>,
    pub stop: Stop,
}

impl Search {
    /// Looks until the service stops. What is found, tracked or not, is told.
    ///
    /// # Errors
    /// [`Stopped`]
    pub fn run(&self, tell: impl Fn(&Arc<Runner>, Vec<Found>)) -> Result<(), Stopped> {
        let late = self
            .runners
            .iter()
            .map(|runner| runner.executor.created_within());
        let late = late.max().unwrap_or_default();
        loop {
            let mut pause = EVERY;
            for runner in &self.runners {
                self.stop.check()?;
                let tenants = lock(&self.tenants).clone();
                let inventory = runner.executor.machines(&runner.unique_name, &tenants);
                for why in inventory.not_searched {
                    log::warn!("looking for machines without a job: {why}");
                    pause = AGAIN;
                }
                tell(runner, inventory.machines);
            }
            if self.stop.wait_or(&self.wake, pause)?.is_some() {
                self.stop.wait(late)?;
            }
        }
    }
}
