//! The configuration as the operator wrote it: tables with line numbers.
//!
//! A [`Section`] hands out the values of one TOML table by key, in the type that is asked for. What
//! is missing or of the wrong type is noted as a [`Problem`] with its line, and reading goes on
//! with a stand-in, so that all problems are told at once. It knows no key by itself.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::secrets::Secrets;
use crate::secret::Secret;

/// Nobody means to ask without a pause at all.
pub const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// As good as for ever, and far from where moments end.
const LONGEST: f64 = 100.0 * 365.0 * 24.0 * 3600.0;

/// Something the operator has to change.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub line: usize,
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.text)
    }
}

/// The whole file, and the problems found in it so far.
pub struct Written<'a> {
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Written<'a> {
    #[must_use]
    pub const fn new(text: &'a str) -> Self {
        Self {
            text,
            problems: RefCell::new(Vec::new()),
        }
    }

    pub fn note(&self, span: &Range<usize>, text: impl Into<String>) {
        let (line, _) = line_and_column(self.text, span.start);
        let problem = Problem {
            line,
            text: text.into(),
        };
        self.problems.borrow_mut().push(problem);
    }

    /// All that was found, in the order of the file.
    #[must_use]
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems
    }
}

/// Both counted from 1, the column in characters.
#[must_use]
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[line_start..].chars().count() + 1)
}

/// One table of the file.
pub struct Section<'a> {
    written: &'a Written<'a>,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    title: String,
    known: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Section<'a> {
    #[must_use]
    pub fn new(
        written: &'a Written<'a>,
        table: &'a DeTable<'a>,
        span: Range<usize>,
        title: impl Into<String>,
    ) -> Self {
        Self {
            written,
            table,
            span,
            title: title.into(),
            known: RefCell::default(),
        }
    }

    /// The value of the first of `keys` that is written; the others are older spellings of it.
    fn find(&self, keys: &[&'static str]) -> Option<(&'static str, &'a Spanned<DeValue<'a>>)> {
        self.known.borrow_mut().extend(keys);
        keys.iter()
            .find_map(|key| Some((*key, self.table.get(*key)?)))
    }

    fn read<T>(
        &self,
        keys: &[&'static str],
        wanted: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        let (key, value) = self.find(keys)?;
        let result = read(value.get_ref());
        if result.is_none() {
            let found = value.get_ref().type_str();
            self.problem_at(key, format!("`{key}` must be {wanted}, not this {found}"));
        }
        result
    }

    pub fn string(&self, keys: &[&'static str]) -> Option<String> {
        self.read(keys, "a text in quotes", |v| v.as_str().map(str::to_owned))
    }

    pub fn required_string(&self, key: &'static str, why: &str) -> String {
        let found = self.string(&[key]).filter(|text| !text.is_empty());
        if found.is_none() && self.table.get(key).is_none_or(|v| v.get_ref().is_str()) {
            self.problem(format!("`{key}` is missing in {}: {why}", self.title));
        }
        found.unwrap_or_default()
    }

    /// A text that is a secret, or says where one is.
    pub fn secret(&self, keys: &[&'static str], secrets: &Secrets) -> Option<Secret> {
        let (key, written) = (self.find(keys)?.0, self.string(keys)?);
        let resolved = secrets.resolve(&written);
        if let Err(why) = &resolved {
            self.problem_at(key, format!("`{key}` can't be used: {why}"));
        }
        resolved.ok()
    }

    pub fn required_secret(&self, key: &'static str, why: &str, secrets: &Secrets) -> Secret {
        let written = self.required_string(key, why);
        let found = (!written.is_empty()).then(|| self.secret(&[key], secrets));
        found.flatten().unwrap_or_else(|| Secret::new(""))
    }

    pub fn flag(&self, keys: &[&'static str], default: bool) -> bool {
        self.read(keys, "true or false", DeValue::as_bool)
            .unwrap_or(default)
    }

    pub fn count(&self, keys: &[&'static str]) -> Option<u64> {
        self.read(keys, "a whole number, not negative", |value| {
            let integer = value.as_integer()?;
            u64::from_str_radix(integer.as_str(), integer.radix()).ok()
        })
    }

    /// A number of seconds, fractions allowed.
    pub fn seconds(&self, keys: &[&'static str]) -> Option<Duration> {
        self.read(keys, "a number of seconds, not negative", |value| {
            Duration::try_from_secs_f64(number(value)?.min(LONGEST)).ok()
        })
    }

    /// A pause between two requests: a number of seconds, of which too few mean a short moment.
    pub fn pause(&self, keys: &[&'static str]) -> Option<Duration> {
        self.seconds(keys).map(|pause| pause.max(SHORTEST_PAUSE))
    }

    /// A number above 0 and at most 1.
    pub fn share(&self, keys: &[&'static str]) -> Option<f64> {
        self.read(keys, "a number above 0 and at most 1", |value| {
            number(value).filter(|share| *share > 0.0 && *share <= 1.0)
        })
    }

    pub fn section(&self, keys: &[&'static str]) -> Option<Self> {
        let (key, span) = self.find(keys).map(|(key, value)| (key, value.span()))?;
        let table = self.read(keys, "a table", DeValue::as_table)?;
        Some(Self::new(self.written, table, span, format!("[{key}]")))
    }

    /// The tables of an array of tables, each with its place in the file.
    pub fn sections(&self, key: &'static str) -> Vec<Self> {
        let array = self.read(&[key], "an array of tables", DeValue::as_array);
        let tables = array.iter().flat_map(|array| array.iter()).enumerate();
        tables
            .filter_map(|(index, value)| {
                let title = format!("[[{key}]] number {}", index + 1);
                let Some(table) = value.get_ref().as_table() else {
                    self.written
                        .note(&value.span(), format!("{title} must be a table"));
                    return None;
                };
                Some(Self::new(self.written, table, value.span(), title))
            })
            .collect()
    }

    /// The entries of a table whose keys are the operator's own and whose values are texts.
    pub fn strings(&self) -> Vec<(String, String)> {
        let entries = self.table.iter().filter_map(|(key, value)| {
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                    let what = format!("`{}` in {} must be in quotes", key.get_ref(), self.title);
                    self.written.note(&key.span(), what);
                    return None;
                }
                _ => {
                    let what = format!("`{}` in {} must be a text", key.get_ref(), self.title);
                    self.written.note(&key.span(), what);
                    return None;
                }
            };
            Some((key.get_ref().to_string(), text))
        });
        entries.collect()
    }

    /// Keys that were asked for.
    pub fn known_keys(&self) -> Vec<&'static str> {
        self.known.borrow().iter().copied().collect()
    }

    /// Keys that nobody asked for, with their lines.
    pub fn unknown_keys(&self) -> Vec<(String, usize)> {
        let known = self.known.borrow();
        let keys = self.table.keys();
        let unknown = keys.filter(|key| !known.contains(key.get_ref().as_ref()));
        let line = |key: &Spanned<_>| line_and_column(self.written.text, key.span().start).0;
        unknown
            .map(|key| (key.get_ref().to_string(), line(key)))
            .collect()
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    /// A problem with the section as a whole.
    pub fn problem(&self, text: impl Into<String>) {
        self.written.note(&self.span, text);
    }

    /// A problem with the value of one key.
    pub fn problem_at(&self, key: &str, text: impl Into<String>) {
        let span = self
            .table
            .get_key_value(key)
            .map_or_else(|| self.span.clone(), |(key, _)| key.span());
        self.written.note(&span, text);
    }
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::Integer(integer) => {
            let whole = i64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
            Some(whole as f64)
        }
        _ => None,
    }
}
