//! `extends`: a job together with the jobs and templates that it names, merged as GitLab does it:
//! mappings key by key, anything else as a whole.

use serde_json::Value;

use crate::yaml::{Keys, list};

/// As in GitLab.
const LEVELS: usize = 11;

/// The keys of a job with all that it extends; `file` is the top level.
///
/// # Errors
/// Why the job can't be known, in words that follow its name.
pub fn resolved(own: &Keys, file: &Keys) -> Result<Keys, String> {
    let mut keys = resolve(own, file, LEVELS)?;
    // That is how a job gets rid of what it would inherit.
    keys.retain(|_, value| !value.is_null());
    Ok(keys)
}

fn resolve(own: &Keys, file: &Keys, levels: usize) -> Result<Keys, String> {
    let mut own = own.clone();
    let Some(extended) = own.remove("extends") else {
        return Ok(own);
    };
    let levels = levels
        .checked_sub(1)
        .ok_or_else(|| format!("extends itself, or more than {LEVELS} levels"))?;
    let mut keys = Keys::new();
    for name in list(&extended) {
        let name = name.as_str().unwrap_or_default();
        let base = file.get(name).and_then(Value::as_object);
        let base = base.ok_or_else(|| format!("extends `{name}`, which is not in this file"))?;
        merge(&mut keys, resolve(base, file, levels)?);
    }
    merge(&mut keys, own);
    Ok(keys)
}

fn merge(base: &mut Keys, over: Keys) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
