//! A world for jobs in real containers: a coordinator, a Docker engine, and an inner runner's image
//! that is made here, since nothing may be pulled.
//!
//! A container has a network of its own. A door on the engine's side of that network leads to the
//! coordinator, which listens on this computer's loopback only.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sandbox::{Coordinator, CoordinatorSettings, JobId, JobSpec, JobView, Journal, RunnerSpec};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::service::Service;
use crate::town::PATIENCE;

pub struct Yard {
    pub coordinator: Coordinator,
    pub journal: Journal,
    pub folder: TempDir,
    pub host: String,
    /// What the runner's section says of the inner runner's image.
    pub image: String,
    token: String,
    url: String,
    /// In seconds; the engine's events count from here.
    opened: f64,
}

impl Yard {
    /// Nothing where there is no engine to try with; then it says so, where everybody sees it.
    pub fn open() -> Option<Self> {
        let said = std::env::var("DOCKER_HOST")
            .ok()
            .filter(|host| !host.is_empty());
        let host = said.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
        let opened = Self::try_open(&host);
        let skip = |why: String| {
            // Not `eprintln!`: what that prints of a test that passes is never seen.
            let _ = writeln!(io::stderr(), "skipped: no Docker engine at {host}: {why}");
        };
        opened.map_err(skip).ok()
    }

    fn try_open(host: &str) -> Result<Self, String> {
        docker(host, &["version"])?;
        let program = inner_runner()?;
        let gateway = gateway(host)?;
        let mut yard = Self::without_engine(host);
        let listener = TcpListener::bind((gateway, 0))
            .map_err(|error| format!("its network's gateway is not here: {error}"))?;
        yard.url = format!("http://{}", listener.local_addr().unwrap());
        let coordinator = yard.coordinator.url().replace("http://", "");
        let coordinator: SocketAddr = coordinator.parse().unwrap();
        thread::spawn(move || open_door(&listener, coordinator));
        yard.image = format!("sandbox-inner-runner:{}", yard.token.to_lowercase());
        let context = yard.folder.path().join("inner-runner");
        fs::create_dir(&context).unwrap();
        fs::copy(program, context.join("gitlab-runner")).unwrap();
        let dockerfile = "FROM scratch\nCOPY gitlab-runner /usr/bin/gitlab-runner\n";
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        let context = context.display().to_string();
        docker(host, &["build", "--quiet", "--tag", &yard.image, &context])?;
        Ok(yard)
    }

    /// For what must be true where no engine is.
    pub fn without_engine(host: &str) -> Self {
        let journal = Journal::new();
        let settings = CoordinatorSettings::new("heptapod", journal.clone());
        let coordinator = Coordinator::start(settings).unwrap();
        // Names at an engine come from here, and tests run side by side.
        let chance = RandomState::new().build_hasher().finish();
        let token = format!("Yard{chance:016X}");
        coordinator.add_runner(RunnerSpec::new(token.as_str()));
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self {
            url: coordinator.url(),
            coordinator,
            journal,
            folder: tempfile::tempdir().unwrap(),
            host: host.to_owned(),
            image: "none".to_owned(),
            token,
            opened: since.as_secs_f64(),
        }
    }

    pub fn start(&self) -> Service {
        self.start_with(&[])
    }

    /// With more variables in its environment.
    pub fn start_with(&self, environment: &[(String, String)]) -> Service {
        let path = self.folder.path().join("paas-runner.toml");
        let configuration = format!(
            r#"state_file = "{state}"
check_interval = 0.1
job_progress_poll_interval = 0.2
paas_log_statistics = false
[quota_computation]
reference_runner = "ci"
reference_flavor = "M"
reference_jobs_count = 2
[[runners]]
name = "ci"
url = "{url}"
token = "{token}"
executor = "local-docker"
host = "{host}"
cc_token = "of no use here"
heptapod_runner_main_image = "{image}"
[runners.paas_job_trace_watch]
poll_step = 0.1
[runners.docker]
image = "debian:stable-slim"
"#,
            state = self.state_path().display(),
            url = self.url,
            token = self.token,
            host = self.host,
            image = self.image,
        );
        fs::write(&path, configuration).unwrap();
        Service::start(&[path.display().to_string()], environment)
    }

