//! Reading the little we need of foreign JSON.
//!
//! Answers and payloads are large, grow new keys, and hold what was never announced. So they are not
//! turned into trees or strict structs: an object is read as its [`Fields`], and each field that
//! is asked for by itself. A strange one is as good as none, and the others still count.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One object, by its keys. Of a key that stands twice the last value counts.
#[derive(Default)]
pub struct Fields<'a>(HashMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    /// # Errors
    /// When `text` is no JSON object.
    pub fn read(text: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(text).map(Self)
    }

    /// # Errors
    /// When `value` is no object.
    pub fn of(value: &'a RawValue) -> serde_json::Result<Self> {
        serde_json::from_str(value.get()).map(Self)
    }

    /// The value of `key`, if it is there and of this type.
    #[must_use]
    pub fn get<T: Deserialize<'a>>(&self, key: &str) -> Option<T> {
        serde_json::from_str(self.0.get(key)?.get()).ok()
    }

    /// The object at `key`; an empty one, if there is none.
    #[must_use]
    pub fn object(&self, key: &str) -> Self {
        self.0
            .get(key)
            .and_then(|value| Self::of(value).ok())
            .unwrap_or_default()
    }

    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key)
    }

    /// The items of the list at `key`; none, if there is no list.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<&'a RawValue> {
        self.get(key).unwrap_or_default()
    }
}

/// The objects in a list; what is no object in it is left out.
///
/// # Errors
/// When `text` is no JSON list.
pub fn objects(text: &[u8]) -> serde_json::Result<Vec<Fields<'_>>> {
    let items: Vec<&RawValue> = serde_json::from_slice(text)?;
    Ok(items
        .into_iter()
        .filter_map(|item| Fields::of(item).ok())
        .collect())
}
