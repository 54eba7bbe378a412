//! Secrets that are not given themselves: `env:NAME` and `file:PATH`, as in the configuration.
//!
//! The configuration keeps what was typed; what it stands for is needed for a call only.

use crate::config::Secrets;
use crate::secret::Secret;

/// A secret as it was typed, and what it stands for.
#[derive(Clone, Debug)]
pub struct Referred {
    pub written: Secret,
    pub meant: Secret,
}

impl Referred {
    /// # Errors
    /// A text that says where it was looked for, or what is wrong with it. It quotes no secret.
    pub fn resolve(written: &str) -> Result<Self, String> {
        let written = Secret::new(usable(written)?);
        let meant = Secrets::none().resolve(written.reveal())?;
        usable(meant.reveal())?;
        Ok(Self { written, meant })
    }
}

/// What a secret must look like, wherever it is.
pub fn usable(text: &str) -> Result<&str, String> {
    if text.is_empty() {
        return Err("it must not be empty".to_owned());
    }
    if text.starts_with("secret:") {
        return Err(
            "`secret:` needs a `secrets_file` in the runner's section, which is not there yet; \
             use env:NAME or file:PATH"
                .to_owned(),
        );
    }
    let is_path = text.starts_with("file:");
    let odd = |c: char| c.is_control() || c.is_whitespace() && !is_path;
    if text.chars().any(odd) {
        return Err("there must be no blanks and control characters in it".to_owned());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Referred;

    #[test]
    fn what_was_typed_is_kept_beside_what_it_stands_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("the token");
        fs::write(&path, "glrt-1\n").unwrap();
        let typed = format!("file:{}", path.display());
        let referred = Referred::resolve(&typed).unwrap();
        assert_eq!(referred.written.reveal(), typed);
        assert_eq!(referred.meant.reveal(), "glrt-1");
    }

    #[test]
    fn what_can_not_be_used_is_told_without_the_secret() {
        for (typed, why) in [
            ("", "empty"),
            ("glrt-1 glrt-2", "blanks"),
            ("secret:key", "secrets_file"),
            ("env:NO_SUCH_VARIABLE_HERE", "NO_SUCH_VARIABLE_HERE"),
            ("file:/no/such/file", "/no/such/file"),
        ] {
            let told = Referred::resolve(typed).unwrap_err();
            assert!(told.contains(why) && !told.contains("glrt-"), "{told}");
        }
    }
}
