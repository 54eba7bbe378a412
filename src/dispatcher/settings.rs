//! What the configuration says of all runners together, in the shapes in which it is used: at the start,
//! and when it is read again.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, tick};

use super::poll::Pace;
use crate::config::Config;
use crate::job::context::Policy;
use crate::money::Budgets;
use crate::quota::Limits;

/// Statistics that come faster than this are of no use.
const SHORTEST_CYCLE: Duration = Duration::from_millis(100);

pub fn limits(config: &Config) -> Limits {
    Limits {
        jobs: config.concurrent,
        launching: config.max_launching,
        holds: config.holds_jobs,
    }
}

pub fn policy(config: &Config) -> Policy {
    Policy {
        progress_interval: config.progress_interval,
        hold_at_most: config.hold_at_most,
        longest_job: config.longest_job,
        keep_finished: config.keep_finished,
        decommission_launch_failures: config.decommission_launch_failures,
    }
}

pub fn pace(config: &Config) -> Pace {
    Pace {
        interval: config.check_interval,
        at_limit: config.limit_interval,
        repoll_immediately: config.repoll_immediately,
        max_age: config.max_machine_age,
    }
}

pub fn budgets(config: &Config) -> Budgets {
    let of_runners = config.runners.iter().filter_map(|runner| {
        let budget = runner.executor.budget()?;
        Some((runner.name.clone(), budget))
    });
    Budgets {
        all: config.budget,
        runners: of_runners.collect(),
    }
}

/// When to tell statistics.
pub fn statistics(config: &Config) -> Receiver<Instant> {
    if config.log_statistics {
        tick(config.check_interval.max(SHORTEST_CYCLE))
    } else {
        never()
    }
}
