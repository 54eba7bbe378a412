//! The configuration as the operator wrote it: tables with line numbers.
//!
//! A [`Section`] hands out the values of one TOML table by key, in the type that is asked for. What
//! is missing or of the wrong type is noted as a [`Fact`] with its line, and reading goes on with its
//! default or another stand-in, so that all is told at once. Which keys there are is for
//! [`super::keys`] to say.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::findings::{SecretFile, Written, wrong};
use super::keys::{Key, Kind, Unwritten};
use super::secrets::{Secrets, Unresolved};
use super::values::{self, address};
use crate::fact::{Fact, Verdict};
use crate::secret::Secret;

/// One table of the file, or one that could stand there and doesn't.
pub struct Section<'a> {
    written: &'a Written<'a>,
    table: Option<&'a DeTable<'a>>,
    span: Range<usize>,
    title: String,
}

impl<'a> Section<'a> {
    /// The whole file's table.
    #[must_use]
    pub fn global(written: &'a Written<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            written,
            table: Some(table),
            span: 0..0,
            title: "the configuration".to_owned(),
        }
    }

    /// The value of a key, with the spelling in which it is written.
    fn find(&self, key: &Key) -> Option<(&'static str, &'a Spanned<DeValue<'a>>)> {
        let table = self.table?;
        let mut names = key.names().iter();
        names.find_map(|name| Some((*name, table.get(*name)?)))
    }

    /// Whether it is written, in any spelling, rightly or wrongly.
    pub fn has(&self, key: &Key) -> bool {
        self.find(key).is_some()
    }

    /// Whether what is written is of another type than it must be.
    pub fn is_wrong(&self, key: &Key) -> bool {
        let is_right = |value: &DeValue<'_>| match key.kind {
            Kind::Tables => value.is_array(),
            _ => value.is_str(),
        };
        self.find(key)
            .is_some_and(|(_, value)| !is_right(value.get_ref()))
    }

    pub(super) fn read<T>(
        &self,
        key: &Key,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        let (name, value) = self.find(key)?;
        let result = read(value.get_ref());
        if result.is_none() {
            let (wanted, found) = (key.kind.wanted(), found(key, value.get_ref()));
            self.problem_at(key, format!("`{name}` must be {wanted}, not {found}"));
        }
        result
    }

    pub(super) fn read_or_default<T: FromStr + Default>(
        &self,
        key: &Key,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> T {
        let written = self.read(key, read);
        written.or_else(|| key.default()).unwrap_or_default()
    }

    /// The text as it is written, be it empty.
    pub fn written_text(&self, key: &Key) -> Option<String> {
        let text = self.read(key, |value| value.as_str().map(str::to_owned))?;
        if values::is_placeholder(&text) {
            let name = self.find(key).map_or(key.name(), |(name, _)| name);
            let text = format!("`{name}` is still the sample's");
            let remedy = format!("put there: {}", key.help);
            self.note_at(key, wrong(name, text).remedy(remedy));
        }
        Some(text)
    }

    /// A text, where an empty one is as good as none. Empty only when there is no default either.
    pub fn text(&self, key: &Key) -> String {
        if let Some(text) = self.written_text(key).filter(|text| !text.is_empty()) {
            return text;
        }
        let wrong = self.find(key).is_some_and(|(_, v)| !v.get_ref().is_str());
        if key.unwritten == Unwritten::Required && !wrong {
            let (name, title, help) = (key.name(), &self.title, key.help);
            self.problem(format!("`{name}` is missing in {title}: {help}"));
        }
        key.default().unwrap_or_default()
    }

    /// A text that is one of a few; none, when it is something else, which is noted.
    pub fn parsed<T: FromStr<Err = String>>(&self, key: &Key) -> Option<T> {
        let parsed = self.text(key).parse();
        if let Err(why) = &parsed {
            self.problem_at(key, format!("`{}` {why}", key.name()));
        }
        parsed.ok()
    }

    /// An address without its trailing slashes.
    pub fn address(&self, key: &Key) -> String {
        let written = self.text(key);
        match address(&written) {
            Ok(address) => address,
            Err(why) => {
                if !written.is_empty() {
                    self.problem_at(key, format!("`{}` {why}", key.name()));
                }
                written
            }
        }
    }

    /// A text that is a secret, or says where one is; empty when it can't be used.
    pub fn secret(&self, key: &Key, secrets: &Secrets) -> Secret {
        let secret = self.optional_secret(key, secrets);
        secret.unwrap_or_else(|| Secret::new(""))
    }

    /// The same, where there need not be one.
    pub fn optional_secret(&self, key: &Key, secrets: &Secrets) -> Option<Secret> {
        let written = if key.unwritten == Unwritten::Required {
            Some(self.text(key)).filter(|text| !text.is_empty())
        } else {
            self.written_text(key).or_else(|| key.default())
        };
        let written = written?;
        if !self.fetches_secrets() {
            return Some(Secret::new(&written));
        }
        if let Some(path) = Secrets::file_of(&written) {
            self.has_secrets_in(key, path);
        }
        match secrets.resolve(&written) {
            Ok(secret) => Some(secret),
            Err(Unresolved::Follows) => None,
            Err(Unresolved::Because(why)) => {
                let name = self.find(key).map_or(key.name(), |(name, _)| name);
                self.problem_at(key, format!("`{name}` can't be used: {why}"));
                None
            }
        }
    }

    /// Whether secrets are fetched from where the file says that they are.
    pub const fn fetches_secrets(&self) -> bool {
        self.written.fetches_secrets
    }

    pub fn flag(&self, key: &Key) -> bool {
        self.read_or_default(key, DeValue::as_bool)
    }

    /// A table in this one. One that is not written has nothing in it.
    pub fn table(&self, key: &Key) -> Self {
        let found = self.find(key);
        let (name, span) = found.map_or((key.name(), self.span.clone()), |(name, value)| {
            (name, value.span())
        });
        Self {
            written: self.written,
            table: self.read(key, DeValue::as_table),
            span,
            title: format!("[{name}]"),
        }
    }

    /// The tables of an array of tables, each with its place in the file.
    pub fn tables(&self, key: &Key) -> Vec<Self> {
        let array = self.read(key, DeValue::as_array);
        let tables = array.iter().flat_map(|array| array.iter()).enumerate();
        tables
            .filter_map(|(index, value)| {
                let title = format!("[[{}]] number {}", key.name(), index + 1);
                let table = value.get_ref().as_table();
                if table.is_none() {
                    let fact = wrong(key.name(), format!("{title} must be a table"));
                    self.written.note(&value.span(), fact);
                }
                Some(Self {
                    written: self.written,
                    table: Some(table?),
                    span: value.span(),
                    title,
                })
            })
            .collect()
    }

    /// The entries of a table whose keys are the operator's own and whose values are true or false.
    pub fn flags(&self) -> Vec<(String, bool)> {
        let entries = self.entries().filter_map(|(key, value)| {
            let flag = value.get_ref().as_bool();
            if flag.is_none() {
                let what = "must be true or false".to_owned();
                self.written.note(&key.span(), wrong(key.get_ref(), what));
            }
            Some((key.get_ref().to_string(), flag?))
        });
        entries.collect()
    }

    /// The entries of a table whose keys are the operator's own and whose values are texts.
    pub fn texts(&self) -> Vec<(String, String)> {
        let entries = self.entries().filter_map(|(key, value)| {
            let text = match value.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                    let what = format!("`{}` in {} must be in quotes", key.get_ref(), self.title);
                    self.written.note(&key.span(), wrong(key.get_ref(), what));
                    return None;
                }
                _ => {
                    let what = format!("`{}` in {} must be a text", key.get_ref(), self.title);
                    self.written.note(&key.span(), wrong(key.get_ref(), what));
                    return None;
                }
            };
            Some((key.get_ref().to_string(), text))
        });
        entries.collect()
    }

    fn entries(
        &self,
    ) -> impl Iterator<Item = (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)> {
        self.table.into_iter().flat_map(|table| table.iter())
    }

    /// All keys that are written.
    pub fn written_keys(&self) -> impl Iterator<Item = &'a str> {
        self.entries().map(|(key, _)| key.get_ref().as_ref())
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    /// A problem with the section as a whole.
    pub fn problem(&self, text: impl Into<String>) {
        self.written.note(&self.span, wrong(&self.title, text));
    }

    /// A problem with the value of one key.
    pub fn problem_at(&self, key: &Key, text: impl Into<String>) {
        self.note_at(key, wrong(key.name(), text));
    }

    /// What is noted where this key is written.
    pub fn note_at(&self, key: &Key, fact: Fact) {
        let name = self.find(key).map_or(key.name(), |(name, _)| name);
        self.note_at_name(name, fact);
    }

    /// The same for a key that is not ours.
    pub fn note_at_name(&self, name: &str, fact: Fact) {
        let place = self.table.and_then(|table| table.get_key_value(name));
        let span = place.map_or_else(|| self.span.clone(), |(key, _)| key.span());
        self.written.note(&span, fact);
    }

    /// Something that works, but may not be what was meant.
    pub fn doubt_at(&self, name: &str, text: impl Into<String>, remedy: impl Into<String>) {
        let fact = Fact::new(name, Verdict::Doubtful, text).remedy(remedy);
        self.note_at_name(name, fact);
    }

    /// A table in this one that is not ours; nothing, when there is none of that name.
    pub fn foreign_table(&self, name: &str) -> Option<Self> {
        let value = self.table?.get(name)?;
        Some(Self {
            written: self.written,
            table: Some(value.get_ref().as_table()?),
            span: value.span(),
            title: format!("[{name}]"),
        })
    }

    /// The text of a key that is not ours.
    pub fn foreign_text(&self, name: &str) -> Option<&'a str> {
        self.table?.get(name)?.get_ref().as_str()
    }

    /// The key names this file, which has secrets in it.
    pub fn has_secrets_in(&self, key: &Key, path: PathBuf) {
        let name = self.find(key).map_or(key.name(), |(name, _)| name);
        let place = self.table.and_then(|table| table.get_key_value(name));
        let span = place.map_or_else(|| self.span.clone(), |(key, _)| key.span());
        let line = self.written.line(&span);
        self.written.has_secrets_in(SecretFile { line, path });
    }
}

/// What is written, in words; numbers as they are, where they can't be a secret.
fn found(key: &Key, value: &DeValue<'_>) -> String {
    let number = match value {
        _ if key.kind == Kind::Secret => None,
        DeValue::Integer(integer) => Some(integer.to_string()),
        DeValue::Float(float) => Some(float.to_string()),
        _ => None,
    };
    number.unwrap_or_else(|| format!("this {}", value.type_str()))
}