    pub fn submit(&self, script: &str) -> JobId {
        self.coordinator.submit(JobSpec::new("job", [script]))
    }

    pub fn await_end(&self, job: JobId, service: &Service) -> JobView {
        self.coordinator
            .wait_for_status(job, PATIENCE, sandbox::JobStatus::is_over)
            .unwrap_or_else(|| panic!("job {job} does not end: {}", service.whole_log()))
    }

    pub fn requests(&self) -> usize {
        self.coordinator.job_requests(&self.token).len()
    }

    pub fn state_path(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    pub fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.state_path()).unwrap()).unwrap()
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
        let until = Instant::now() + PATIENCE;
        while !self.is_settled() {
            assert!(Instant::now() < until, "not settled: {}", self.state());
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!((self.container(job), self.images(job)), (None, Vec::new()));
    }

    fn is_settled(&self) -> bool {
        let state = self.state();
        let lists = ["launched", "pending", "to_decommission"];
        lists.iter().all(|list| state[list] == json!([]))
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
        docker(&self.host, arguments).unwrap()
    }
}

impl Drop for Yard {
    /// A test that fails leaves nothing behind, either.
    fn drop(&mut self) {
        if self.image == "none" {
            return;
        }
        for job in self.coordinator.jobs() {
            while let Some((container, _)) = self.container(job.id) {
                let _ = docker(&self.host, &["rm", "--force", &container]);
            }
            for image in self.images(job.id) {
                let _ = docker(&self.host, &["rmi", "--force", &image]);
            }
        }
        let _ = docker(&self.host, &["rmi", "--force", &self.image]);
    }
}

/// What it printed, or why it did not work.
fn docker(host: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker")
        .args(["--host", host])
        .args(arguments)
        .env("DOCKER_BUILDKIT", "0")
        .output()
        .map_err(|error| format!("docker can't be started: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("docker {arguments:?}: {said}"))
}

/// The engine's address in the network of its containers: the first of the network, unless it is
/// said to be another.
fn gateway(host: &str) -> Result<Ipv4Addr, String> {
    let format = "--format={{range .IPAM.Config}}{{or .Gateway .Subnet}} {{end}}";
    let said = docker(host, &["network", "inspect", "bridge", format])?;
    let first = said.split_whitespace().next().unwrap_or_default();
    let (address, is_network) = match first.split_once('/') {
        Some((address, _)) => (address, true),
        None => (first, false),
    };
    let address: Ipv4Addr = address
        .parse()
        .map_err(|error| format!("its network is {said:?}: {error}"))?;
    Ok(Ipv4Addr::from_bits(
        address.to_bits() + u32::from(is_network),
    ))
}

/// The stand-in, compiled once. Linked statically, since an image from scratch has no libraries.
fn inner_runner() -> Result<&'static Path, String> {
    static COMPILED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gitlab-runner");
        let source = "tests/promises/local_docker/inner_runner.rs";
        let output = Command::new("rustc")
            .args(["--edition=2024", "-Ctarget-feature=+crt-static"])
            .args(["-Cstrip=symbols", "-o"])
            .args([
                &program,
                &Path::new(env!("CARGO_MANIFEST_DIR")).join(source),
            ])
            .output()
            .map_err(|error| format!("rustc can't be started: {error}"))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(program).ok_or(said)
    });
    let compiled = compiled.as_ref().map(PathBuf::as_path);
    compiled.map_err(|why| format!("no static inner runner can be made: {why}"))
}

/// Passes on every connection, until the test's process ends.
fn open_door(listener: &TcpListener, target: SocketAddr) {
    for stream in listener.incoming().map_while(Result::ok) {
        // A coordinator that is gone already: the connection closes.
        let Ok(inside) = TcpStream::connect(target) else {
            continue;
        };
        let ends = (stream.try_clone().unwrap(), inside.try_clone().unwrap());
        thread::spawn(move || pass_on(stream, inside));
        thread::spawn(move || pass_on(ends.1, ends.0));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
