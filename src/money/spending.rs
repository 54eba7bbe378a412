//! What this month has cost so far, beside what it may cost. Shared by the main thread, which adds, and by
//! pollers and jobs, which ask. Of machines that run it knows nothing: they are never ended for money.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use super::Entry;
use crate::clock::Timestamp;
use crate::job::context::Purse;
use crate::thread::lock;

/// From this part of a budget on it is warned of.
const NEARLY: f64 = 0.8;

/// What a month may cost: all runners together, and some of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budgets {
    pub all: Option<f64>,
    pub runners: BTreeMap<String, f64>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Whose {
    runner: String,
    group: String,
    currency: String,
}

#[derive(Default)]
pub struct Spending(Mutex<Known>);

#[derive(Default)]
struct Known {
    month: String,
    spent: BTreeMap<Whose, f64>,
    budgets: Budgets,
    /// What was warned of in this month.
    told: Vec<String>,
}

impl Spending {
    pub fn set_budgets(&self, budgets: Budgets) {
        let mut known = self.today();
        known.budgets = budgets;
        known.told.clear();
        known.tell();
    }

    /// What this job has cost.
    pub fn add<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) {
        let mut known = self.today();
        for entry in entries {
            let is_todays = entry.ended.month() == known.month;
            if let (true, Some(cost), Some(currency)) = (is_todays, entry.cost, &entry.currency) {
                let whose = Whose {
                    runner: entry.runner.clone(),
                    group: entry.group.clone().unwrap_or_default(),
                    currency: currency.clone(),
                };
                *known.spent.entry(whose).or_default() += cost;
            }
        }
        known.tell();
    }

    /// Why this runner may take no more jobs this month, if so.
    #[must_use]
    pub fn forbids(&self, runner: &str) -> Option<String> {
        let known = self.today();
        let mut spent_up = known
            .used(Some(runner))
            .filter(|used| used.spent >= used.budget);
        spent_up.next().map(|used| used.words())
    }

    /// By currency: this month, and what it has cost so far.
    #[must_use]
    pub fn so_far(&self) -> (String, BTreeMap<String, f64>) {
        let known = self.today();
        let mut sums = BTreeMap::new();
        for (whose, spent) in &known.spent {
            *sums.entry(whose.currency.clone()).or_default() += spent;
        }
        (known.month.clone(), sums)
    }

    /// A month's sums are forgotten when it is over.
    fn today(&self) -> MutexGuard<'_, Known> {
        let mut known = lock(&self.0);
        let month = Timestamp::now().month();
        if known.month != month {
            known.spent.clear();
            known.told.clear();
            known.month = month;
        }
        known
    }
}

impl Purse for Spending {
    /// It is warned of once when it is nearly so.
    fn has_spent(&self, group: &str, budget: f64) -> Option<f64> {
        let mut known = self.today();
        let own = known.spent.iter().filter(|(whose, _)| whose.group == group);
        let spent = own.fold(0.0, |sum, (_, spent)| sum + spent);
        let mark = format!("nearly group {group}");
        if spent >= NEARLY * budget && !known.told.contains(&mark) {
            log::warn!(
                "{spent:.2} of the month's {budget:.2} for group {group} are spent; at the whole of it its jobs \
                 fail until the next month"
            );
            known.told.push(mark);
        }
        (spent >= budget).then_some(spent)
    }
}

/// A budget, and what is used of it.
struct Used<'a> {
    /// None: of all runners.
    runner: Option<&'a str>,
    budget: f64,
    spent: f64,
}

impl Used<'_> {
    fn words(&self) -> String {
        let (key, whose) = match self.runner {
            Some(_) => ("cc_monthly_budget", "this runner"),
            None => ("paas_monthly_budget", "all runners"),
        };
        format!(
            "{:.2} of the month's {:.2} for {whose} are spent ({key})",
            self.spent, self.budget
        )
    }
}

impl Known {
    /// The budgets of this runner, or of each, and that of all.
    fn used<'a>(&'a self, runner: Option<&'a str>) -> impl Iterator<Item = Used<'a>> {
        let sum = |is_meant: &dyn Fn(&str) -> bool| -> f64 {
            let all = self
                .spent
                .iter()
                .filter(|(whose, _)| is_meant(&whose.runner));
            all.fold(0.0, |sum, (_, spent)| sum + spent)
        };
        let all = self.budgets.all.map(|budget| Used {
            runner: None,
            budget,
            spent: sum(&|_| true),
        });
        let each = self.budgets.runners.iter();
        let each = each.filter(move |(name, _)| runner.is_none_or(|runner| runner == *name));
        let each: Vec<_> = each
            .map(|(name, budget)| Used {
                runner: Some(name),
                budget: *budget,
                spent: sum(&|other| other == name),
            })
            .collect();
        all.into_iter().chain(each)
    }

    /// Warns of each budget that is nearly spent, once, and once more when it is.
    fn tell(&mut self) {
        let mut news = Vec::new();
        for used in self.used(None) {
            let part = used.spent / used.budget;
            let whose = used.runner.unwrap_or_default();
            let stage = if part >= 1.0 { "spent" } else { "nearly" };
            let mark = format!("{stage} {whose}");
            if part >= NEARLY && !self.told.contains(&mark) {
                let end = if part >= 1.0 {
                    "no new jobs are taken until the next month, or more is allowed"
                } else {
                    "at the whole of it no new jobs are taken"
                };
                let of = used.runner.map(|name| format!("runner {name}: "));
                log::warn!("{}{}; {end}", of.unwrap_or_default(), used.words());
                news.push(mark);
            }
        }
        self.told.extend(news);
    }
}
