//! `--costs`: what a month has cost, by what one wants to know.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::str::FromStr;

use serde_json::json;

use super::{Entry, HOUR, Ledger};
use crate::clock::Timestamp;
use crate::foreign::{Keep, one_line};

/// What a row of the table is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    Group,
    #[default]
    Project,
    User,
    Flavor,
    Runner,
}

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Table,
    Csv,
    Json,
}

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `2026-11`, in universal time; none: this one.
    pub month: Option<String>,
    pub by: By,
    pub form: Form,
}

#[derive(Default)]
struct Sum {
    jobs: u64,
    seconds: u64,
    cost: f64,
    /// Jobs of which the price is not known.
    unknown: u64,
}

/// A name and a currency.
type Key = (String, String);

const UNNAMED: &str = "-";
const NAMES: usize = 36;

impl By {
    pub const ALL: [(&'static str, Self); 5] = [
        ("group", Self::Group),
        ("project", Self::Project),
        ("user", Self::User),
        ("flavor", Self::Flavor),
        ("runner", Self::Runner),
    ];

    fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, by)| *by == self);
        named.map_or("", |(name, _)| name)
    }

    fn of(self, entry: &Entry) -> Option<&str> {
        match self {
            Self::Group => entry.group.as_deref(),
            Self::Project => entry.project.as_deref(),
            Self::User => entry.user.as_deref(),
            Self::Flavor => entry.flavor.as_deref(),
            Self::Runner => Some(&entry.runner),
        }
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, by)| *by).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            format!("{name:?} is none of {names}")
        })
    }
}

/// A month as `2026-11`.
///
/// # Errors
/// A text, when it is none.
pub fn month(written: &str) -> Result<String, String> {
    let day = format!("{written}-01T00:00:00Z");
    let is_month = written.len() == "2026-11".len() && Timestamp::read(&day).is_some();
    is_month
        .then(|| written.to_owned())
        .ok_or_else(|| format!("{written:?} is no month such as 2026-11"))
}

/// What the ledger beside this state file tells.
///
/// # Errors
/// A text for the operator, when the ledger can't be read.
pub fn run(state_file: &Path, wish: &Wish) -> Result<String, String> {
    let month = wish.month.clone();
    let month = month.unwrap_or_else(|| Timestamp::now().month());
    let entries = Ledger::read(state_file, &month)?;
    let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
    for entry in &entries {
        let name = one_line(wish.by.of(entry).unwrap_or(UNNAMED), Keep::All);
        let currency = entry.currency.as_deref().unwrap_or(UNNAMED);
        let sum = sums
            .entry((name, one_line(currency, Keep::Start(3))))
            .or_default();
        sum.add(entry);
    }
    let mut rows: Vec<_> = sums.into_iter().collect();
    rows.sort_by(|(one, a), (other, b)| b.cost.total_cmp(&a.cost).then_with(|| one.cmp(other)));
    Ok(match wish.form {
        Form::Table => table(&month, wish.by, &rows),
        Form::Csv => csv(wish.by, &rows),
        Form::Json => object(&month, wish.by, &rows),
    })
}

impl Sum {
    fn add(&mut self, entry: &Entry) {
        self.jobs += 1;
        self.seconds += entry.seconds;
        self.cost += entry.cost.unwrap_or_default();
        self.unknown += u64::from(entry.cost.is_none());
    }
}

fn table(month: &str, by: By, rows: &[(Key, Sum)]) -> String {
    let mut text = format!("{month} (UTC), jobs that have ended, by {}\n", by.name());
    if rows.is_empty() {
        text += "no job is in the ledger\n";
        return text;
    }
    let _ = writeln!(
        text,
        "{:NAMES$} {:>7} {:>10} {:>14}",
        "", "JOBS", "HOURS", "COST"
    );
    let mut totals: BTreeMap<&str, f64> = BTreeMap::new();
    let (mut jobs, mut seconds, mut unknown) = (0, 0, 0);
    for ((name, currency), sum) in rows {
        let name = one_line(name, Keep::Start(NAMES));
        let hours = sum.seconds as f64 / HOUR;
        let _ = writeln!(
            text,
            "{name:NAMES$} {:>7} {hours:>10.2} {:>10.2} {currency}",
            sum.jobs, sum.cost
        );
        *totals.entry(currency).or_default() += sum.cost;
        jobs += sum.jobs;
        seconds += sum.seconds;
        unknown += sum.unknown;
    }
    let hours = seconds as f64 / HOUR;
    for (currency, cost) in totals
        .into_iter()
        .filter(|(currency, _)| *currency != UNNAMED)
    {
        let _ = writeln!(
            text,
            "{:NAMES$} {jobs:>7} {hours:>10.2} {cost:>10.2} {currency}",
            "in all"
        );
    }
    if unknown > 0 {
        let _ = writeln!(text, "the price of {unknown} of them is not known");
    }
    text
}

fn csv(by: By, rows: &[(Key, Sum)]) -> String {
    let mut text = format!("{},jobs,seconds,cost,currency,unknown\n", by.name());
    for ((name, currency), sum) in rows {
        let name = name.replace('"', "\"\"");
        // A cell that begins so is a formula to spreadsheets.
        let guard = if name.starts_with(['=', '+', '-', '@']) && name != UNNAMED {
            "'"
        } else {
            ""
        };
        let Sum {
            jobs,
            seconds,
            cost,
            unknown,
        } = sum;
        let _ = writeln!(
            text,
            "\"{guard}{name}\",{jobs},{seconds},{cost:.6},{currency},{unknown}"
        );
    }
    text
}

fn object(month: &str, by: By, rows: &[(Key, Sum)]) -> String {
    let rows = rows.iter().map(|((name, currency), sum)| {
        json!({
            "name": name,
            "jobs": sum.jobs,
            "seconds": sum.seconds,
            "cost": sum.cost,
            "currency": Some(currency).filter(|currency| *currency != UNNAMED),
            "unknown": sum.unknown,
        })
    });
    let rows: Vec<_> = rows.collect();
    format!(
        "{}\n",
        json!({"version": 1, "month": month, "by": by.name(), "rows": rows})
    )
}

#[cfg(test)]
mod tests {
    use super::month;

    #[test]
    fn a_month_is_a_year_and_a_month_of_it() {
        assert_eq!(month("2026-11").as_deref(), Ok("2026-11"));
        for wrong in ["2026-13", "2026-1", "november", "2026-11-01", ""] {
            assert!(month(wrong).is_err(), "{wrong}");
        }
    }
}
