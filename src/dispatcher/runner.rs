//! A runner at work: its settings together with the coordinator and the executor that they name.

use std::fs;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::config::{ExecutorSettings, RunnerName, RunnerSettings, TraceWatch};
use crate::coordinator::{Coordinator, RunnerIdentity};
use crate::deploy::InnerRunner;
use crate::deploy::git::Workshop;
use crate::executor::Executor;
use crate::executor::clever::CleverDocker;
use crate::executor::local_docker::LocalDocker;
use crate::http::Http;
use crate::trust;

pub struct Runner {
    /// Its place in the configuration.
    pub index: usize,
    pub name: String,
    pub unique_name: RunnerName,
    pub identity: RunnerIdentity,
    pub coordinator: Coordinator,
    pub executor: Box<dyn Executor>,
    pub trace_watch: TraceWatch,
    pub max_fraction: f64,
}

impl Runner {
    #[must_use]
    pub fn new(index: usize, settings: RunnerSettings, http: &Http, workshop: &Workshop) -> Self {
        // The coordinator may have authorities of its own; Clever Cloud hasn't.
        let own = settings.authorities.as_deref();
        let coordinator_http =
            own.map_or_else(|| http.clone(), |pem| Http::new(trust::roots(Some(pem))));
        let coordinator = Coordinator::new(coordinator_http, &settings.url);
        let inner = InnerRunner {
            image: settings.main_image,
            configuration: settings.inner_configuration,
            authorities: settings.authorities,
        };
        let executor: Box<dyn Executor> = match settings.executor {
            ExecutorSettings::CleverDocker(clever) => Box::new(CleverDocker::new(
                clever,
                http.clone(),
                coordinator.clone(),
                workshop.clone(),
                inner,
            )),
            ExecutorSettings::LocalDocker(local) => {
                Box::new(LocalDocker::new(local, workshop.clone(), inner))
            }
        };
        Self {
            index,
            unique_name: settings.unique_name,
            identity: RunnerIdentity {
                token: settings.token,
                system_id: system_id(),
            },
            name: settings.name,
            coordinator,
            executor,
            trace_watch: settings.trace_watch,
            max_fraction: settings.quota_max_fraction,
        }
    }
}

/// Tells this installation from others that use the same token, in the way of gitlab-runner: `s_`
/// and the beginning of a hash of the machine's id, or `r_` and chance. GitLab page, 1.3.
fn system_id() -> String {
    let machine_id = ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .map(|id| id.trim().to_owned())
        .filter(|id| !id.is_empty());
    let (prefix, bytes) = if let Some(id) = machine_id {
        let key = hmac::Key::new(hmac::HMAC_SHA256, id.as_bytes());
        ("s_", hmac::sign(&key, b"gitlab-runner").as_ref().to_vec())
    } else {
        let mut bytes = vec![0; 6];
        // Without chance all such installations look like one, which only blurs a statistic.
        let _ = SystemRandom::new().fill(&mut bytes);
        ("r_", bytes)
    };
    bytes
        .iter()
        .take(6)
        .fold(prefix.to_owned(), |id, byte| id + &format!("{byte:02x}"))
}
