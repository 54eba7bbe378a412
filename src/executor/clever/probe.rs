//! Whether a job would get its machine, asked before there is one. Nothing is changed by it.
//!
//! Of an account that means its list of applications: every kind of credential may read that, and
//! nothing else is known that each may. Whether it may delete, too, is a matter of the role, which
//! can't always be learnt: then the first deletion that is refused tells.

use std::collections::BTreeSet;

use super::{CleverDocker, Tenancy, Trouble, words};
use crate::clever::{Account, Credential, MachineType};
use crate::clock;
use crate::config::kind_of;
use crate::deploy::presence::Presence;
use crate::fact::{Fact, Verdict};
use crate::foreign::{Keep, one_line};
use crate::thread::lock;

const FLAVORS: &str = "flavors";
const MACHINES: &str = "machines";
const ORGANIZATION: &str = "organization";
const GROUPS: &str = "groups";
const ROLE: &str = "role";

impl CleverDocker {
    /// See [`crate::executor::Executor::probe`].
    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut facts: Vec<_> = self.tools().map(Presence::check).collect();
        match self.tenants.probe() {
            None => facts.extend(self.account_facts(None, Verdict::Bad)),
            Some(Ok(())) => facts.push(Fact::good(GROUPS, "their custom attributes can be read")),
            Some(Err(why)) if why.may_pass() => facts.push(Fact::unknown(GROUPS, why.to_string())),
            Some(Err(why)) => facts.push(Fact::new(GROUPS, Verdict::Bad, why.to_string())),
        }
        facts
    }

    /// See [`crate::executor::Executor::look_closer`].
    pub(super) fn closer_facts(&self, tenants: &BTreeSet<String>) -> Vec<Fact> {
        let mut facts = self.offers();
        match &self.settings.tenancy {
            Tenancy::Single { .. } => facts.extend(self.role(None)),
            Tenancy::ByGroup { .. } => {
                for group in tenants {
                    facts.extend(self.account_facts(Some(group), Verdict::BadForSome));
                    facts.extend(self.role(Some(group)));
                }
            }
        }
        facts
    }

    /// Flavors, and version and variant of the type of machine.
    fn offers(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        let all = self.catalogue.flavors();
        let known = all.clone().unwrap_or_default();
        match all.and_then(|all| self.offered(all)) {
            Ok(offered) => {
                let names: Vec<_> = offered.iter().map(|flavor| flavor.name.as_str()).collect();
                let (names, default) = (names.join(", "), &self.settings.default_flavor);
                let is_offered = offered.iter().any(|flavor| flavor.name == *default);
                facts.push(if is_offered {
                    let text = format!("{names}; {default} for jobs that name none");
                    Fact::good(FLAVORS, text)
                } else {
                    let text =
                        format!("`cc_default_flavor` is {default:?}, but on offer are {names}");
                    Fact::new(FLAVORS, Verdict::BadForSome, text)
                        .remedy("jobs that name no flavor get no machine: set it to one of these")
                });
            }
            Err(why) if known.is_empty() => facts.push(Fact::unknown(FLAVORS, why)),
            Err(why) => {
                let names: Vec<_> = known.iter().map(|flavor| flavor.name.as_str()).collect();
                let remedy = format!("set `cc_max_flavor` to one of {}", names.join(", "));
                facts.push(Fact::bad(FLAVORS, why, remedy));
            }
        }
        facts.push(match self.catalogue.instance() {
            Ok(instance) => {
                let kind = match &self.settings.machine_type {
                    MachineType::HeptapodRunner { .. } => {
                        "heptapod-runner (whether the organization may have it shows at the first job)"
                    }
                    MachineType::Docker { .. } => "docker",
                };
                let (version, variant) = (&instance.version, &instance.variant);
                Fact::good(MACHINES, format!("{kind}, version {version}, variant {variant}"))
            }
            Err(why) => Fact::unknown(MACHINES, why),
        });
        facts
    }

    /// Whether the account of `group` is good, and what the clock there says; `worst` is how bad it
    /// is if not.
    fn account_facts(&self, group: Option<&str>, worst: Verdict) -> Vec<Fact> {
        let whose = |account: &Account| match group {
            Some(group) => format!("{} of group {group}", account.organization),
            None => account.organization.clone(),
        };
        let account = match self.tenants.account(group) {
            Ok(account) => account,
            Err(why) if why.may_pass() => {
                return vec![Fact::unknown(ORGANIZATION, why.to_string())];
            }
            Err(why) => {
                let fact = Fact::new(ORGANIZATION, worst, why.to_string());
                let remedy = "an administrator of the coordinator sets the custom attributes";
                return vec![fact.remedy(remedy)];
            }
        };
        if let Some(why) = lock(&self.undeletable).get(&account.organization) {
            let text = format!("{} does not let us delete machines: {why}", whose(&account));
            return vec![Fact::new(ORGANIZATION, worst, text).remedy(words::MANAGER)];
        }
        let probed = self.tenants.with_account(group, |account| {
            let date = self.api.probe(account)?;
            Ok((account.clone(), date))
        });
        let kind = kind_of(&account.credential);
        let (api, name) = (self.api_of(&account), kind.name());
        match probed {
            Ok((account, date)) => {
                let whose = whose(&account);
                let text = format!("{whose} is there, and the credential ({name}) is good for it");
                let mut facts = vec![Fact::good(ORGANIZATION, text)];
                facts.extend(date.and_then(|date| clock::skew(date, api)));
                facts
            }
            Err(Trouble::Api(error)) if error.is_refused_credentials() => {
                let text = format!(
                    "{} refuses the credential ({name}) at {api}: {error}",
                    whose(&account)
                );
                let fact = Fact::new(ORGANIZATION, worst, text);
                vec![fact.remedy(words::credentials_hint(kind))]
            }
            Err(Trouble::Api(error)) if error.is_final() => {
                let text = format!("{} is unknown at {api}: {error}", whose(&account));
                vec![Fact::new(ORGANIZATION, worst, text).remedy("check `cc_orga_id`")]
            }
            Err(why) => {
                let text = format!("{} could not be asked for at {api}: {why}", whose(&account));
                vec![Fact::unknown(ORGANIZATION, text)]
            }
        }
    }

    /// What the credential may do, where that can be learnt.
    fn role(&self, group: Option<&str>) -> Option<Fact> {
        const LATER: &str = "a Developer can start what it can't delete; the first deletion that is \
                             refused would make this runner stop";
        // What is wrong with the account was said.
        let account = self.tenants.account(group).ok()?;
        let organization = &account.organization;
        let role = match &account.credential {
            Credential::Token(_) | Credential::ServiceToken(_) => {
                let text = format!("can't be learnt with this kind of credential; {LATER}");
                return Some(Fact::unknown(ROLE, text));
            }
            Credential::OAuth { .. } | Credential::ApiToken(_) => self.api.role(&account),
        };
        Some(
            match role.map(|role| role.map(|role| role.to_ascii_uppercase())) {
                Ok(Some(role)) if role == "ADMIN" || role == "MANAGER" => {
                    Fact::good(ROLE, format!("{role} in {organization}"))
                }
                Ok(Some(role)) => {
                    let verdict = match group {
                        Some(_) => Verdict::BadForSome,
                        None => Verdict::Bad,
                    };
                    let role = one_line(&role, Keep::Start(40));
                    let text = format!("{role} in {organization}, which may not delete machines");
                    Fact::new(ROLE, verdict, text).remedy(words::MANAGER)
                }
                Ok(None) => Fact::unknown(ROLE, format!("{organization} does not say it; {LATER}")),
                Err(why) => Fact::unknown(ROLE, format!("it could not be learnt: {why}; {LATER}")),
            },
        )
    }

    fn api_of(&self, account: &Account) -> &str {
        if account.credential.needs_bridge() {
            &self.settings.bridge_url
        } else {
            &self.settings.api_url
        }
    }
}
