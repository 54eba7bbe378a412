//! Whose machines these are: the organization and token for a job.
//!
//! With several tenants both come from the custom attributes of the job's own top-level group,
//! every time: two tenants never meet. For a new machine they must have been learnt a moment ago. For
//! one that is there the last that was learnt is good enough: whoever can't ask any more for whose
//! account it is must delete it all the same.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Trouble;
use crate::clever::{Account, Credential, is_plain};
use crate::config::values::AuthKind;
use crate::config::{Tenancy, credential};
use crate::coordinator::{Coordinator, NoAttributes};
use crate::executor::Failure;
use crate::payload::FailureReason;
use crate::secret::Secret;
use crate::thread::lock;

const TODAYS_FOR: Duration = Duration::from_secs(60);

pub struct Tenants {
    tenancy: Mutex<Arc<Tenancy>>,
    coordinator: Coordinator,
    learnt: Mutex<Learnt>,
    /// The group that was looked up last: by it can be tried whether groups can be looked up.
    asked: Mutex<Option<String>>,
    /// Something was refused that concerns all jobs.
    refused: AtomicBool,
}

/// What was learnt since the start, as long as it may be of use.
#[derive(Default)]
struct Learnt {
    /// The latest account of every group, and until when it is today's.
    accounts: HashMap<String, (Account, Instant)>,
    /// The latest credential of every organization, and the group that has told it.
    credentials: HashMap<String, (String, Credential)>,
    /// What a group's machines may cost in a month, where it says so.
    budgets: HashMap<String, f64>,
}

/// To be looked up where no group is known yet: that there is none of this name is a good answer.
const NO_GROUP: &str = "heptapod-paas-runner-asks-whether-it-may-ask";

impl Tenants {
    pub fn new(tenancy: Tenancy, coordinator: Coordinator) -> Self {
        Self {
            tenancy: Mutex::new(Arc::new(tenancy)),
            coordinator,
            learnt: Mutex::default(),
            asked: Mutex::default(),
            refused: AtomicBool::default(),
        }
    }

    /// Whether each group has an account of its own.
    pub fn are_many(&self) -> bool {
        matches!(*self.tenancy(), Tenancy::ByGroup { .. })
    }

    fn tenancy(&self) -> Arc<Tenancy> {
        lock(&self.tenancy).clone()
    }

    /// The secrets may be others from now on. Those of another organization are none of ours.
    pub fn renew(&self, today: &Tenancy) {
        let is_same = match (&*self.tenancy(), today) {
            (
                Tenancy::Single { organization, .. },
                Tenancy::Single {
                    organization: todays,
                    ..
                },
            ) => organization == todays,
            (Tenancy::ByGroup { .. }, Tenancy::ByGroup { .. }) => true,
            _ => false,
        };
        if is_same {
            *lock(&self.tenancy) = Arc::new(today.clone());
        }
    }

    /// Whether something was refused of late that concerns all jobs.
    pub fn was_refused(&self) -> bool {
        self.refused.swap(false, Ordering::SeqCst)
    }

    /// A credential that concerns all jobs was refused, or does not do what it must.
    pub fn refused(&self) {
        self.refused.store(true, Ordering::SeqCst);
    }

    /// Whether groups can be asked for their organizations, where each has its own.
    pub fn probe(&self) -> Option<Result<(), Trouble>> {
        let Tenancy::ByGroup {
            attributes_token, ..
        } = &*self.tenancy()
        else {
            return None;
        };
        let group = lock(&self.asked).clone();
        let group = group.as_deref().unwrap_or(NO_GROUP);
        Some(
            match self.coordinator.group_attributes(group, attributes_token) {
                Ok(_) | Err(NoAttributes::NoSuchGroup) => Ok(()),
                Err(other) => Err(not_read(group, other)),
            },
        )
    }

    /// The only one there is, or else each of `groups`.
    pub fn known(&self, groups: &BTreeSet<String>) -> BTreeSet<Option<String>> {
        if !self.are_many() {
            return BTreeSet::from([None]);
        }
        groups.iter().cloned().map(Some).collect()
    }

