//! A runner at work: its settings together with the coordinator and the executor that they name.

use crate::config::{ExecutorSettings, RunnerSettings, TraceWatch};
use crate::coordinator::{Coordinator, RunnerIdentity};
use crate::deploy::InnerRunner;
use crate::deploy::git::Workshop;
use crate::executor::Executor;
use crate::executor::clever::CleverDocker;
use crate::executor::local_docker::LocalDocker;
use crate::http::Http;
use crate::names::RunnerName;
use crate::shutdown::Stop;
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

/// What all runners of this process share.
pub struct Installation {
    pub http: Http,
    pub stop: Stop,
    pub workshop: Workshop,
    /// How coordinators tell it from others with the same token.
    pub system_id: String,
    /// How we tell our machines from those of others.
    pub mark: String,
}

impl Runner {
    #[must_use]
    pub fn new(index: usize, settings: RunnerSettings, installation: &Installation) -> Self {
        let Installation {
            http,
            stop,
            workshop,
            system_id,
            mark,
        } = installation;
        // The coordinator may have authorities of its own; Clever Cloud hasn't.
        let own = settings.authorities.as_deref();
        let coordinator_http = own.map_or_else(
            || http.for_another_service(),
            |pem| Http::new(trust::roots(Some(pem)), stop.clone()),
        );
        let coordinator = Coordinator::new(coordinator_http, &settings.url);
        let inner = InnerRunner {
            image: settings.main_image,
            configuration: settings.inner_configuration,
            authorities: settings.authorities,
        };
        let executor: Box<dyn Executor> = match settings.executor {
            ExecutorSettings::CleverDocker(clever) => Box::new(CleverDocker::new(
                clever,
                http.for_another_service(),
                coordinator.clone(),
                workshop.clone(),
                inner,
                mark.clone(),
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
                system_id: system_id.clone(),
            },
            name: settings.name,
            coordinator,
            executor,
            trace_watch: settings.trace_watch,
            max_fraction: settings.quota_max_fraction,
        }
    }
}
