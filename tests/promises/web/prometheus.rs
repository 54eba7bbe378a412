//! What is printed for Prometheus and Grafana uses what is there, and calls somebody when it should.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use sandbox::{Fault, JobStatus, Rule};

use super::Site;
use crate::scene::{Scene, eventually};
use crate::service::program;

const PREFIX: &str = "heptapod_paas_runner_";

fn printed(what: &str) -> String {
    let told = Command::new(program())
        .args(["--print", what])
        .output()
        .unwrap();
    assert!(told.status.success());
    String::from_utf8(told.stdout).unwrap()
}

/// All of our metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    let ours = words.filter(|word| word.starts_with(PREFIX));
    ours.map(str::to_owned).collect()
}

#[test]
fn rules_and_the_dashboard_use_only_metrics_that_a_scrape_has() {
    let scene = Scene::listening();
    let site = scene.serve();
    let job = scene.submit("once", "true");
    assert_eq!(scene.await_end(job).status, JobStatus::Success);
    let done = "jobs_ended_total{runner=\"ci\",flavor=\"XS\",result=\"success\",reason=\"\"} 1";
    let scraped = site.await_metric(&format!("{PREFIX}{done}"));
    let there = named(&scraped);
    for what in ["alerts", "dashboard"] {
        let text = printed(what);
        let used = named(&text);
        assert!(used.len() > 5, "{used:?}");
        let missing: Vec<_> = used.difference(&there).collect();
        assert!(missing.is_empty(), "{what}: {missing:?}");
    }
    let dashboard: serde_json::Value = serde_json::from_str(&printed("dashboard")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(
        panels
            .iter()
            .all(|panel| panel["targets"][0]["expr"].is_string())
    );
    let manual = include_str!("../../../man/heptapod-paas-runner.1").replace("\\-", "-");
    for line in scraped
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
    {
        let name = line.split(' ').next().unwrap();
        assert!(manual.contains(name.trim_start_matches(PREFIX)), "{name}");
    }
}

struct Prometheus {
    child: Child,
    address: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Scrapes the service and judges by the rules that are printed, without their patience. None: there is no
    /// Prometheus on this computer.
    fn watch(scene: &Scene, site: &Site) -> Option<Self> {
        let folder = scene.folder.path();
        let rules: Vec<_> = printed("alerts")
            .lines()
            .filter(|line| !line.trim_start().starts_with("for: "))
            .map(str::to_owned)
            .collect();
        fs::write(folder.join("alerts.yml"), rules.join("\n")).unwrap();
        let configuration = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [alerts.yml]\nscrape_configs:\n  \
             - job_name: heptapod-paas-runner\n    static_configs: [{{targets: ['{}']}}]\n",
            site.address
        );
        fs::write(folder.join("prometheus.yml"), configuration).unwrap();
        // It can't say which port it took.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .to_string();
        let child = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                folder.join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("series").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Some(Self { child, address }),
            Err(error) => {
                eprintln!("skipped: there is no Prometheus here: {error}");
                None
            }
        }
    }

    fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(&self.address) {
            let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
            let said = stream.write_all(request.as_bytes());
            let _ = said.and_then(|()| stream.read_to_string(&mut answer));
        }
        answer
    }

    fn await_that(&self, path: &str, told: &str) {
        assert!(
            eventually(|| self.get(path).contains(told)),
            "{}",
            self.get(path)
        );
    }
}

#[test]
fn a_real_prometheus_scrapes_the_service_and_an_alert_fires_where_a_machine_is_not_deleted() {
    let scene = Scene::listening();
    let site = scene.serve();
    let Some(prometheus) = Prometheus::watch(&scene, &site) else {
        return;
    };
    prometheus.await_that("/api/v1/targets", "\"health\":\"up\"");
    prometheus.await_that("/api/v1/rules", "HeptapodRunnerMachinesNotDeleted");
    scene.clever.faults().inject(
        Rule::on("DELETE", "*/applications/*")
            .always()
            .with(Fault::status(500)),
    );
    let job = scene.submit("stays", "true");
    scene.await_end(job);
    let firing = "\"alertname\":\"HeptapodRunnerMachinesNotDeleted\"";
    prometheus.await_that("/api/v1/alerts", firing);
    scene.clever.faults().clear();
    assert!(eventually(|| !prometheus
        .get("/api/v1/alerts")
        .contains(firing)));
    scene.await_no_machines();
}