    /// Does something with today's account of `group`, which matters only if there are many. When the
    /// account's token is refused and another one is found, it is done once more with that.
    pub fn with_account<T>(
        &self,
        group: Option<&str>,
        act: impl Fn(&Account) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        self.act_as(group, || self.account(group), act)
    }

    /// The same for what is there already: see [`Tenants::last_account`].
    pub fn with_last_account<T>(
        &self,
        group: Option<&str>,
        act: impl Fn(&Account) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        self.act_as(group, || self.last_account(group), act)
    }

    fn act_as<T>(
        &self,
        group: Option<&str>,
        find: impl Fn() -> Result<Account, Trouble>,
        act: impl Fn(&Account) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let account = find()?;
        let error = match act(&account) {
            Err(error) if error.is_refused_credentials() && self.are_many() => error,
            Err(error) if error.is_refused_credentials() => {
                self.refused();
                return Err(error);
            }
            result => return result,
        };
        self.forget(group);
        let renewed = find()?;
        if renewed == account {
            return Err(error);
        }
        act(&renewed)
    }

    /// Today's account of a group.
    pub fn account(&self, group: Option<&str>) -> Result<Account, Trouble> {
        if let Tenancy::Single {
            organization,
            credential,
        } = &*self.tenancy()
        {
            return Ok(Account {
                organization: organization.clone(),
                credential: credential.clone(),
            });
        }
        let group = group.ok_or_else(|| {
            let why = "the job does not say which group it belongs to (CI_PROJECT_ROOT_NAMESPACE)";
            Trouble::NoAccount(no_account(why))
        })?;
        let todays = lock(&self.learnt).todays(group);
        if let Some(account) = todays {
            return Ok(account);
        }
        let account = self.look_up(group)?;
        lock(&self.learnt).learn(group, &account);
        Ok(account)
    }

    /// Today's account of a group, or else the last one that was learnt.
    pub fn last_account(&self, group: Option<&str>) -> Result<Account, Trouble> {
        self.account(group).or_else(|error| {
            let learnt = lock(&self.learnt);
            let last = group.and_then(|group| learnt.accounts.get(group));
            let (account, _) = last.ok_or(error)?;
            Ok(account.clone())
        })
    }

    /// What to speak with for what `owner` owns, given today's account of the group: the group may
    /// have moved to another organization, whose token is good for nothing at the old one.
    pub fn account_at(&self, owner: Option<&str>, today: &Account) -> Account {
        let Some(owner) = owner.filter(|owner| *owner != today.organization && is_plain(owner))
        else {
            return today.clone();
        };
        let learnt = lock(&self.learnt);
        let known = learnt.credentials.get(owner);
        let credential = known.map_or(&today.credential, |(_, credential)| credential);
        Account {
            organization: owner.to_owned(),
            credential: credential.clone(),
        }
    }

    /// What was learnt of `group` is not today's any more.
    pub fn forget(&self, group: Option<&str>) {
        let mut learnt = lock(&self.learnt);
        if let Some((_, until)) = group.and_then(|group| learnt.accounts.get_mut(group)) {
            *until = Instant::now();
        }
    }

    /// No other groups than these have machines or jobs, but for what was learnt a moment ago.
    pub fn keep_only(&self, groups: &BTreeSet<String>) {
        let mut learnt = lock(&self.learnt);
        let Learnt {
            accounts,
            credentials,
            budgets,
        } = &mut *learnt;
        accounts.retain(|group, (_, until)| groups.contains(group) || *until > Instant::now());
        credentials.retain(|_, (group, _)| accounts.contains_key(group));
        budgets.retain(|group, _| accounts.contains_key(group));
    }

    /// What the group's machines may cost in a month. May take as long as a request.
    pub fn budget(&self, group: &str) -> Option<f64> {
        if !self.are_many() {
            return None;
        }
        // Its trouble is told where an account is needed.
        let _ = self.account(Some(group));
        lock(&self.learnt).budgets.get(group).copied()
    }

