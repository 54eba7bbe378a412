//! Machines at Clever Cloud: an application per job, started by a git push.
//!
//! An application costs nothing until something is pushed to it; its machine costs from then on
//! until the job's container ends or the application is deleted. Names are not unique there, lists
//! lag, and deleted applications linger, so the rules are: after a lost answer wait and look
//! before creating again; once a creation was ever in doubt, delete by name in the end.

mod creation;
mod expiry;
mod flavor;
mod launch;
mod loss;
mod ownership;
mod probe;
mod remembered;
mod tenants;
mod trouble;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::time::Duration;

use self::ownership::Maker;
use self::remembered::Remembered;
use self::tenants::Tenants;
use self::trouble::Trouble;
use super::{
    Details, Executor, Expiry, Failure, Found, Halt, Inventory, Machine, NoWeight, Patience, Price,
};
use crate::clever::{Account, Api, Catalogue, Deletion, MachineType};
use crate::config::values::AuthKind;
use crate::config::{CleverSettings, ExecutorSettings, StandIn, Tenancy, kind_of};
use crate::coordinator::Coordinator;
use crate::deploy::InnerRunner;
use crate::deploy::presence::Presence;
use crate::deploy::push::Pusher;
use crate::fact::Fact;
use crate::http::Http;
use crate::names::{MachineName, RunnerName};
use crate::payload::Payload;
use crate::thread::lock;
use crate::weight::Weight;

pub struct CleverDocker {
    settings: CleverSettings,
    tenants: Tenants,
    api: Api,
    catalogue: Catalogue,
    pusher: Pusher,
    inner: InnerRunner,
    mark: String,
    /// Organizations in which something could not be deleted for want of a role, with the refusal.
    undeletable: Mutex<BTreeMap<String, String>>,
}

/// How long a job waits for an API in trouble before its user is told.
const PATIENCE: Duration = Duration::from_secs(300);

/// A list at Clever Cloud shows a new application after seconds (Clever page, 3.11).
const LIST_LAG: Duration = Duration::from_secs(10);
/// The longest creation, and a list's lag.
const CREATION_LAG: Duration = Duration::from_secs(75);

impl CleverDocker {
    /// Jobs are handed over by `pusher`; the coordinator knows who pays, if that is not always
    /// the same; `mark` tells this installation from all others.
    #[must_use]
    pub fn new(
        settings: CleverSettings,
        http: Http,
        coordinator: Coordinator,
        pusher: Pusher,
        inner: InnerRunner,
        mark: String,
    ) -> Self {
        let catalogue = Catalogue::new(
            http.clone(),
            &settings.api_url,
            settings.machine_type.clone(),
            &settings.flavor_prefix,
        );
        Self {
            api: Api::new(http, &settings.api_url, &settings.bridge_url),
            tenants: Tenants::new(settings.tenancy.clone(), coordinator),
            catalogue,
            pusher,
            inner,
            mark,
            settings,
            undeletable: Mutex::default(),
        }
    }

    /// The programs that a push needs.
    fn tools(&self) -> impl Iterator<Item = &Presence> {
        let by_ssh = matches!(
            self.settings.git_logins.for_api_token,
            Some(StandIn::SshKey(_))
        );
        let ssh = by_ssh.then(|| self.pusher.ssh());
        iter::once(self.pusher.git()).chain(ssh)
    }

    fn machines_of(
        &self,
        runner: &RunnerName,
        tenant: Option<&str>,
    ) -> Result<Vec<Found>, Trouble> {
        self.tenants.with_last_account(tenant, |account| {
            let ours = |name: &str| MachineName::read(runner, name).is_some();
            let found = self.api.find(account, ours)?;
            let machines = found.into_iter().filter_map(|application| {
                let (job, name) = MachineName::read(runner, &application.name)?;
                let origin = match self.origin_of(account, &application).transpose()? {
                    Err(error) => return Some(Err(error)),
                    Ok(origin) => origin,
                };
                let mut machine = Machine::new(name, tenant.map(str::to_owned));
                machine.resource =
                    Some(Remembered::found(&application.id, account, tenant).write());
                Some(Ok(Found {
                    machine,
                    job,
                    is_ours: origin.maker == Maker::ThisInstallation,
                    job_token: origin.job_token,
                    details: Details {
                        organization: account.organization.clone(),
                        created: application.created(),
                        flavor: application.flavor,
                        id: application.id,
                    },
                }))
            });
            machines.collect()
        })
    }

