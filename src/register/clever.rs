//! What is asked about Clever Cloud: who pays, with which credential, for which machines.
//!
//! Organization and credential are tried together as soon as both are known, by reading the list of
//! applications, which changes nothing. What can't be tried now, because Clever Cloud is out of
//! reach, is taken as it is.

use super::Trouble;
use super::cache;
use super::credential;
use super::flavors::{self, Instance, Prices};
use super::prompt::Person;
use super::questions::{
    API_URL, AUTH, BRIDGE_URL, CLEVER_SECRET, CLEVER_TOKEN, FLAVOR, GIT_PASSWORD, GIT_USER,
    INSTANCE, ORGANIZATION, Question, SSH_KEY,
};
use super::section::{Clever, WrittenCredential};
use super::typed::{address, id};
use super::words;
use crate::clever::{Account, Api, ApiError, Credential};
use crate::config::keys;
use crate::config::values::{self, AuthKind};
use crate::http::Http;

/// All of it.
///
/// # Errors
/// [`Trouble`] when an answer can't be had.
pub fn ask(person: &mut Person<'_>, http: &Http) -> Result<Clever, Trouble> {
    let api_url = other_address(person, &API_URL)?;
    let bridge_url = other_address(person, &BRIDGE_URL)?;
    let api = api_url.as_deref().unwrap_or(values::API_URL);
    let bridge = bridge_url.as_deref().unwrap_or(values::BRIDGE_URL);
    let calls = Api::new(http.clone(), api, bridge);
    let (organization, credential) = account(person, &calls)?;
    let has_chosen = person.has_said(&INSTANCE) && person.has_said(&FLAVOR);
    let prices = if person.has_left() || has_chosen {
        Prices::default()
    } else {
        flavors::prices(http, api)
    };
    let instance = instance(person, http, api, &prices)?;
    Ok(Clever {
        default_flavor: flavor(person, http, api, instance, &prices)?,
        cache: cache::ask(person)?,
        instance,
        organization,
        credential,
        api_url,
        bridge_url,
    })
}

/// Asked for only when an option says something.
fn other_address(person: &mut Person<'_>, question: &Question) -> Result<Option<String>, Trouble> {
    if !person.has_said(question) {
        return Ok(None);
    }
    person.answer(question.asked(), address).map(Some)
}

/// The organization and its credential, which go together as far as that can be tried.
fn account(
    person: &mut Person<'_>,
    api: &Api,
) -> Result<(Option<String>, Option<WrittenCredential>), Trouble> {
    let mut login = credential::offered(person)?;
    loop {
        let organization = person.answer_if_any(ORGANIZATION.asked(), id)?;
        let credential = match login.take() {
            Some(login) => Some(login),
            None => credential::ask(person)?,
        };
        let (Some(payer), Some(shown)) = (&organization, &credential) else {
            return Ok((organization, credential));
        };
        let Some(usable) = credential::usable(shown) else {
            return Ok((organization, credential));
        };
        match try_out(api, payer, usable) {
            Tried::Good { applications } => {
                log::info!(
                    "{payer} is there, with {applications} applications now, and the credential is \
                     good for it"
                );
                return Ok((organization, credential));
            }
            Tried::Unknown(why) => {
                log::warn!("whether {payer} and its credential are right is not known: {why}");
                return Ok((organization, credential));
            }
            Tried::Refused(why) => {
                let other = other_kind(api, payer, shown);
                let why = words::account_refused(payer, shown.kind, other, &why);
                if !person.can_answer_again() {
                    return Err(Trouble::Told(format!("{why}. Nothing was written")));
                }
                log::warn!("{why}");
                person.take_back(&[&ORGANIZATION, &AUTH, &CLEVER_TOKEN, &CLEVER_SECRET]);
                person.take_back(&[&SSH_KEY, &GIT_USER, &GIT_PASSWORD]);
                if let Some(other) = other {
                    person.propose(&AUTH, other.name());
                }
            }
        }
    }
}

/// What came of trying an organization with a credential.
enum Tried {
    Good {
        applications: usize,
    },
    Refused(ApiError),
    /// It may be good.
    Unknown(ApiError),
}

fn try_out(api: &Api, organization: &str, credential: Credential) -> Tried {
    let account = Account {
        organization: organization.to_owned(),
        credential,
    };
    match api.find(&account, |_| true) {
        Ok(found) => Tried::Good {
            applications: found.len(),
        },
        Err(error) if error.may_pass() => Tried::Unknown(error),
        Err(error) => Tried::Refused(error),
    }
}

/// The kind as which this token would be good alone. A token for the bridge is shown nowhere else.
fn other_kind(api: &Api, organization: &str, shown: &WrittenCredential) -> Option<AuthKind> {
    let others: &[AuthKind] = match shown.kind {
        AuthKind::Token => &[AuthKind::ServiceToken, AuthKind::ApiToken],
        AuthKind::ServiceToken => &[AuthKind::Token, AuthKind::ApiToken],
        AuthKind::OAuth => &[AuthKind::ApiToken, AuthKind::ServiceToken, AuthKind::Token],
        AuthKind::ApiToken => &[],
    };
    others.iter().copied().find(|kind| {
        let other = WrittenCredential {
            kind: *kind,
            token: shown.token.clone(),
            secret: None,
            git: None,
        };
        let other = credential::usable(&other).map(|usable| try_out(api, organization, usable));
        matches!(other, Some(Tried::Good { .. }))
    })
}

/// None, where the configuration's own default counts: nobody was there to choose.
fn instance(
    person: &mut Person<'_>,
    http: &Http,
    api: &str,
    prices: &Prices,
) -> Result<Option<Instance>, Trouble> {
    let asked = INSTANCE.asked().proposing(Instance::Docker.name());
    let asked = if person.has_left() || person.has_said(&INSTANCE) {
        asked
    } else {
        asked.saying(flavors::comparison(http, api, prices))
    };
    person.answer_if_any(asked, |name| name.to_lowercase().parse::<Instance>())
}

fn flavor(
    person: &mut Person<'_>,
    http: &Http,
    api: &str,
    instance: Option<Instance>,
    prices: &Prices,
) -> Result<String, Trouble> {
    let usual: String = keys::CC_DEFAULT_FLAVOR.default().unwrap_or_default();
    if person.has_left() && !person.has_said(&FLAVOR) {
        return Ok(usual);
    }
    let flavors = match instance
        .unwrap_or(Instance::HeptapodRunner)
        .flavors(http, api)
    {
        Ok(flavors) => flavors,
        Err(why) => {
            log::warn!(
                "cannot reach Clever Cloud's list of machine sizes, so any name is taken: {why}"
            );
            let text = format!("{} Usual are XS, S, M, L, XL, 2XL and 3XL", FLAVOR.text);
            return person.answer(FLAVOR.asked().saying(text).or(usual), id);
        }
    };
    let text = format!("{}\n{}", FLAVOR.text, flavors::table(&flavors, prices));
    let usual = flavors::usual(&flavors).map_or(usual, |flavor| flavor.name.clone());
    person.answer(FLAVOR.asked().saying(text).or(usual), |name| {
        let mut on_offer = flavors.iter().map(|flavor| &flavor.name);
        let found = on_offer.find(|known| known.eq_ignore_ascii_case(name));
        found.cloned().ok_or_else(|| {
            let names: Vec<_> = flavors.iter().map(|flavor| flavor.name.as_str()).collect();
            format!(
                "there is no flavor {name:?}; there are {}",
                names.join(", ")
            )
        })
    })
}
