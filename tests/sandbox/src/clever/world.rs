//! The one place where Clever Cloud's memory changes: applications come, are pushed to, and go.
//!
//! It knows nothing of HTTP. Whatever is written to the journal is written while the memory is not
//! locked, because a test's condition on this world is evaluated at each new entry.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use std::{fs, io};

use serde_json::Value;

use super::ends::TokenEnd;
use super::model::{AppState, Application, Organization, RepositoryState, Shown, Spec};
use super::person::ApiToken;
use super::settings::{CleverSettings, Latencies, Quirks};
use crate::ids::uuid;
use crate::journal::{AppPhase, Journal, Kind, Source};
use crate::machine::MachineBehaviour;
use crate::stop::{Stop, StopOwner, Stopped};
use crate::times::now_ms;

pub(crate) struct World {
    pub journal: Journal,
    pub latencies: Latencies,
    application_prefix: &'static str,
    /// Of everything that is not a machine: errands, and requests that take their time.
    pub stop: Stop,
    pub folder: PathBuf,
    /// Where the git remote listens.
    pub git_url: OnceLock<String>,
    /// Where it listens over ssh, if it does.
    pub ssh_url: Mutex<Option<String>>,
    /// Of credentials.
    pub(super) ends: Mutex<Vec<TokenEnd>>,
    state: Mutex<State>,
    errands: Mutex<Vec<JoinHandle<()>>>,
}

pub(super) struct State {
    pub organizations: Vec<Organization>,
    pub applications: Vec<Application>,
    pub flavors: Vec<Value>,
    pub instance_version: String,
    pub quirks: Quirks,
    pub behaviour: MachineBehaviour,
    /// Behaviour of the machines of applications whose name ends so.
    pub behaviours: Vec<(String, MachineBehaviour)>,
    pub creations_under_way: usize,
    /// Those that somebody asked the bridge about.
    pub api_tokens: Vec<ApiToken>,
    /// Dropped when this world ends; then nothing new begins.
    pub owner: Option<StopOwner>,
}

impl State {
    pub fn application(&mut self, id: &str) -> Option<&mut Application> {
        self.applications
            .iter_mut()
            .find(|application| application.id == id && application.state != AppState::Gone)
    }

    pub fn organization(&self, id: &str) -> Option<&Organization> {
        self.organizations
            .iter()
            .find(|organization| organization.id == id)
    }
}

