//! What is asked about a credential of Clever Cloud, of each kind: what it is, its halves, and with what
//! is pushed where git does not take its kind. Clever page, 1.
//!
//! Whether it is good is found out elsewhere, together with the organization for which it is.

use super::Trouble;
use super::clever_tools;
use super::prompt::Person;
use super::questions::{
    AUTH, CLEVER_SECRET, CLEVER_TOKEN, GIT_PASSWORD, GIT_USER, Question, SSH_KEY,
};
use super::secret_reference::{self, Referred};
use super::section::{GitLogin, WrittenCredential};
use super::ssh_key::{self, NO_KEY};
use crate::clever::{Credential, Pair};
use crate::config;
use crate::config::values::{AuthKind, CLI_CONSUMER};
use crate::secret::Secret;

/// What goes with one kind only.
const OF_ONE_KIND: [(&Question, AuthKind); 4] = [
    (&CLEVER_SECRET, AuthKind::OAuth),
    (&SSH_KEY, AuthKind::ApiToken),
    (&GIT_USER, AuthKind::ApiToken),
    (&GIT_PASSWORD, AuthKind::ApiToken),
];

/// The login of an installed `clever`, if there is one and the person agrees to its use: who has that
/// program need not look for anything.
///
/// # Errors
/// [`Trouble`] when an answer can't be had.
pub fn offered(person: &mut Person<'_>) -> Result<Option<WrittenCredential>, Trouble> {
    if person.has_said(&AUTH) || person.has_said(&CLEVER_TOKEN) {
        return Ok(None);
    }
    let pair = found_pair(person, "")?;
    Ok(pair.map(|(token, secret)| WrittenCredential {
        kind: AuthKind::OAuth,
        token: Some(token),
        secret: Some(secret),
        git: None,
    }))
}

/// Its token and its secret.
fn found_pair(
    person: &mut Person<'_>,
    what_for: &str,
) -> Result<Option<(Secret, Secret)>, Trouble> {
    if !person.can_answer_again() {
        return Ok(None);
    }
    let Some(login) = clever_tools::login() else {
        return Ok(None);
    };
    let text = format!(
        "Use the login of the program clever{what_for}, as it is in {}? It is good for three months.",
        login.place
    );
    let agrees = person.agrees(&text, true)?;
    Ok(agrees.then_some((login.token, login.secret)))
}

/// None, where nothing is known of it.
///
/// # Errors
/// As above.
pub fn ask(person: &mut Person<'_>) -> Result<Option<WrittenCredential>, Trouble> {
    loop {
        let kind = kind(person)?;
        let is_known = person.has_said(&AUTH) || !person.has_left();
        let token = secret(person, &CLEVER_TOKEN)?;
        let second = match kind {
            AuthKind::OAuth => secret_if_any(person, &CLEVER_SECRET)?,
            _ => None,
        };
        if kind == AuthKind::OAuth && second.is_none() && person.can_answer_again() {
            person.take_back(&[&AUTH, &CLEVER_TOKEN]);
            person.propose(&AUTH, AuthKind::ApiToken.name());
            continue;
        }
        if !is_known && token.is_none() && second.is_none() {
            return Ok(None);
        }
        return Ok(Some(WrittenCredential {
            kind,
            token,
            secret: second,
            git: match kind {
                AuthKind::ApiToken => Some(git_login(person)?),
                _ => None,
            },
        }));
    }
}

fn kind(person: &mut Person<'_>) -> Result<AuthKind, Trouble> {
    // A token alone is what the Python runner has.
    let is_lone_token = person.has_said(&CLEVER_TOKEN) && !person.has_said(&CLEVER_SECRET);
    let usual = if is_lone_token {
        AuthKind::Token
    } else {
        AuthKind::OAuth
    };
    let kind = person.answer(AUTH.asked().or(usual.name()), |kind| {
        let kind = kind.to_lowercase();
        kind.parse::<AuthKind>().map_err(|why| format!("it {why}"))
    })?;
    for (question, its) in OF_ONE_KIND {
        if person.has_said(question) && kind != its {
            let (option, its) = (question.option.long, its.name());
            log::warn!("--{option} is ignored: it goes with the kind {its:?}");
        }
    }
    Ok(kind)
}

fn git_login(person: &mut Person<'_>) -> Result<GitLogin, Trouble> {
    let has_said_pair = person.has_said(&GIT_USER) || person.has_said(&GIT_PASSWORD);
    loop {
        if !has_said_pair {
            if let Some(key) = person.answer(SSH_KEY.asked().or(NO_KEY), ssh_key::written)? {
                return Ok(GitLogin::SshKey(key));
            }
            person.take_back(&[&SSH_KEY]);
            if let Some((user, password)) = found_pair(person, " for git")? {
                return Ok(GitLogin::Pair {
                    user: Some(user),
                    password: Some(password),
                });
            }
        }
        let user = secret_if_any(person, &GIT_USER)?;
        if user.is_some() || has_said_pair || !person.can_answer_again() {
            return Ok(GitLogin::Pair {
                user,
                password: secret(person, &GIT_PASSWORD)?,
            });
        }
    }
}

fn secret(person: &mut Person<'_>, question: &Question) -> Result<Option<Secret>, Trouble> {
    person.answer_if_any(question.asked(), |written| {
        secret_reference::usable(written).map(Secret::new)
    })
}

/// The same, where a person may have none.
fn secret_if_any(person: &mut Person<'_>, question: &Question) -> Result<Option<Secret>, Trouble> {
    let may_be_none = person.can_answer_again();
    let secret = person.answer_if_any(question.asked(), |written| {
        if written.is_empty() && may_be_none {
            return Ok(None);
        }
        secret_reference::usable(written).map(|written| Some(Secret::new(written)))
    })?;
    Ok(secret.flatten())
}

/// The credential that is meant, where all of it is known and all references can be followed in this
/// environment.
pub fn usable(written: &WrittenCredential) -> Option<Credential> {
    let resolve = |secret: &Secret| match Referred::resolve(secret.reveal()) {
        Ok(referred) => Some(referred.meant),
        Err(why) => {
            log::warn!(
                "the credential is not tried: {why}; it must be there when the service starts"
            );
            None
        }
    };
    let token = resolve(written.token.as_ref()?)?;
    let secret = match &written.secret {
        Some(secret) => Some(resolve(secret)?),
        None if written.kind == AuthKind::OAuth => return None,
        None => None,
    };
    let consumer = Pair {
        key: Secret::new(CLI_CONSUMER.0),
        secret: Secret::new(CLI_CONSUMER.1),
    };
    Some(config::credential(written.kind, token, secret, consumer))
}
