//! The private key of `cc_ssh_key`: a file that ssh will take, which is found out when it is typed, and
//! at start.
//!
//! What is in it stays there: only its path is handed on.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::keys;
use super::secrets::place_of;
use super::written::Section;

/// What stands around a key as ssh itself writes it, line breaks included.
const BEGINNING: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
const END: &str = "\n-----END OPENSSH PRIVATE KEY-----\n";
/// How such a key begins, and its cipher's name with its length before it, when there is none.
const NO_CIPHER: &[u8] = b"openssh-key-v1\0\0\0\0\x04none";

/// The path that is written, if one is. What is wrong with it is noted.
pub(super) fn read(section: &Section<'_>) -> Option<PathBuf> {
    let written = section.written_text(&keys::CC_SSH_KEY);
    let written = written.filter(|written| !written.is_empty())?;
    let path = path_of(&written);
    if let Err(why) = check(&path) {
        section.problem_at(
            &keys::CC_SSH_KEY,
            format!("`cc_ssh_key` can't be used: {why}"),
        );
    }
    Some(path)
}

/// The file that is meant by `cc_ssh_key`.
#[must_use]
pub fn path_of(written: &str) -> PathBuf {
    place_of(written.strip_prefix("file:").unwrap_or(written))
}

/// As far as that shows without ssh.
///
/// # Errors
/// Why ssh would not take it, or not from a service.
pub fn check(path: &Path) -> Result<(), String> {
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
    check_content(&content).map_err(|why| format!("{name} {why}"))?;
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
    Ok(())
}

/// The words follow the file's name.
fn check_content(content: &str) -> Result<(), &'static str> {
    if !content.contains("PRIVATE KEY-----") {
        return Err("has no private key (is it the public half?)");
    }
    let has_passphrase = if content.contains("OPENSSH PRIVATE KEY-----") {
        !decoded(content)?.starts_with(NO_CIPHER)
    } else {
        content.contains("ENCRYPTED")
    };
    if has_passphrase {
        return Err(
            "has a passphrase, for which nobody can be asked; take a key without one, as \
             ssh-keygen -N '' makes it",
        );
    }
    Ok(())
}

/// What a key says as ssh itself writes it; where a line break is not as it is there, ssh reads nothing.
fn decoded(content: &str) -> Result<Vec<u8>, &'static str> {
    let inside = content.split_once(BEGINNING);
    let inside = inside.and_then(|(_, rest)| rest.split_once(END));
    let decoded = inside.map(|(inside, _)| BASE64_STANDARD.decode(inside.replace('\n', "")));
    decoded.and_then(Result::ok).ok_or(
        "is not whole, so that ssh can't read it: copy it again as it is, with the line break behind \
         its last line, and with none of Windows",
    )
}

#[cfg(test)]
mod tests {
    use super::check_content;

    #[test]
    fn a_key_that_needs_a_person_or_that_ssh_can_not_read_is_told_from_one_that_is_good() {
        let ssh = |inside: &str| {
            format!(
                "-----BEGIN OPENSSH PRIVATE KEY-----\n{inside}\n-----END OPENSSH PRIVATE KEY-----\n"
            )
        };
        let pem =
            |kind: &str, more: &str| format!("-----BEGIN {kind}PRIVATE KEY-----\n{more}\nMIIE\n");
        let good = ssh("b3BlbnNzaC1rZXktdjEAAAAA\nBG5vbmUAAAAEbm9uZQ==");
        for (key, why) in [
            (good.clone(), None),
            (pem("RSA ", ""), None),
            (
                ssh("b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHI="),
                Some("passphrase"),
            ),
            (pem("RSA ", "Proc-Type: 4,ENCRYPTED\n"), Some("passphrase")),
            (pem("ENCRYPTED ", ""), Some("passphrase")),
            (good.trim_end().to_owned(), Some("not whole")),
            (good.replace('\n', "\r\n"), Some("not whole")),
            (ssh("b3BlbnN"), Some("not whole")),
            ("ssh-ed25519 AAAA me@here\n".to_owned(), Some("public half")),
        ] {
            let told = check_content(&key);
            match why {
                None => assert_eq!(told, Ok(()), "{key}"),
                Some(why) => assert!(told.is_err_and(|told| told.contains(why)), "{key}"),
            }
        }
    }
}
