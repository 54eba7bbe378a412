//! What the services say: coordinators, Clever Cloud, an engine. Nothing is changed there.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{About, Section};
use crate::clock;
use crate::config::{Config, QuotaSettings};
use crate::coordinator::hints;
use crate::deploy::scratch::Scratch;
use crate::executor::{Expiry, NoWeight};
use crate::fact::{Fact, Verdict};
use crate::http::Http;
use crate::quota::{Limits, Quota};
use crate::runner::{self, Installation, Runner};
use crate::shutdown;
use crate::state::file::StateFile;

const COORDINATOR: &str = "coordinator";
const TOKEN: &str = "token";
const QUOTA: &str = "quota";

/// Within this it is time for a new one.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// A section for each runner, and one for what they share.
pub fn ask(config: Config) -> Vec<Section> {
    let (_stopper, stop) = shutdown::channel();
    // What is wrong with it was said.
    let state = StateFile::read(&config.state_file).unwrap_or_default();
    let http = match Http::by_environment(config.connection_max_age, stop) {
        Ok(http) => http,
        Err(why) => {
            let fact = Fact::bad("environment", why, "see ENVIRONMENT in the manual");
            return vec![Section {
                about: About::Computer,
                facts: vec![fact],
            }];
        }
    };
    let system_id = state.system_id.as_deref();
    let installation = Installation::of(&config.state_file, system_id, Scratch::none(), http);
    let no_jobs = Quota::new(Limits::NO_JOBS);
    let allowed = config.quota.allowed_fraction_per_runner;
    let runners = runner::all(config.runners, &no_jobs, allowed, &installation, &[]);
    let mut sections: Vec<_> = runners
        .iter()
        .map(|runner| {
            let mut facts = coordinator(runner, &state.tenants);
            facts.extend(runner.executor.probe());
            facts.extend(runner.executor.look_closer(&state.tenants));
            Section {
                about: About::Runner(runner.name.clone()),
                facts,
            }
        })
        .collect();
    let named = |runner: &&std::sync::Arc<Runner>| runner.name == config.quota.reference_runner;
    if let Some(reference) = runners.iter().find(named) {
        let mut facts = vec![];
        match reference
            .executor
            .weigh_flavor(&config.quota.reference_flavor)
        {
            Ok(weight) => {
                no_jobs.set_limit(weight * config.quota.reference_jobs_count);
                facts.push(Fact::good(QUOTA, quota_in_words(&config.quota, &no_jobs)));
                facts.extend(
                    runners
                        .iter()
                        .filter_map(|runner| room(runner, config.holds_jobs)),
                );
            }
            Err(NoWeight::NotOffered(offered)) => {
                let flavor = &config.quota.reference_flavor;
                let text = format!("`reference_flavor` is {flavor:?}, but {offered}");
                facts.push(Fact::bad(QUOTA, text, "set it to one of these"));
            }
            Err(NoWeight::Unknown(why)) => facts.push(Fact::unknown(QUOTA, why)),
        }
        sections.push(Section {
            about: About::Quota,
            facts,
        });
    }
    sections
}

fn quota_in_words(settings: &QuotaSettings, quota: &Quota) -> String {
    let (jobs, flavor) = (settings.reference_jobs_count, &settings.reference_flavor);
    let limit = quota.snapshot().limit;
    format!("{limit}, the weight of {jobs} machines of flavor {flavor}")
}

/// Whether a runner's part of the quota is too small for what it offers: for any job, or for some.
fn room(runner: &Runner, holds: bool) -> Option<Fact> {
    let weights = runner.executor.weights().ok()?;
    let (lightest, heaviest) = weights.into_inner();
    let (name, most) = (&runner.name, runner.share.most());
    let remedy = "raise `reference_jobs_count`, or set `cc_max_flavor`";
    if lightest > most || (heaviest > most && !holds) {
        let least = if holds { lightest } else { heaviest };
        let text = format!(
            "runner {name} will never get a job: it needs room for one that weighs {least}, and all \
             that it may use is {most}"
        );
        return Some(Fact::bad(QUOTA, text, remedy));
    }
    (heaviest > most).then(|| {
        let text = format!(
            "runner {name} will refuse the heaviest jobs that it offers machines for: they weigh \
             {heaviest}, and all that it may use is {most}"
        );
        Fact::new(QUOTA, Verdict::Doubtful, text).remedy(remedy)
    })
}

/// Whether the coordinator knows the runner, what it says of itself, and what ends when.
fn coordinator(runner: &Runner, tenants: &BTreeSet<String>) -> Vec<Fact> {
    let (coordinator, url) = (&runner.coordinator, runner.coordinator.url());
    let identity = &runner.identity;
    let verified = match coordinator.verified(&identity.token, Some(&identity.system_id)) {
        Ok(verified) => verified,
        Err(trouble) => {
            let text = format!("{url}: {}", hints::told(&trouble));
            return vec![match hints::remedy(url, &trouble) {
                Some(remedy) => Fact::bad(COORDINATOR, text, remedy),
                None => Fact::unknown(COORDINATOR, text),
            }];
        }
    };
    let version = runner.trace_watch.token.as_ref();
    let version = version.and_then(|token| coordinator.version(token));
    let version = version.map_or_else(String::new, |version| format!(", version {version},"));
    let mut facts = vec![Fact::good(
        COORDINATOR,
        format!("{url}{version} knows the runner's token"),
    )];
    let expiries = runner.expiries(verified.expires, tenants);
    facts.extend(expiries.iter().map(ending));
    facts.extend(verified.date.and_then(|date| clock::skew(date, url)));
    facts
}

/// An end that is so near is told as one.
fn ending(expiry: &Expiry) -> Fact {
    let is_near = expiry.ends.rest().is_none_or(|rest| rest < SOON);
    if is_near {
        Fact::new(TOKEN, Verdict::Doubtful, expiry.text()).remedy(expiry.remedy.clone())
    } else {
        Fact::good(TOKEN, expiry.text())
    }
}