impl World {
    pub fn new(settings: CleverSettings, folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(folder.join("repositories"))?;
        fs::create_dir_all(folder.join("machines"))?;
        let owner = StopOwner::new();
        Ok(Self {
            journal: settings.journal,
            latencies: settings.latencies,
            application_prefix: settings.application_prefix,
            stop: owner.stop(),
            folder,
            git_url: OnceLock::new(),
            ssh_url: Mutex::default(),
            ends: Mutex::default(),
            state: Mutex::new(State {
                organizations: Vec::new(),
                applications: Vec::new(),
                flavors: settings.flavors,
                instance_version: settings.instance_version,
                quirks: Quirks::default(),
                behaviour: MachineBehaviour::default(),
                behaviours: Vec::new(),
                creations_under_way: 0,
                api_tokens: Vec::new(),
                owner: Some(owner),
            }),
            errands: Mutex::new(Vec::new()),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn errands(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.errands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn complain(&self, source: Source, what: impl Into<String>) {
        self.journal.complain(source, what);
    }

    pub(super) fn phase(&self, source: Source, name: &str, phase: AppPhase) {
        let what = format!("application {name}: {phase:?}");
        let kind = Kind::Application {
            name: name.to_owned(),
            state: phase,
        };
        self.journal.record(source, kind, what);
    }

    /// Runs `errand` on a thread of its own, which ends with this world at the latest.
    pub(super) fn send(
        self: &Arc<Self>,
        name: &str,
        errand: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) {
        let world = Arc::clone(self);
        let errand = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || errand(&world))
            .expect("cannot start a thread");
        let mut errands = self.errands();
        errands.retain(|errand| !errand.is_finished());
        errands.push(errand);
    }

    /// Ends everything that runs or waits in this world.
    pub fn stop_all(&self) {
        let mut state = self.state();
        state.owner = None;
        for application in &mut state.applications {
            application.machines.clear();
        }
    }

    /// Waits until all that [`stop_all`](Self::stop_all) ended has ended.
    pub fn join(&self) {
        loop {
            let errands = std::mem::take(&mut *self.errands());
            if errands.is_empty() {
                return;
            }
            for errand in errands {
                // A panic has been printed by the thread itself.
                let _ = errand.join();
            }
        }
    }

    pub fn repository(&self, application: &str) -> PathBuf {
        self.folder
            .join("repositories")
            .join(format!("{application}.git"))
    }

    /// What was pushed. Nobody packs what lives for a minute: it is in a file of its own.
    pub fn master(&self, application: &str) -> Option<String> {
        let path = self.repository(application).join("refs/heads/master");
        let commit = fs::read_to_string(path).ok()?;
        Some(commit.trim().to_owned())
    }

    /// Nothing has ever been pushed: git makes folders for kinds of names with the first name of each.
    pub fn is_empty(&self, application: &str) -> bool {
        let refs = self.repository(application).join("refs");
        fs::read_dir(refs).is_ok_and(|mut kinds| kinds.next().is_none())
    }

    /// Creates an application and, a little later, its repository. Returns its id.
    /// `asked` is when the request arrived: it may have been held back since.
    pub(super) fn create(
        self: &Arc<Self>,
        organization: &str,
        spec: Spec,
        asked: Instant,
    ) -> Result<String, Stopped> {
        self.stop.wait(self.latencies.create)?;
        let id = format!("{}{}", self.application_prefix, uuid());
        let name = spec.name.clone();
        let doubled = {
            let mut state = self.state();
            let doubled = state.applications.iter().any(|other| {
                other.organization == organization
                    && other.spec.name == name
                    && other.is_alive()
                    && other.created < asked
                    // A client that looked for the name and was told nothing did all it could.
                    && other.shown != Shown::Hidden
            });
            state
                .applications
                .push(new_application(&id, organization, spec));
            doubled
        };
        if doubled {
            let what = format!(
                "application {name} was created again, while the first one lives and no list hid it"
            );
            self.complain(Source::Clever, what);
        }
        self.phase(Source::Clever, &name, AppPhase::Created);
        let application = id.clone();
        self.send("repository", move |world| {
            if world.stop.wait(world.latencies.repository).is_ok() {
                world.create_repository(&application);
            }
        });
        Ok(id)
    }

    fn create_repository(&self, id: &str) {
        if self.state().quirks.repository_never_ready {
            return;
        }
        if let Err(error) = init(&self.repository(id)) {
            panic!("cannot create a repository: {error}");
        }
        let name = {
            let mut state = self.state();
            let Some(application) = state.application(id).filter(|it| it.is_alive()) else {
                drop(state);
                let _ = fs::remove_dir_all(self.repository(id));
                return;
            };
            application.repository = RepositoryState::Created;
            application.spec.name.clone()
        };
        self.phase(Source::Clever, &name, AppPhase::Prepared);
    }

    /// Marks an application for deletion and stops its machine. It is not found any more after
    /// the usual time, once the machine is gone. `None` when it was not there in the first place.
    pub(super) fn delete(self: &Arc<Self>, id: &str) -> Option<Deletion> {
        let (name, over) = {
            let mut state = self.state();
            let spares_machine = state.quirks.deletion_spares_machine;
            let application = state.application(id)?;
            if !application.is_alive() {
                return Some(Deletion::Repeated);
            }
            application.state = AppState::ToDelete;
            application.repository = RepositoryState::Deleted;
            let machines = if spares_machine {
                Vec::new()
            } else {
                application.queue.clear();
                std::mem::take(&mut application.machines)
            };
            let over: Vec<_> = machines.into_iter().map(|machine| machine.over).collect();
            (application.spec.name.clone(), over)
        };
        self.phase(Source::Clever, &name, AppPhase::Deleted);
        let id = id.to_owned();
        self.send("deletion", move |world| {
            if world.stop.wait(world.latencies.deletion).is_ok() {
                for over in over {
                    let _ = over.recv();
                }
                if let Some(application) = world.state().application(&id) {
                    application.state = AppState::Gone;
                }
                let _ = fs::remove_dir_all(world.repository(&id));
                world.phase(Source::Clever, &name, AppPhase::Gone);
            }
        });
        Some(Deletion::Done)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deletion {
    Done,
    /// It was on its way out already.
    Repeated,
}

fn new_application(id: &str, organization: &str, spec: Spec) -> Application {
    Application {
        id: id.to_owned(),
        organization: organization.to_owned(),
        spec,
        state: AppState::ShouldBeDown,
        repository: RepositoryState::Creating,
        created: Instant::now(),
        created_ms: now_ms(),
        commit: None,
        deployments: Vec::new(),
        instances: Vec::new(),
        queue: VecDeque::new(),
        machines: Vec::new(),
        shown: Shown::NoListYet,
        pushing: Arc::new(Mutex::new(())),
        files: BTreeMap::new(),
        log: Vec::new(),
    }
}

/// Refuses all branches but `master`, in the words of the real hook. Clever page, 4.2.
const UPDATE: &str = r#"#!/bin/sh
case "$1" in
refs/heads/master)
    if test "$SANDBOX_HOOK" = refuses; then
        echo "Error: the application cannot be deployed now." >&2
        exit 1
    fi ;;
refs/tags/*) ;;
*)
    echo "Error: You tried to push to a custom branch. This is not allowed." >&2
    exit 1 ;;
esac
"#;

const POST_RECEIVE: &str = r#"#!/bin/sh
is_deployed=
while read -r before after name; do
    test "$name" != refs/heads/master || is_deployed=yes
done
test -n "$is_deployed" || exit 0
message="The application has successfully been queued for redeploy."
case "$SANDBOX_HOOK" in
silent) ;;
json) echo "{\"id\":320,\"message\":\"$message\",\"type\":\"success\"}" ;;
*) echo "[SUCCESS] $message" ;;
esac
"#;

/// Nothing in a repository that lives for a minute is worth tidying up.
const CONFIG: &str = "\
[core]
\trepositoryformatversion = 0
\tbare = true
[receive]
\tautogc = false
";

/// What git needs of an empty repository (gitrepository-layout(5)), without a process for each.
fn init(repository: &Path) -> io::Result<()> {
    for folder in ["objects", "refs", "hooks"] {
        fs::create_dir_all(repository.join(folder))?;
    }
    fs::write(repository.join("config"), CONFIG)?;
    write_hook(&repository.join("hooks/update"), UPDATE)?;
    write_hook(&repository.join("hooks/post-receive"), POST_RECEIVE)?;
    fs::write(repository.join("HEAD"), "ref: refs/heads/master\n")
}

fn write_hook(path: &Path, text: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}
