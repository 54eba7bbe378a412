//! Where secrets come from: the configuration itself, a file of secrets, the environment, a file.
//!
//! A secret in the configuration may be a reference: `secret:KEY` is looked up in the runner's
//! `secrets_file`, `env:NAME` in our environment, and `file:PATH` is a file's content, where a
//! path that is not absolute is one of systemd's credentials.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::findings::as_lines;
use crate::secret::Secret;

/// A runner's `secrets_file`: a flat TOML table.
pub enum Secrets {
    /// There is none.
    None,
    /// There is one that can't be read, which was said: what refers to it has no fault of its own.
    Unreadable,
    File(PathBuf, toml::Table),
}

/// Why a reference leads to no secret.
#[derive(Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// Of another problem, which was told already.
    Follows,
    /// A text that says where it was looked for.
    Because(String),
}

impl From<String> for Unresolved {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

impl From<Unresolved> for String {
    fn from(why: Unresolved) -> Self {
        match why {
            Unresolved::Follows => "the file of secrets can't be read".to_owned(),
            Unresolved::Because(why) => why,
        }
    }
}

impl Secrets {
    #[must_use]
    pub const fn none() -> Self {
        Self::None
    }

    /// # Errors
    /// A text when the file can't be read or is not TOML. It never quotes the file.
    pub fn load(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let text =
            fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
        let table = as_lines(&text).parse().map_err(|error: toml::de::Error| {
            let message = error.message();
            format!("{name} is not a flat TOML file of secrets: {message}")
        })?;
        Ok(Self::File(path.to_owned(), table))
    }

    /// The file that `written` refers to, if it does.
    #[must_use]
    pub fn file_of(written: &str) -> Option<PathBuf> {
        written.strip_prefix("file:").map(place_of)
    }

    /// The secret that `written` is, or refers to, without the line break that files end with.
    ///
    /// # Errors
    /// [`Unresolved`]
    pub fn resolve(&self, written: &str) -> Result<Secret, Unresolved> {
        let found = if let Some(key) = written.strip_prefix("secret:") {
            self.look_up(key)?
        } else if let Some(name) = written.strip_prefix("env:") {
            env::var(name).map_err(|_| format!("there is no environment variable {name}"))?
        } else if let Some(path) = written.strip_prefix("file:") {
            read_credential(path)?
        } else {
            written.to_owned()
        };
        let secret = found.trim_end_matches(['\n', '\r']);
        if secret.is_empty() {
            return Err("it is empty".to_owned().into());
        }
        if let Some(at) = secret.chars().position(|c| !is_sendable(c)) {
            let number = at + 1;
            return Err(format!(
                "its character number {number} is one that no secret has (a control character, or \
                 one that is not ASCII): copy it again"
            )
            .into());
        }
        Ok(Secret::new(secret))
    }

    fn look_up(&self, key: &str) -> Result<String, Unresolved> {
        match self {
            Self::None => {
                Err(format!("`secret:{key}` needs a `secrets_file` in the same section").into())
            }
            Self::Unreadable => Err(Unresolved::Follows),
            Self::File(path, table) => {
                let found = table.get(key).and_then(toml::Value::as_str);
                let none = || format!("{} has no text named {key:?}", path.display());
                Ok(found.ok_or_else(none)?.to_owned())
            }
        }
    }
}

const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What a path in the configuration means: one that is not absolute is one of systemd's credentials.
pub(super) fn place_of(path: &str) -> PathBuf {
    let folder = env::var_os(CREDENTIALS).unwrap_or_default();
    Path::new(&folder).join(path)
}

fn read_credential(written: &str) -> Result<String, String> {
    let path = place_of(written);
    let text = fs::read_to_string(&path).map_err(|error| {
        let hint = if path.is_relative() {
            "; it is one of systemd's credentials, which a shell has not: there, set \
             CREDENTIALS_DIRECTORY to the folder of the files"
        } else {
            ""
        };
        format!("cannot read {}: {error}{hint}", path.display())
    })?;
    Ok(text)
}

/// Secrets are sent in the headers of requests.
const fn is_sendable(c: char) -> bool {
    c.is_ascii_graphic() || c == ' '
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Secrets, Unresolved};

    #[test]
    fn a_secret_has_no_line_break_at_its_end_and_is_sendable() {
        let folder = tempfile::tempdir().unwrap();
        let resolved = |text: &str| {
            let path = folder.path().join("secret");
            fs::write(&path, text).unwrap();
            let secret = Secrets::none().resolve(&format!("file:{}", path.display()));
            secret
                .map(|secret| secret.reveal().to_owned())
                .map_err(String::from)
        };
        for text in ["abc", "abc\n", "abc\r\n", "abc\n\n"] {
            assert_eq!(resolved(text).as_deref(), Ok("abc"), "{text:?}");
        }
        assert_eq!(resolved("a b\n").as_deref(), Ok("a b"));
        for (text, told) in [
            ("ab\nc", "number 3"),
            ("ab\tc", "number 3"),
            ("\u{feff}abc", "number 1"),
            ("abc\u{a0}", "number 4"),
            ("ab\u{7f}", "number 3"),
            ("\n", "empty"),
        ] {
            let why = resolved(text).unwrap_err();
            assert!(why.contains(told) && !why.contains("ab"), "{text:?}: {why}");
        }
    }

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
                .map_err(String::from)
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
            matches!(Secrets::none().resolve("secret:x"), Err(Unresolved::Because(why))
                if why.contains("secrets_file"))
        );
        let follows = Secrets::Unreadable.resolve("secret:x");
        assert!(matches!(follows, Err(Unresolved::Follows)));
    }
}
