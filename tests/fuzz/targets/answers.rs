//! What a coordinator or Clever Cloud may answer: to each call of the program, whatever status, head
//! and body come back. Nothing panics, no token is told even if the answer quotes it, and none would
//! be pushed to a host that is not to be trusted.
//!
//! An input is an answer with the call before it: a line with the call's name, one with the status,
//! the lines of the head, an empty line, the body.
//!
//! `tests/fuzz/run answers`

#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crossbeam_channel::Receiver;
use fuzz::secrecy::{TOKEN, assert_untold, watch_log};
use fuzz::service::{Service, answer};
use heptapod_paas_runner::agent::Agents;
use heptapod_paas_runner::clever::{Catalogue, Credential, MachineType};
use heptapod_paas_runner::config::{CleverSettings, GitLogins, InnerConfiguration, Tenancy};
use heptapod_paas_runner::coordinator::{
    Appended, Ask, Coordinator, Delivery, Grant, Heard, LogProbe, NoAttributes, NotRegistered,
    Queue, RunnerIdentity, Standing,
};
use heptapod_paas_runner::deploy::InnerRunner;
use heptapod_paas_runner::deploy::push::Pusher;
use heptapod_paas_runner::deploy::scratch::Scratch;
use heptapod_paas_runner::executor::clever::CleverDocker;
use heptapod_paas_runner::executor::{Executor, Halt, Machine, Patience, Resource};
use heptapod_paas_runner::http::Http;
use heptapod_paas_runner::names::{JobId, MachineName, ProjectId, RunnerName};
use heptapod_paas_runner::payload::{FailureReason, JobCredentials, Payload};
use heptapod_paas_runner::secret::Secret;
use heptapod_paas_runner::shutdown;
use heptapod_paas_runner::trust::Trust;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

const RUNNER: &str = "abcdefgh";
const JOB: JobId = JobId(4711);

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    watch_log();
    Service::start()
});
/// It lasts as long as the process does.
static HTTP: LazyLock<Http> = LazyLock::new(|| {
    let (stopper, stop) = shutdown::channel();
    mem::forget(stopper);
    Http::new(Agents::new(Arc::default(), Trust::default()), stop)
});

fuzz_target!(|input: &[u8]| {
    let Some((call, canned)) = read(input) else {
        return;
    };
    let body = canned.body.to_vec();
    let whole = answer(canned.status, &canned.lines, &body);
    SERVICE.behave(move |_| whole.clone());
    match call {
        "push" => check_destination(&body),
        "flavors" => drop(catalogue().flavors()),
        "version" => drop(catalogue().instance()),
        call => {
            let said = ask_coordinator(call).or_else(|| ask_clever(call));
            assert_untold(&said.unwrap_or_default());
        }
    }
});

struct Canned<'a> {
    status: u16,
    lines: Vec<&'a [u8]>,
    body: &'a [u8],
}

fn read(mut input: &[u8]) -> Option<(&str, Canned<'_>)> {
    let mut line = || {
        let end = input.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = input.split_at(end);
        input = &rest[1..];
        Some(line)
    };
    let call = str::from_utf8(line()?).ok()?;
    let status: u16 = str::from_utf8(line()?).ok()?.parse().ok()?;
    let mut lines = Vec::new();
    loop {
        match line()? {
            [] => break,
            more => lines.push(more),
        }
    }
    let canned = Canned {
        status,
        lines,
        body: input,
    };
    (100..1000).contains(&status).then_some((call, canned))
}

/// What a person would be told of the call; nothing, if there is no such call.
fn ask_coordinator(call: &str) -> Option<String> {
    let coordinator = Coordinator::new(HTTP.clone(), &SERVICE.url);
    let secret = Secret::new(TOKEN);
    let job = JobCredentials {
        id: JOB,
        token: secret.clone(),
    };
    let runner = RunnerIdentity {
        token: secret.clone(),
        system_id: "s_0".to_owned(),
        features: Vec::new(),
    };
    Some(match call {
        "ask" => match coordinator.request_job(&runner, &mut Queue::default(), true) {
            Grant::Trouble { why, .. } | Grant::Unusable { why, .. } => why,
            Grant::Job(_) | Grant::Nothing { .. } => String::new(),
        },
        "greet" => of_heard(coordinator.standing(&job, Ask::Greeting)),
        "look" => of_heard(coordinator.standing(&job, Ask::Look)),
        "fail" => match coordinator.fail(&job, FailureReason::ScriptFailure) {
            Delivery::Done => String::new(),
            Delivery::Refused(why) | Delivery::RefusedTwice(why) | Delivery::Later(why) => why,
        },
        "probe" => of_probe(coordinator.probe_log(&job, 3)),
        "read" => of_probe(coordinator.read_log(&job, ProjectId(42), &secret, 3)),
        "append" => match coordinator.append_log(&job, "words") {
            Appended::Done => String::new(),
            Appended::Refused(why) | Appended::Later(why) => why,
        },
        "register" => of_registration(coordinator.register("new", &secret).map(drop)),
        "verify" => of_registration(coordinator.verified(&secret, None).map(drop)),
        "unregister" => of_registration(coordinator.unregister(&secret)),
        "groups" => match coordinator.group_attributes("a/group", &secret) {
            Ok(_) | Err(NoAttributes::NoSuchGroup) => String::new(),
            Err(NoAttributes::Refused(why) | NoAttributes::Trouble(why)) => why,
        },
        _ => return None,
    })
}

