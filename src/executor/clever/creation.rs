//! From a job's name to its one application.

use std::time::{Duration, Instant};

use super::{CleverDocker, PATIENCE, Remembered, Trouble, words};
use crate::backoff::Backoff;
use crate::clever::{Application, Flavor, Wanted};
use crate::executor::{Halt, Machine, Patience};
use crate::payload::Payload;
use crate::thread::lock;

/// A list shows a new application after seconds (3.11): the pauses between looks for a lost one.
const LOOKS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// One try came to nothing: for now, or because the job does not go on.
enum Try {
    Again(Trouble),
    Halt(Halt),
}

impl From<Trouble> for Try {
    fn from(error: Trouble) -> Self {
        Self::Again(error)
    }
}

impl From<Halt> for Try {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl CleverDocker {
    /// The application of the machine's name: the one that a lost answer or an earlier process
    /// left, else a new one.
    pub(super) fn find_or_create(
        &self,
        machine: &mut Machine,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Halt> {
        let until = Instant::now() + PATIENCE;
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(20));
        let mut refreshed = false;
        loop {
            let error = match self.find_else_create(machine, payload, patience) {
                Ok(()) => return Ok(()),
                Err(Try::Halt(halt)) => return Err(halt),
                Err(Try::Again(error)) => error,
            };
            if error.may_have_been_done() {
                machine.may_be_unseen();
            }
            if error.is_bad_request() && !refreshed {
                // The machine type's version has changed (id 9017): what we know of it is stale.
                self.catalogue.forget();
                refreshed = true;
                continue;
            }
            let (name, api) = (&machine.name, &self.settings.api_url);
            let what = format!("creating application {name} at {api}");
            if !error.may_pass() || Instant::now() >= until {
                let (kind, machine_type) = (self.auth_kind(machine), &self.settings.machine_type);
                return Err(words::not_created(&what, &error, kind, machine_type).into());
            }
            let pause = backoff.pause();
            let pause = error.retry_after().map_or(pause, |asked| asked.max(pause));
            log::warn!("{what}: {error}; trying again in {pause:.0?}");
            patience.wait(pause)?;
        }
    }

    fn find_else_create(
        &self,
        machine: &mut Machine,
        payload: &Payload,
        patience: &dyn Patience,
    ) -> Result<(), Try> {
        // Refused may mean that the flavor went; then this says so, with what is on offer now.
        let flavor = self.flavor_of(payload, machine)?;
        let found = match machine.maybe_unseen_since {
            Some(_) => self.search(machine, patience)?,
            None => None,
        };
        let (organization, application) = match found {
            Some((organization, found)) => (organization, self.take_over(machine, payload, found)?),
            None => self.create(machine, payload, &flavor)?,
        };
        let tenant = machine.tenant.as_deref();
        let remembered = Remembered::created(
            application.id,
            organization,
            tenant.filter(|_| self.tenants.are_many()),
            flavor.weight.as_f64(),
            application.push_url,
        );
        machine.created(remembered.write(), Some(flavor.name));
        Ok(())
    }

    /// Looks for an application that may have been created, long enough for a list that lags, and
    /// says who owns it.
    fn search(
        &self,
        machine: &Machine,
        patience: &dyn Patience,
    ) -> Result<Option<(String, Application)>, Try> {
        for pause in LOOKS {
            patience.wait(pause)?;
            let found = self
                .tenants
                .with_last_account(machine.tenant.as_deref(), |account| {
                    let oldest = self.own_of(account, machine)?.into_iter().next();
                    Ok(oldest.map(|oldest| (account.organization.clone(), oldest)))
                })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Goes on with an application whose creation was not seen finished. The Python runner sends the
    /// environment after the creation, so it may lack one.
    fn take_over(
        &self,
        machine: &Machine,
        payload: &Payload,
        found: Application,
    ) -> Result<Application, Trouble> {
        let (name, id) = (&machine.name, &found.id);
        let environment = self.environment_for(payload);
        log::info!("going on with application {name} ({id}), which exists already");
        self.tenants
            .with_last_account(machine.tenant.as_deref(), |account| {
                let set = self.api.set_environment(account, id, &environment);
                set.map_err(Trouble::Api)
            })?;
        Ok(found)
    }

    /// A new application, and the organization that owns it.
    fn create(
        &self,
        machine: &Machine,
        payload: &Payload,
        flavor: &Flavor,
    ) -> Result<(String, Application), Trouble> {
        let tenant = machine.tenant.as_deref();
        self.tenants.with_account(tenant, |account| {
            if let Some(why) = lock(&self.undeletable).get(&account.organization) {
                return Err(Trouble::Final(words::undeletable(
                    &account.organization,
                    why,
                )));
            }
            let instance = self.catalogue.instance();
            let instance = instance.map_err(Trouble::Unprepared)?;
            let wanted = Wanted {
                name: machine.name.as_str(),
                zone: &self.settings.zone,
                instance_version: &instance.version,
                instance_variant: &instance.variant,
                flavor: &format!("{}{}", self.settings.flavor_prefix, flavor.name),
                environment: &self.environment_for(payload),
            };
            let created = self.api.create(account, &wanted)?;
            Ok((account.organization.clone(), created))
        })
    }
}
