//! The login of an installed `clever`, Clever Cloud's own program: an admin who has it has a
//! credential already. Clever page, 1.2; its file was read off clever-tools 4.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::json::Fields;
use crate::secret::Secret;

/// A token and its secret, and where they were found.
pub struct Login {
    pub token: Secret,
    pub secret: Secret,
    /// For the person.
    pub place: String,
}

/// The login that `clever` would use: its variables, else its file.
pub fn login() -> Option<Login> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    if let (Some(token), Some(secret)) = (variable("CLEVER_TOKEN"), variable("CLEVER_SECRET")) {
        return Some(Login {
            token: Secret::new(token),
            secret: Secret::new(secret),
            place: "CLEVER_TOKEN and CLEVER_SECRET".to_owned(),
        });
    }
    let path = path()?;
    let (token, secret) = read(&fs::read(&path).ok()?)?;
    Some(Login {
        token,
        secret,
        place: path.display().to_string(),
    })
}

fn path() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty());
    let own = folder("CONFIGURATION_FILE").map(PathBuf::from);
    let configurations = folder("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(folder("HOME")?).join(".config")));
    own.or_else(|| Some(configurations?.join("clever-cloud/clever-tools.json")))
}

/// Of several profiles the first is the active one; older versions have one pair at the top.
fn read(text: &[u8]) -> Option<(Secret, Secret)> {
    let file = Fields::read(text).ok()?;
    let profiles = file.list("profiles");
    let profile = profiles
        .first()
        .and_then(|profile| Fields::of(profile).ok());
    let of = profile.as_ref().unwrap_or(&file);
    let half = |name| {
        let half = of.text(name).filter(|half| !half.is_empty())?;
        Some(Secret::new(half))
    };
    Some((half("token")?, half("secret")?))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_login_is_read_from_the_files_of_new_and_old_versions() {
        let profiles = r#"{"version": 1, "profiles": [
            {"alias": "a", "token": "t1", "secret": "s1"}, {"alias": "b", "token": "t2", "secret": "s2"}]}"#;
        for (text, pair) in [
            (profiles, Some(("t1", "s1"))),
            (
                r#"{"token": "t", "secret": "s", "expirationDate": "2026"}"#,
                Some(("t", "s")),
            ),
            (r#"{"version": 1, "profiles": []}"#, None),
            (r#"{"token": "t", "secret": ""}"#, None),
            ("[]", None),
        ] {
            let found = read(text.as_bytes());
            let found = found
                .as_ref()
                .map(|(token, secret)| (token.reveal(), secret.reveal()));
            assert_eq!(found, pair, "{text}");
        }
    }
}
