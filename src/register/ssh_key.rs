//! Whether the file that was typed is a private key with which a service can push, and which one was
//! meant when it is not.

use std::env;
use std::path::{Path, PathBuf};

use super::prompt::Wrong;
use super::typed::plain_text;
use crate::config::ssh_key;

/// What is answered when there is to be none.
pub const NO_KEY: &str = "none";

/// As it is to be written; none, where a pair is to do it.
///
/// # Errors
/// Why ssh would not take it, and which key may be meant.
pub fn written(text: &str) -> Result<Option<String>, Wrong> {
    if text == NO_KEY {
        return Ok(None);
    }
    let written = plain_text(text)?;
    let path = ssh_key::path_of(&written);
    if path.is_relative() && written.starts_with("file:") {
        log::warn!(
            "{} is not tried: it is one of systemd's credentials, which must be there when the service \
             starts",
            path.display()
        );
        return Ok(Some(written));
    }
    match ssh_key::check(&path) {
        Ok(()) => Ok(Some(written)),
        Err(why) => Err(match meant(&path) {
            Some(mend) => Wrong {
                why: format!("{why}. But there is a key at {mend}"),
                mend: Some(mend),
            },
            None => why.into(),
        }),
    }
}

/// Where a key is, when somebody wrote its path as a shell has it, or that of its public half.
fn meant(path: &Path) -> Option<String> {
    let whole = match path.strip_prefix("~") {
        Ok(rest) => PathBuf::from(env::var_os("HOME")?).join(rest),
        Err(_) => std::path::absolute(path).ok()?,
    };
    let private = if whole.extension().is_some_and(|end| end == "pub") {
        whole.with_extension("")
    } else {
        whole
    };
    ssh_key::check(&private).ok()?;
    Some(private.display().to_string())
}