    fn not_searched(&self, tenant: Option<&str>, error: &Trouble) -> String {
        let account = self.tenants.last_account(tenant);
        let whose = match (tenant, account) {
            (Some(group), Ok(account)) => format!("{} of group {group}", account.organization),
            (Some(group), Err(_)) => format!("the organization of group {group}"),
            (None, account) => account.map_or_else(|_| String::new(), |it| it.organization),
        };
        let remedy = if error.is_refused_credentials() {
            "; it needs a credential that may read and delete applications there"
        } else {
            ""
        };
        format!("{whose} at {}: {error}{remedy}", self.settings.api_url)
    }

    /// Whom to speak as about an application that exists, given today's account of its group.
    fn owner_of(&self, application: &Remembered, today: &Account) -> Account {
        let organization = application.organization.as_deref();
        self.tenants.account_at(organization, today)
    }

    /// What the credential is with which a machine is spoken of.
    fn auth_kind(&self, machine: &Machine) -> AuthKind {
        let account = self.tenants.last_account(machine.tenant.as_deref());
        account.map_or(AuthKind::Token, |account| kind_of(&account.credential))
    }

    /// Deletes one application and makes sure that it is gone.
    fn delete(&self, account: &Account, id: &str) -> Result<(), Trouble> {
        let organization = &account.organization;
        match self.api.delete(account, id) {
            Ok(Deletion::Accepted) => {
                lock(&self.undeletable).remove(organization);
            }
            Ok(Deletion::NotThere) => {}
            Err(error) => {
                if error.is_forbidden() {
                    lock(&self.undeletable).insert(organization.clone(), error.to_string());
                    self.tenants.refused();
                }
                return Err(error.into());
            }
        }
        match self.api.get(account, id) {
            Ok(application) if application.is_going() => Ok(()),
            Ok(_) => Err(Trouble::StillThere),
            Err(error) if error.is_not_there() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Executor for CleverDocker {
    fn describe(&self) -> String {
        let machines = match &self.settings.machine_type {
            MachineType::HeptapodRunner { context, .. } => context,
            MachineType::Docker { .. } => "docker",
        };
        let payer = match &self.settings.tenancy {
            Tenancy::Single { organization, .. } => format!("{organization} pays"),
            Tenancy::ByGroup { .. } => "each group pays for its own".to_owned(),
        };
        let (zone, default) = (&self.settings.zone, &self.settings.default_flavor);
        format!(
            "machines of type {machines} in {zone}, {payer}; a job gets {default} unless it says otherwise"
        )
    }

    fn probe(&self) -> Vec<Fact> {
        self.facts()
    }

    fn look_closer(&self, tenants: &BTreeSet<String>) -> Vec<Fact> {
        self.closer_facts(tenants)
    }

    fn is_in_doubt(&self) -> bool {
        self.tenants.was_refused() || self.tools().any(|tool| !tool.is_known())
    }

    fn weigh(&self, payload: &Payload, machine: &Machine) -> Option<Weight> {
        self.weight_of_job(payload, machine)
    }

    fn goes_by_tags(&self, payload: &Payload, machine: &Machine) -> bool {
        let is_said = payload.flavor().is_some() || machine.flavor.is_some();
        !is_said && !self.settings.flavor_by_tag.is_empty()
    }

    fn choose(&self, machine: &mut Machine, tags: &[String]) {
        machine.flavor = Some(self.flavor_by(tags).to_owned());
    }

    fn weigh_flavor(&self, flavor: &str) -> Result<Weight, NoWeight> {
        let flavors = self.catalogue.flavors().map_err(NoWeight::Unknown)?;
        let found = flavors.iter().find(|known| known.name == flavor);
        found.map(|flavor| flavor.weight).ok_or_else(|| {
            // It may be there the next time.
            self.catalogue.forget();
            let names: Vec<_> = flavors.iter().map(|flavor| flavor.name.as_str()).collect();
            let offered = format!("{} offers {}", self.settings.api_url, names.join(", "));
            NoWeight::NotOffered(offered)
        })
    }

    fn weights(&self) -> Result<RangeInclusive<Weight>, String> {
        self.weights_on_offer()
    }

    fn provision(
        &self,
        machine: &mut Machine,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Halt> {
        if machine.resource.is_some() {
            return Ok(());
        }
        self.find_or_create(machine, payload, patience)
    }

    fn launch(
        &self,
        machine: &mut Machine,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Halt> {
        let unusable = |why: &str| words::unusable(&machine.name, why);
        let application = Remembered::of(machine).map_err(|why| unusable(&why))?;
        let application = application.ok_or_else(|| unusable("it was never created"))?;
        if !application.launched {
            let url = self.await_repository(machine, &application, patience)?;
            self.push(machine, &url, payload, patience)?;
            machine.handed_over(application.launched(url).write());
        }
        Ok(())
    }

    fn is_lost(&self, machine: &Machine) -> Result<Option<Failure>, String> {
        let Some(application) = Remembered::of(machine)? else {
            return Ok(None);
        };
        let tenant = machine.tenant.as_deref();
        let lost = self.tenants.with_last_account(tenant, |account| {
            let owner = self.owner_of(&application, account);
            self.loss_of(machine, &owner, &application.id)
        });
        lost.map_err(|error| format!("{}: {error}", self.settings.api_url))
    }

    fn price(&self, flavor: &str) -> Option<Price> {
        self.price_of(flavor)
    }

    fn group_budget(&self, group: &str) -> Option<f64> {
        self.tenants.budget(group)
    }

    fn renew(&self, section: &ExecutorSettings) {
        if let ExecutorSettings::CleverDocker(settings) = section {
            self.tenants.renew(&settings.tenancy);
        }
    }

    fn is_paid_by_groups(&self) -> bool {
        self.tenants.are_many()
    }

    fn machines(&self, runner: &RunnerName, tenants: &BTreeSet<String>) -> Inventory {
        let mut inventory = Inventory::default();
        self.tenants.keep_only(tenants);
        for tenant in self.tenants.known(tenants) {
            match self.machines_of(runner, tenant.as_deref()) {
                Ok(found) if found.is_empty() => inventory.empty.extend(tenant),
                Ok(found) => inventory.machines.extend(found),
                // A group that had an account once, or a user: there is no account to ask with.
                Err(Trouble::NoAccount(failure)) => {
                    log::debug!("not looking for machines: {}", failure.admin);
                    inventory.empty.extend(tenant);
                }
                Err(error) => inventory
                    .not_searched
                    .push(self.not_searched(tenant.as_deref(), &error)),
            }
        }
        inventory
    }

    fn expiries(&self, tenants: &BTreeSet<String>) -> Vec<Expiry> {
        let of_tenants = self.tenants.known(tenants).into_iter();
        of_tenants
            .flat_map(|tenant| self.account_expiries(tenant.as_deref()))
            .chain(self.stand_in_expiry())
            .collect()
    }

    fn decommission(&self, machine: &Machine) -> Result<(), String> {
        let known = Remembered::of(machine)?;
        let name = &machine.name;
        let deleted = self
            .tenants
            .with_last_account(machine.tenant.as_deref(), |account| {
                if let Some(app) = &known {
                    self.delete(&self.owner_of(app, account), &app.id)?;
                }
                if machine.maybe_unseen_since.is_some() {
                    for application in self.own_of(account, machine)? {
                        self.delete(account, &application.id)?;
                    }
                }
                Ok(())
            });
        match deleted {
            // Without an account nothing can be created, unless it had one a moment ago.
            Err(Trouble::NoAccount(failure)) if known.is_none() => {
                log::warn!("machine {name} can't be looked for: {}", failure.admin);
                Ok(())
            }
            deleted => deleted.map_err(|error| {
                let owner = known.as_ref().and_then(|app| app.organization.as_deref());
                words::not_deleted(&self.settings.api_url, owner, &error)
            }),
        }
    }

    fn listed_within(&self) -> Duration {
        LIST_LAG
    }

    fn created_within(&self) -> Duration {
        CREATION_LAG
    }
}