fn of_heard(heard: Heard) -> String {
    of_standing(heard.standing) + &heard.trouble.unwrap_or_default()
}

fn of_standing(standing: Standing) -> String {
    match standing {
        Standing::Active | Standing::Canceling => String::new(),
        Standing::Over(why)
        | Standing::Refused(why)
        | Standing::RefusedTwice(why)
        | Standing::Unknown(why) => why,
    }
}

fn of_probe(probe: LogProbe) -> String {
    of_standing(probe.standing())
}

fn of_registration(result: Result<(), NotRegistered>) -> String {
    match result {
        Ok(()) | Err(NotRegistered::NoToken) => String::new(),
        Err(
            NotRegistered::Refused { text, .. }
            | NotRegistered::Stranger { text, .. }
            | NotRegistered::Elsewhere { address: text, .. }
            | NotRegistered::NoAnswer { why: text, .. },
        ) => text,
    }
}

fn ask_clever(call: &str) -> Option<String> {
    match call {
        "machines" => {
            let found = clever().machines(&runner(), &BTreeSet::new());
            Some(found.not_searched.concat())
        }
        "ended" => clever().is_lost(&machine()).err(),
        "remove" => clever().decommission(&machine()).err(),
        "weights" => clever().weights().err(),
        _ => None,
    }
}

/// Of a service that stops.
struct NoPatience;

impl Patience for NoPatience {
    fn wait(&self, _: Duration) -> Result<(), Halt> {
        Err(Halt::Stopped)
    }

    fn wait_for(&self, _: &Receiver<()>) -> Result<(), Halt> {
        Err(Halt::Stopped)
    }
}

/// An application's repository is said to be somewhere: the token must not follow everywhere.
fn check_destination(body: &[u8]) {
    let payload = Payload::parse(br#"{"id": 4711, "token": "t"}"#).expect("a payload");
    let launched = clever().launch(&mut machine(), &payload, &NoPatience);
    match launched.expect_err("nothing can be pushed") {
        // On the way to the push.
        Halt::Stopped => {
            let answer: serde_json::Value = serde_json::from_slice(body).expect("it was read");
            let url = answer["deployment"]["httpUrl"]
                .as_str()
                .expect("it was read");
            assert!(is_harmless(url), "the token would have gone to {url:?}");
        }
        Halt::Over(why) => unreachable!("nobody said so: {why}"),
        Halt::Failed(failure) => {
            assert_untold(&failure.admin);
            assert_untold(&failure.user);
        }
    }
}

/// The rule once more, for an API on loopback, by the letter of the address alone.
fn is_harmless(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let host = rest[..end].to_ascii_lowercase();
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => &host,
    };
    let loopback = host.starts_with("127.") || ["localhost", "[::1]"].contains(&host);
    let https = scheme.eq_ignore_ascii_case("https");
    let http = https || scheme.eq_ignore_ascii_case("http");
    let plain = !host.contains('@') && url.bytes().all(|byte| byte.is_ascii_graphic());
    plain && (http && loopback || https && host.ends_with(".clever-cloud.com"))
}

fn runner() -> RunnerName {
    RunnerName {
        unique: RUNNER.to_owned(),
        python: RUNNER.to_owned(),
    }
}

/// Created, not pushed to; there may be another one.
fn machine() -> Machine {
    let text = r#"{"id": "app_1", "launched": false}"#.to_owned();
    let resource = Resource::new(RawValue::from_string(text).expect("JSON"));
    let mut machine = Machine::new(MachineName::of(&runner(), JOB), None);
    machine.created(resource, None);
    machine.may_be_unseen();
    machine
}

fn machine_type() -> MachineType {
    MachineType::HeptapodRunner {
        context: "heptapod-runner".to_owned(),
        variant: "a variant".to_owned(),
    }
}

fn catalogue() -> Catalogue {
    Catalogue::new(
        HTTP.clone(),
        &SERVICE.url,
        machine_type(),
        "heptapod-runner-",
    )
}

fn clever() -> CleverDocker {
    let settings = CleverSettings {
        api_url: SERVICE.url.clone(),
        zone: "par".to_owned(),
        currency: "EUR".to_owned(),
        budget: None,
        default_flavor: "M".to_owned(),
        max_flavor: None,
        flavor_by_tag: BTreeMap::new(),
        repository_timeout: Duration::ZERO,
        repository_step: Duration::ZERO,
        bridge_url: SERVICE.url.clone(),
        machine_type: machine_type(),
        flavor_prefix: "heptapod-runner-".to_owned(),
        git_logins: GitLogins {
            user: Secret::new("Jenkins"),
            for_api_token: None,
        },
        environment: Vec::new(),
        tenancy: Tenancy::Single {
            organization: "orga_1".to_owned(),
            credential: Credential::Token(Secret::new(TOKEN)),
        },
    };
    let inner = InnerRunner {
        image: String::new(),
        configuration: InnerConfiguration::default(),
        authorities: None,
    };
    let coordinator = Coordinator::new(HTTP.clone(), &SERVICE.url);
    let pusher = Pusher::new(HTTP.clone(), Scratch::none(), PathBuf::new());
    CleverDocker::new(
        settings,
        HTTP.clone(),
        coordinator,
        pusher,
        inner,
        "mark".to_owned(),
    )
}