    fn look_up(&self, group: &str) -> Result<Account, Trouble> {
        let Tenancy::ByGroup {
            attributes_token,
            attributes: names,
            kind,
            consumer,
        } = &*self.tenancy()
        else {
            return Err(lacks(group, "of an organization"));
        };
        *lock(&self.asked) = Some(group.to_owned());
        let attributes = self.coordinator.group_attributes(group, attributes_token);
        let attributes = attributes.map_err(|why| {
            if matches!(why, NoAttributes::Refused(_)) {
                self.refused();
            }
            not_read(group, why)
        })?;
        let find = |key: &str| {
            let found = attributes.iter().find(|(known, _)| known == key);
            found
                .map(|(_, value)| value)
                .filter(|value| !value.reveal().is_empty())
        };
        self.note_budget(group, &names.budget, find(&names.budget));
        let organization = find(&names.organization)
            .map(|id| id.reveal().to_owned())
            .filter(|id| is_plain(id));
        let organization = organization.ok_or_else(|| lacks(group, &names.organization))?;
        let kind = match find(&names.kind) {
            Some(kind) => kind.reveal().parse().map_err(|why: String| {
                let why = format!(
                    "the custom attribute `{}` of group {group} {why}",
                    names.kind
                );
                Trouble::NoAccount(no_account(&why))
            })?,
            None => *kind,
        };
        let token = find(&names.token).ok_or_else(|| lacks(group, &names.token))?;
        let secret = find(&names.secret).cloned();
        if kind == AuthKind::OAuth && secret.is_none() {
            return Err(lacks(group, &names.secret));
        }
        Ok(Account {
            organization,
            credential: credential(kind, token.clone(), secret, consumer.clone()),
        })
    }
}

impl Tenants {
    fn note_budget(&self, group: &str, name: &str, written: Option<&Secret>) {
        let mut learnt = lock(&self.learnt);
        learnt.budgets.remove(group);
        let Some(written) = written else {
            return;
        };
        match written.reveal().trim().parse::<f64>() {
            Ok(budget) if budget > 0.0 && budget.is_finite() => {
                learnt.budgets.insert(group.to_owned(), budget);
            }
            _ => log::warn!(
                "the custom attribute `{name}` of group {group} is no amount above 0, such as 100: the group has \
                 no budget"
            ),
        }
    }
}

impl Learnt {
    fn todays(&self, group: &str) -> Option<Account> {
        let (account, until) = self.accounts.get(group)?;
        (*until > Instant::now()).then(|| account.clone())
    }

    fn learn(&mut self, group: &str, account: &Account) {
        let until = Instant::now() + TODAYS_FOR;
        let accounts = &mut self.accounts;
        accounts.insert(group.to_owned(), (account.clone(), until));
        let told = (group.to_owned(), account.credential.clone());
        self.credentials.insert(account.organization.clone(), told);
    }
}

fn not_read(group: &str, why: NoAttributes) -> Trouble {
    match why {
        NoAttributes::Trouble(why) => {
            Trouble::Unprepared(format!("reading the attributes of group {group}: {why}"))
        }
        NoAttributes::NoSuchGroup => {
            let why = format!("{group} is not a group, so it has no Clever Cloud organization");
            // Whose project it is can move it into a group: nobody else must do anything.
            Trouble::NoAccount(Failure {
                reason: FailureReason::ScriptFailure,
                ..no_account(&why)
            })
        }
        NoAttributes::Refused(why) => Trouble::Final(Failure {
            reason: FailureReason::RunnerConfigurationError,
            user: "This runner may not learn which Clever Cloud organization pays for this job. \
                   Please tell its administrator."
                .to_owned(),
            admin: format!(
                "reading the attributes of group {group}: {why}; \
                 cc_gitlab_namespace_attributes_token must be an administrator's"
            ),
        }),
    }
}

fn lacks(group: &str, key: &str) -> Trouble {
    let why = format!("group {group} has no usable custom attribute `{key}`");
    Trouble::NoAccount(no_account(&why))
}

fn no_account(why: &str) -> Failure {
    Failure {
        reason: FailureReason::RunnerConfigurationError,
        user: format!(
            "There is no Clever Cloud organization to pay for this job: {why}. Please tell the \
             owner of the group."
        ),
        admin: why.to_owned(),
    }
}
