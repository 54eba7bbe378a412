//! A scene whose jobs run in real containers: a Docker engine beside the usual coordinator, and an
//! inner runner's image that is made here, since nothing may be pulled.
//!
//! A container has a network of its own. A door on the engine's side of that network leads to the
//! coordinator, which listens on this computer's loopback only.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use sandbox::{JobId, JobSpec, RunnerSpec};

use super::engine;
use crate::scene::{RUNNER_TOKEN, Scene};
use crate::service::Service;

pub struct DockerScene {
    pub scene: Scene,
    pub host: String,
    /// What the runner's section says of the inner runner's image.
    pub image: String,
    pub token: String,
    /// Where the coordinator is, as seen from a container.
    url: String,
    /// In seconds; the engine's events count from here.
    opened: f64,
}

impl DockerScene {
    /// Nothing where there is no engine to try with. Which it is, is said where everybody sees it.
    pub fn open() -> Option<Self> {
        let said = std::env::var("DOCKER_HOST")
            .ok()
            .filter(|host| !host.is_empty());
        let host = said.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
        let opened = Self::try_open(&host);
        // Not `eprintln!`: what that prints of a test that passes is never seen.
        let _ = match &opened {
            Ok(_) => writeln!(io::stderr(), "using the Docker engine at {host}"),
            Err(why) => writeln!(io::stderr(), "skipped: no Docker engine at {host}: {why}"),
        };
        opened.ok()
    }

    fn try_open(host: &str) -> Result<Self, String> {
        engine::docker(host, &["version"])?;
        let program = engine::inner_runner()?;
        let gateway = engine::gateway(host)?;
        let mut opened = Self::without_engine(host);
        let listener = TcpListener::bind((gateway, 0))
            .map_err(|error| format!("its network's gateway is not here: {error}"))?;
        opened.url = format!("http://{}", listener.local_addr().unwrap());
        let coordinator = opened.scene.coordinator.url().replace("http://", "");
        let coordinator: SocketAddr = coordinator.parse().unwrap();
        thread::spawn(move || engine::open_door(&listener, coordinator));
        opened.image = format!("sandbox-inner-runner:{}", opened.token.to_lowercase());
        let context = opened.scene.folder.path().join("inner-runner");
        fs::create_dir(&context).unwrap();
        fs::copy(program, context.join("gitlab-runner")).unwrap();
        let dockerfile = "FROM scratch\nCOPY gitlab-runner /usr/bin/gitlab-runner\n";
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        let context = context.display().to_string();
        let build = ["build", "--quiet", "--tag", &opened.image, &context];
        engine::docker(host, &build)?;
        Ok(opened)
    }

    /// For what must be true where no engine is.
    pub fn without_engine(host: &str) -> Self {
        let scene = Scene::new();
        // Names at an engine come from here, and tests run side by side.
        let chance = RandomState::new().build_hasher().finish();
        let token = format!("Scen{chance:016X}");
        scene
            .coordinator
            .add_runner(RunnerSpec::new(token.as_str()));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self {
            url: scene.coordinator.url(),
            scene,
            host: host.to_owned(),
            image: "none".to_owned(),
            token,
            opened: since.as_secs_f64(),
        }
    }

    pub fn start(&self) -> Service {
        let executor = format!(
            "executor = \"local-docker\"\nhost = \"{}\"\nheptapod_runner_main_image = \"{}\"",
            self.host, self.image
        );
        let (usual, door) = (self.scene.coordinator.url(), self.url.as_str());
        let quota = "reference_flavor = \"M\"\nreference_jobs_count = 2";
        self.scene.start_changed(&[
            (&format!("\"{usual}\""), &format!("\"{door}\"")),
            (RUNNER_TOKEN, &self.token),
            ("executor = \"clever-docker\"", &executor),
            (
                "reference_flavor = \"3XL\"\nreference_jobs_count = 8",
                quota,
            ),
            // An engine that builds an image takes the time that it takes.
            ("timeout_seconds = 30\n", ""),
        ])
    }

    pub fn submit(&self, script: &str) -> JobId {
        let spec = JobSpec::new("job", [script]);
        self.scene.coordinator.submit(spec)
    }

    /// What the job's image is called, and how the names of its containers begin.
    pub fn name(&self, job: JobId) -> String {
        format!("hpd-job-{}-{job}", self.token[..8].to_lowercase())
    }

    /// How the engine finds what belongs to the job.
    fn label(&self, job: JobId) -> String {
        format!("--filter=label=heptapod-paas-runner.job={}", self.name(job))
    }

    /// The id and the state of a container of the job.
    pub fn container(&self, job: JobId) -> Option<(String, String)> {
        let label = self.label(job);
        let found = self.docker(&["ps", "--all", &label, "--format={{.ID}} {{.State}}"]);
        let (id, state) = found.trim().split_once(' ')?;
        Some((id.to_owned(), state.to_owned()))
    }

    /// The job's image, and what builds that were cut short left of it.
    fn images(&self, job: JobId) -> Vec<String> {
        let found = self.docker(&["images", "--all", "--quiet", &self.label(job)]);
        found.lines().map(str::to_owned).collect()
    }

    /// Waits until the program has settled all of its jobs. Then nothing may be left of this one.
    pub fn await_nothing_left(&self, job: JobId) {
        self.scene.await_nothing_tracked("not settled");
        assert_eq!((self.container(job), self.images(job)), (None, Vec::new()));
    }

    /// How often a container of the job was started, by the engine's own account.
    pub fn starts(&self, job: JobId) -> usize {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let events = self.docker(&[
            "events",
            &format!("--since={:.3}", self.opened),
            &format!("--until={:.3}", now.as_secs_f64()),
            "--filter=event=start",
            &self.label(job),
        ]);
        events.lines().count()
    }

    fn docker(&self, arguments: &[&str]) -> String {
        engine::docker(&self.host, arguments).unwrap()
    }
}

impl Drop for DockerScene {
    /// A test that fails leaves nothing behind, either.
    fn drop(&mut self) {
        if self.image == "none" {
            return;
        }
        for job in self.scene.coordinator.jobs() {
            while let Some((container, _)) = self.container(job.id) {
                let _ = engine::docker(&self.host, &["rm", "--force", &container]);
            }
            for image in self.images(job.id) {
                let _ = engine::docker(&self.host, &["rmi", "--force", &image]);
            }
        }
        let _ = engine::docker(&self.host, &["rmi", "--force", &self.image]);
    }
}
