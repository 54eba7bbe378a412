//! A Clever Cloud: its API, its git remote, and the machines that come of a push.
//!
//! A [`Clever`] owns it all; dropping it stops the machines, closes the servers and waits until
//! everything has ended. Modules: [`api`] is the front door with `products`, `applications` and
//! `deployments` behind it; `wanted` reads requests and `render` writes answers; `world` is the
//! memory they share, `model` its contents, `hosting` what follows a push, `keys` what a credential
//! is, `door` who may push, `ssh` the other way to do it, `person` what somebody sees of themselves, `ends`
//! when a credential ends, `logs` what machines said. It may not know coordinators or jobs: those are the
//! machines' business.

mod api;
mod applications;
mod deployments;
mod door;
mod ends;
mod flavors;
mod hosting;
mod keys;
mod logs;
mod model;
mod person;
mod products;
mod render;
mod settings;
mod ssh;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_clients;
mod views;
mod wanted;
mod world;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use self::api::Api;
use self::keys::Door;
use self::model::Organization;
use crate::certificates::{Authority, HERE};
use crate::fault::Faults;
use crate::git;
use crate::git_remote::GitRemote;
use crate::http::{Server, Service};
use crate::journal::Journal;
use crate::machine::MachineBehaviour;

pub(crate) use self::door::{Admission, Visitor};
pub use self::ends::TokenEnd;
pub use self::flavors::usual_flavors;
pub(crate) use self::hosting::{Order, Outcome};
pub use self::keys::Key;
pub(crate) use self::model::InstanceState;
pub use self::settings::{CleverSettings, Hook, Latencies, Quirks, Role};
pub use self::ssh::SshRemote;
pub use self::views::{AppView, BillLine, DeploymentView, InstanceView};
pub(crate) use self::world::World;

pub struct Clever {
    world: Arc<World>,
    /// The API, the git remote and the bridge; `None` once they are closed.
    servers: Option<[Server; 3]>,
    faults: [Faults; 3],
    authority: Authority,
    _folder: Option<TempDir>,
}

const API: usize = 0;
const GIT: usize = 1;
const BRIDGE: usize = 2;

impl Clever {
    /// # Panics
    /// When there is no folder to work in, no port to listen on, or no `git http-backend`.
    #[must_use]
    pub fn start(settings: CleverSettings) -> Self {
        let backend = git::http_backend().unwrap_or_else(|why| panic!("no git remote: {why}"));
        let own = settings.work_dir.is_none().then(|| {
            let folder = tempfile::Builder::new().prefix("sandbox-clever-").tempdir();
            folder.expect("cannot create a temporary folder")
        });
        let folder = own.as_ref().map(|own| own.path().to_owned());
        let folder = settings.work_dir.clone().or(folder).unwrap_or_default();
        let git_over_https = settings.git_over_https;
        let world = World::new(settings, folder).expect("cannot prepare the work folder");
        let world = Arc::new(world);
        let faults = [Faults::new(), Faults::new(), Faults::new()];
        let authority = Authority::new();
        let serve = |service: Arc<dyn Service>, faults: &Faults| {
            Server::start(service, faults.clone(), world.journal.clone())
                .expect("cannot listen on loopback")
        };
        let serve_git = |service: Arc<dyn Service>| {
            if !git_over_https {
                return serve(service, &faults[GIT]);
            }
            let (faults, journal) = (faults[GIT].clone(), world.journal.clone());
            Server::start_with_tls(service, faults, journal, &authority.issue(|_| {}))
                .expect("cannot listen on loopback")
        };
        let api = |door| Api {
            world: Arc::clone(&world),
            door,
            arrivals: Mutex::default(),
        };
        let git = GitRemote {
            world: Arc::clone(&world),
            backend,
            of_empty: Mutex::default(),
        };
        let servers = [
            serve(Arc::new(api(Door::Api)), &faults[API]),
            serve_git(Arc::new(git)),
            serve(Arc::new(api(Door::Bridge)), &faults[BRIDGE]),
        ];
        let git_address = servers[GIT].address();
        let git_url = if git_over_https {
            format!("https://{HERE}:{}", git_address.port())
        } else {
            format!("http://{git_address}")
        };
        let _ = world.git_url.set(git_url);
        Self {
            world,
            servers: Some(servers),
            faults,
            authority,
            _folder: own,
        }
    }

    fn server(&self, which: usize) -> &Server {
        let servers = self.servers.as_ref();
        &servers.expect("the servers stay until the end")[which]
    }

