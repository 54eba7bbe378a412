//! The private key of `cc_ssh_key`: a file that ssh will take, which is found out at start.
//!
//! What is in it stays there: only its path is handed on.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::keys;
use super::secrets::place_of;
use super::written::Section;

/// The path that is written, if one is. What is wrong with it is noted.
pub fn read(section: &Section<'_>) -> Option<PathBuf> {
    let written = section.written_text(&keys::CC_SSH_KEY);
    let written = written.filter(|written| !written.is_empty())?;
    let path = place_of(written.strip_prefix("file:").unwrap_or(&written));
    if let Err(why) = check(&path) {
        section.problem_at(
            &keys::CC_SSH_KEY,
            format!("`cc_ssh_key` can't be used: {why}"),
        );
    }
    Some(path)
}

fn check(path: &Path) -> Result<(), String> {
    let name = path.display();
    if !path.is_absolute() {
        return Err(format!(
            "{name} is neither an absolute path nor one of systemd's credentials (LoadCredential=)"
        ));
    }
    // Ssh reads these in a way of its own.
    if path.to_string_lossy().contains(['"', '\\', '$', '\n']) {
        return Err(format!(
            "there is a quote, a backslash, a dollar or a line break in {name:?}"
        ));
    }
    let content =
        fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let file = fs::metadata(path).map_err(|error| format!("cannot look at {name}: {error}"))?;
    // Ssh refuses a key of one's own that others may read; one of systemd's credentials has another
    // owner, and an access list for us.
    let is_own = file.uid() == rustix::process::getuid().as_raw();
    let too_much = if is_own { 0o077 } else { 0o007 };
    if file.mode() & too_much != 0 {
        return Err(format!(
            "others may read {name} (its mode is {:03o}); chmod 600 {name}",
            file.mode() & 0o777
        ));
    }
    if !content.contains("PRIVATE KEY-----") {
        return Err(format!("{name} has no private key; is it the public half?"));
    }
    Ok(())
}
