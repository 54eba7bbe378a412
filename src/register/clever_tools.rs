//! The login of an installed `clever`, Clever Cloud's own program: an admin who has it has a
//! credential already. Clever page, 1.2; its file was read off clever-tools 4.

use std::env;
use std::ffi::OsString;
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
    login_in(|name| env::var_os(name))
}

/// The same with this environment.
fn login_in(variable: impl Fn(&str) -> Option<OsString>) -> Option<Login> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let half = |name| variable(name)?.into_string().ok();
    if let (Some(token), Some(secret)) = (half("CLEVER_TOKEN"), half("CLEVER_SECRET")) {
        return Some(Login {
            token: Secret::new(token),
            secret: Secret::new(secret),
            place: "CLEVER_TOKEN and CLEVER_SECRET".to_owned(),
        });
    }
    let own = variable("CONFIGURATION_FILE").map(PathBuf::from);
    let path = own.or_else(|| {
        let configurations = variable("XDG_CONFIG_HOME").map(PathBuf::from);
        let configurations =
            configurations.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")))?;
        Some(configurations.join("clever-cloud/clever-tools.json"))
    })?;
    let (token, secret) = read(&fs::read(&path).ok()?)?;
    Some(Login {
        token,
        secret,
        place: path.display().to_string(),
    })
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
    use std::fs;

    use super::{login_in, read};

    #[test]
    fn a_login_is_looked_for_where_the_program_itself_does() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let file = "clever-cloud/clever-tools.json";
        let [usual, xdg] = [".config", "xdg"].map(|place| format!("{place}/{file}"));
        for path in [&usual, &xdg, "own.json"] {
            fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
            let login = format!("{{\"token\": {path:?}, \"secret\": \"s\"}}");
            fs::write(folder.path().join(path), login).unwrap();
        }
        let all = [
            ("CLEVER_TOKEN", "t".to_owned()),
            ("CLEVER_SECRET", "s".to_owned()),
            ("CONFIGURATION_FILE", place("own.json")),
            ("XDG_CONFIG_HOME", place("xdg")),
            ("HOME", place("")),
        ];
        // Each is set, but for the first so many.
        for (unset, token) in [
            (0, Some("t")),
            (1, Some("own.json")),
            (2, Some("own.json")),
            (3, Some(xdg.as_str())),
            (4, Some(usual.as_str())),
            (5, None),
        ] {
            for empty in [false, true] {
                let login = login_in(|name| {
                    let at = all.iter().position(|(known, _)| *known == name)?;
                    let value = &all[at].1;
                    (at >= unset)
                        .then_some(value)
                        .or(empty.then_some(&String::new()))
                        .map(Into::into)
                });
                let found = login.as_ref().map(|login| login.token.reveal());
                assert_eq!(found, token, "without {unset} of them");
            }
        }
    }

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