    /// What a client calls `cc_api_url`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}/v2", self.server(API).address())
    }

    /// What a client calls `cc_bridge_url`: where API tokens are good.
    #[must_use]
    pub fn bridge_url(&self) -> String {
        format!("http://{}/v2", self.server(BRIDGE).address())
    }

    /// The beginning of every application's `httpUrl`.
    #[must_use]
    pub fn git_url(&self) -> String {
        self.world.git_url.get().cloned().unwrap_or_default()
    }

    /// Of the git remote's certificate, where it speaks https.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.world.journal
    }

    /// Of the API.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults[API]
    }

    #[must_use]
    pub const fn git_faults(&self) -> &Faults {
        &self.faults[GIT]
    }

    /// From now on the API refuses connections.
    pub fn suspend(&self) {
        self.server(API).suspend();
    }

    pub fn resume(&self) {
        self.server(API).resume();
    }

    /// From now on the git remote refuses connections.
    pub fn suspend_git(&self) {
        self.server(GIT).suspend();
    }

    pub fn resume_git(&self) {
        self.server(GIT).resume();
    }

    /// An organization with a token; called again for the same id, another token.
    pub fn add_organization(&self, id: &str, token: &str, role: Role) {
        self.add_key(id, Key::Token(token.to_owned()), role);
    }

    /// An organization with a key of any kind; called again for the same id, another key.
    pub fn add_key(&self, id: &str, key: Key, role: Role) {
        let mut state = self.world.state();
        let mut organizations = state.organizations.iter_mut();
        if let Some(organization) = organizations.find(|it| it.id == id) {
            organization.keys.push((key, role));
        } else {
            state.organizations.push(Organization {
                id: id.to_owned(),
                keys: vec![(key, role)],
            });
        }
    }

    /// From now on the key with this secret is refused.
    pub fn revoke_token(&self, token: &str) {
        for organization in &mut self.world.state().organizations {
            organization
                .keys
                .retain(|(own, _)| !own.secrets().contains(&token));
        }
    }

    /// A new version of the machine type replaces the current one. Returns it.
    pub fn rotate_instance_version(&self) -> String {
        let mut state = self.world.state();
        let version: u64 = state.instance_version.parse().unwrap_or(20_250_211);
        state.instance_version = (version + 1).to_string();
        state.instance_version.clone()
    }

    /// What `GET /products/flavors?context=heptapod-runner` answers from now on.
    pub fn set_flavors(&self, flavors: Vec<Value>) {
        self.world.state().flavors = flavors;
    }

    /// Departs from the usual: `clever.set_quirks(|quirks| quirks.hook = Hook::Refuses)`.
    pub fn set_quirks(&self, change: impl FnOnce(&mut Quirks)) {
        change(&mut self.world.state().quirks);
    }

    /// Of machines ordered from now on.
    pub fn set_machine_behaviour(&self, behaviour: MachineBehaviour) {
        self.world.state().behaviour = behaviour;
    }

    /// Of machines of applications whose name ends so (`-4711` for a job's).
    pub fn set_machine_behaviour_of(&self, name_end: &str, behaviour: MachineBehaviour) {
        let behaviour = (name_end.to_owned(), behaviour);
        self.world.state().behaviours.push(behaviour);
    }

    /// Puts an application there as if a client had created it: litter, a neighbour's, one left by
    /// a crash. Its repository follows as usual. Returns its id.
    ///
    /// # Panics
    /// When the body is none that the API would take, or this world has ended.
    #[must_use]
    pub fn plant_application(&self, organization: &str, body: &Value) -> String {
        let spec = wanted::new_application(body, &self.world.state());
        let (spec, _) = spec.unwrap_or_else(|refusal| panic!("refused: {refusal:?}"));
        let id = self.world.create(organization, spec, Instant::now());
        id.expect("this world has not ended")
    }

    /// Those that are not gone; deleted ones linger.
    #[must_use]
    pub fn applications(&self) -> Vec<AppView> {
        let mut all = self.ever_created();
        all.retain(|application| !application.is_gone);
        all
    }

    /// All that ever were, oldest first.
    #[must_use]
    pub fn ever_created(&self) -> Vec<AppView> {
        self.world.views()
    }

    /// The newest of this name, gone or not.
    #[must_use]
    pub fn application(&self, name: &str) -> Option<AppView> {
        let all = self.ever_created();
        all.into_iter()
            .rev()
            .find(|application| application.name == name)
    }

    /// VMs that somebody pays for now.
    #[must_use]
    pub fn running_machines(&self) -> usize {
        let bill = self.bill();
        bill.iter().filter(|line| line.is_running).count()
    }

    /// One line for each VM there ever was.
    #[must_use]
    pub fn bill(&self) -> Vec<BillLine> {
        self.world.bill()
    }
}

impl Drop for Clever {
    fn drop(&mut self) {
        self.world.stop_all();
        self.servers = None;
        self.world.join();
    }
}
