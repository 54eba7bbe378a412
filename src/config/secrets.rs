//! Where secrets come from: the configuration itself, a file of secrets, the environment, a file.
//!
//! A secret in the configuration may be a reference: `secret:KEY` is looked up in the runner's
//! `secrets_file`, `env:NAME` in our environment, and `file:PATH` is a file's content, where a
//! path that is not absolute is one of systemd's credentials.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::secret::Secret;

/// A runner's `secrets_file`: a flat TOML table.
pub struct Secrets {
    file: Option<(PathBuf, toml::Table)>,
}

impl Secrets {
    #[must_use]
    pub const fn none() -> Self {
        Self { file: None }
    }

    /// # Errors
    /// A text when the file can't be read or is not TOML. It never quotes the file.
    pub fn load(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let text =
            fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
        let table = text.parse().map_err(|error: toml::de::Error| {
            let message = error.message();
            format!("{name} is not a flat TOML file of secrets: {message}")
        })?;
        Ok(Self {
            file: Some((path.to_owned(), table)),
        })
    }

    /// The secret that `written` is, or refers to.
    ///
    /// # Errors
    /// A text that says where it was looked for.
    pub fn resolve(&self, written: &str) -> Result<Secret, String> {
        let found = if let Some(key) = written.strip_prefix("secret:") {
            self.look_up(key)
        } else if let Some(name) = written.strip_prefix("env:") {
            env::var(name).map_err(|_| format!("there is no environment variable {name}"))
        } else if let Some(path) = written.strip_prefix("file:") {
            read_credential(path)
        } else {
            Ok(written.to_owned())
        }?;
        if found.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Secret::new(found))
    }

    fn look_up(&self, key: &str) -> Result<String, String> {
        let Some((path, table)) = &self.file else {
            return Err(format!(
                "`secret:{key}` needs a `secrets_file` in the same section"
            ));
        };
        let found = table.get(key).and_then(toml::Value::as_str);
        let found = found.ok_or_else(|| format!("{} has no text named {key:?}", path.display()))?;
        Ok(found.to_owned())
    }
}

/// What a path in the configuration means: one that is not absolute is one of systemd's credentials.
pub(super) fn place_of(path: &str) -> PathBuf {
    let folder = env::var_os("CREDENTIALS_DIRECTORY").unwrap_or_default();
    Path::new(&folder).join(path)
}

fn read_credential(path: &str) -> Result<String, String> {
    let path = place_of(path);
    let text = fs::read_to_string(&path);
    let text = text.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Secrets;

    #[test]
    fn a_secret_is_found_where_its_reference_points() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets.toml");
        fs::write(&file, "token = \"s1\"\nnumber = 3\n").unwrap();
        let plain = folder.path().join("plain");
        fs::write(&plain, "s2\n").unwrap();
        let secrets = Secrets::load(&file).unwrap();
        let reveal = |written: &str| {
            secrets
                .resolve(written)
                .map(|secret| secret.reveal().to_owned())
        };
        assert_eq!(reveal("as it is"), Ok("as it is".to_owned()));
        assert_eq!(reveal("secret:token"), Ok("s1".to_owned()));
        assert_eq!(
            reveal(&format!("file:{}", plain.display())),
            Ok("s2".to_owned())
        );
        assert_eq!(reveal("env:PATH"), Ok(std::env::var("PATH").unwrap()));
        assert!(reveal("secret:number").unwrap_err().contains("number"));
        assert!(
            reveal("env:NO_SUCH_VARIABLE_HERE")
                .unwrap_err()
                .contains("NO_SUCH")
        );
        assert!(
            Secrets::none()
                .resolve("secret:x")
                .unwrap_err()
                .contains("secrets_file")
        );
    }
}
