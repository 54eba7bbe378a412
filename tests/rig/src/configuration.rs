//! What stands in the program's configuration. It may not know why.

use std::fmt::Write;

use crate::world::World;

/// Of a machine for which the job says nothing.
pub const DEFAULT_FLAVOR: &str = "M";

/// Lines for a service and for a runner that are ten times quicker than in life, as the world is.
pub const QUICK_SERVICE: &str = "\
check_interval = 0.3
job_progress_poll_interval = 0.3
paas_repoll_same_runner_immediately = true
";
pub const QUICK_RUNNER: &str = "\
  cc_deployment_repo_wait_step = 0.02
  paas_job_trace_watch = { poll_step = 0.2 }
";

pub struct Configuration {
    /// Lines for the whole service.
    pub service: String,
    /// So many machines of this size at once.
    pub quota: (usize, &'static str),
    pub runners: Vec<Section>,
}

/// One runner.
pub struct Section {
    pub name: String,
    pub token: String,
    /// Its own lines: who pays, for instance.
    pub lines: String,
}

impl Configuration {
    /// One runner in a hurry, with room for so many of the heaviest jobs; `account` are the lines that say
    /// who pays.
    #[must_use]
    pub fn quick(room: usize, account: &str) -> Self {
        let limits = format!("concurrent = {room}\npaas_max_concurrent_provisioning = {room}\n");
        Self {
            service: format!("{QUICK_SERVICE}{limits}"),
            quota: (room, "3XL"),
            runners: vec![Section::new(&format!("{QUICK_RUNNER}{account}"))],
        }
    }

    /// As the program reads it.
    #[must_use]
    pub fn render(&self, world: &World) -> String {
        let state = world.folder().join("state.json");
        let (count, flavor) = self.quota;
        let reference = self.runners.first().map_or("", |runner| &runner.name);
        let mut text = format!(
            r#"state_file = "{}"
{}
[quota_computation]
  reference_runner = "{reference}"
  reference_flavor = "{flavor}"
  reference_jobs_count = {count}
"#,
            state.display(),
            self.service,
        );
        for runner in &self.runners {
            // A text takes whatever is written to it.
            let _ = write!(text, "{}", runner.render(world));
        }
        text
    }
}

impl Section {
    /// The runner that every world has.
    #[must_use]
    pub fn new(lines: &str) -> Self {
        Self {
            name: "demo".to_owned(),
            token: crate::world::RUNNER_TOKEN.to_owned(),
            lines: lines.to_owned(),
        }
    }

    fn render(&self, world: &World) -> String {
        let Self { name, token, lines } = self;
        format!(
            r#"
[[runners]]
  name = "{name}"
  url = "{coordinator}"
  token = "{token}"
  executor = "clever-docker"
  cc_api_url = "{clever}"
  cc_default_flavor = "{DEFAULT_FLAVOR}"
{lines}

  [runners.cc_extra_env]
    CC_ENABLE_HEPTAPOD_RUNNER = "true"

  [runners.docker]
    image = "debian:stable-slim"
"#,
            coordinator = world.coordinator.url(),
            clever = world.clever.api_url(),
        )
    }
}
