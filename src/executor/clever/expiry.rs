//! When the credentials of accounts, and those of pushes, end: as a person is told of it.

use std::time::Duration;

use super::{CleverDocker, Trouble};
use crate::clever::{Account, Credential, TokenEnd};
use crate::config::{StandIn, Tenancy};
use crate::executor::Expiry;
use crate::foreign::{Keep, one_line};

/// Among several tokens, one that was made for less than this is for something else than a service.
const SHORTEST_LIFE: Duration = Duration::from_secs(14 * 24 * 3600);

const LOG_IN: &str = "log in anew with `clever login`, which leaves the new pair in \
                      ~/.config/clever-cloud/clever-tools.json";

impl CleverDocker {
    /// Of the account of `tenant`, if it is told.
    pub(super) fn account_expiries(&self, tenant: Option<&str>) -> Vec<Expiry> {
        let found = self.tenants.with_account(tenant, |account| {
            let pair = self.stand_in_pair();
            let asking = pair.as_ref().unwrap_or(&account.credential);
            Ok((self.api.token_ends(account, asking)?, account.clone()))
        });
        let Ok((ends, account)) = found.inspect_err(|error: &Trouble| untold(error)) else {
            return Vec::new();
        };
        let ends = ends.into_iter().filter(may_be_a_services);
        ends.map(|end| self.described(end, &account, tenant))
            .collect()
    }

    /// Of what stands in for an API token at a push.
    pub(super) fn stand_in_expiry(&self) -> Option<Expiry> {
        let ends = self.api.pair_end(&self.stand_in_pair()?);
        let ends = ends.inspect_err(untold);
        let end = ends.ok()?.pop()?;
        Some(Expiry {
            what: "the OAuth token for pushes (cc_git_user, cc_git_password)".to_owned(),
            ends: end.ends,
            remedy: LOG_IN.to_owned(),
        })
    }

    fn stand_in_pair(&self) -> Option<Credential> {
        match self.settings.git_logins.for_api_token.clone()? {
            StandIn::OAuth { consumer, user } => Some(Credential::OAuth { consumer, user }),
            StandIn::SshKey(_) => None,
        }
    }

    fn described(&self, end: TokenEnd, account: &Account, tenant: Option<&str>) -> Expiry {
        let place = match (&self.settings.tenancy, tenant) {
            (Tenancy::ByGroup { attributes, .. }, Some(group)) => {
                format!("the custom attribute {} of group {group}", attributes.token)
            }
            _ => "cc_token".to_owned(),
        };
        let (kind, remedy) = match &account.credential {
            Credential::OAuth { .. } => ("the OAuth token", LOG_IN),
            Credential::ApiToken(_) => (
                "the API token",
                "make a new one with `clever tokens create`, or in the console",
            ),
            Credential::Token(_) | Credential::ServiceToken(_) => (
                "the service token",
                "make a new one in the console, with the role Manager",
            ),
        };
        let name = end.name.map_or_else(String::new, |name| {
            let shown = one_line(&name, Keep::Start(60));
            format!(" {shown:?}, if it is that one,")
        });
        let organization = &account.organization;
        Expiry {
            what: format!("{kind}{name} of organization {organization} ({place})"),
            ends: end.ends,
            remedy: remedy.to_owned(),
        }
    }
}

/// It is no trouble.
fn untold(error: &impl std::fmt::Display) {
    log::debug!("Clever Cloud does not tell when a credential ends: {error}");
}

fn may_be_a_services(end: &TokenEnd) -> bool {
    let is_short = end
        .made
        .is_some_and(|made| end.ends.since(made) < SHORTEST_LIFE);
    end.name.is_none() || !is_short
}
