//! What is said when something at Clever Cloud went wrong: to the job's author, and to the operator.

use super::Trouble;

use crate::clever::{DeploymentEnd, MachineType};
use crate::config::values::AuthKind;
use crate::deploy::remote::PushError;
use crate::executor::Failure;
use crate::foreign::{Keep, one_line};
use crate::names::MachineName;
use crate::payload::FailureReason;

/// Clever Cloud would not create an application of this machine type, with a credential of this kind.
pub fn not_created(
    what: &str,
    error: &Trouble,
    kind: AuthKind,
    machine_type: &MachineType,
) -> Failure {
    let (reason, user, hint) = match error {
        Trouble::Final(failure) | Trouble::NoAccount(failure) => return failure.clone(),
        error if error.is_refused_credentials() => (
            FailureReason::RunnerConfigurationError,
            "Clever Cloud refused this runner's credentials. Please tell its administrator.",
            format!("; {}", credentials_hint(kind)),
        ),
        error if error.may_pass() => (
            FailureReason::RunnerExternalDependencyFailure,
            "Clever Cloud could not provide a machine for this job in time. Please retry it later.",
            String::new(),
        ),
        error => (
            FailureReason::RunnerConfigurationError,
            "Clever Cloud refused to provide a machine for this job. Please tell the runner's \
             administrator.",
            match machine_type {
                MachineType::HeptapodRunner { .. } if error.is_bad_request() => {
                    "; the machine type that is made for runners is not open to every organization: \
                     with cc_instance = \"docker\" machines are of the type that is"
                }
                _ => "",
            }
            .to_owned(),
        ),
    };
    Failure {
        reason,
        user: user.to_owned(),
        admin: format!("{what}: {error}{hint}"),
    }
}

/// Machines can be made there, but not deleted: a deletion was refused before.
pub fn undeletable(organization: &str, why: &str) -> Failure {
    Failure {
        reason: FailureReason::RunnerConfigurationError,
        user:
            "This runner could not delete the machine of this job afterwards, so it started none. \
               Please tell its administrator."
                .to_owned(),
        admin: format!(
            "no machine is made in {organization}, where one could not be deleted ({why}); {MANAGER}"
        ),
    }
}

pub const MANAGER: &str = "whoever the credential belongs to needs the role Manager there: a \
                           Developer may create but not delete";

/// Which credential is asked for, and which other ones there are.
pub fn credentials_hint(kind: AuthKind) -> String {
    let others = AuthKind::ALL.into_iter().filter(|other| *other != kind);
    let others: Vec<_> = others
        .map(|other| format!("\"{}\" for {}", other.name(), other.described()))
        .collect();
    format!(
        "check the organization and its token. cc_auth is \"{}\", for {}; there are {}",
        kind.name(),
        kind.described(),
        others.join(", ")
    )
}

/// An application is there, but nothing can be pushed to it.
pub fn unusable(name: &MachineName, why: &str) -> Failure {
    Failure {
        reason: FailureReason::RunnerExternalDependencyFailure,
        user: "Clever Cloud did not prepare a machine for this job in time. Please retry it later."
            .to_owned(),
        admin: format!("application {name} can't be used: {why}"),
    }
}

pub fn not_pushed(name: &MachineName, error: &PushError) -> Failure {
    let (reason, hint) = if error.credentials_refused {
        let hint = "; check the organization's token and cc_auth_user";
        (FailureReason::RunnerConfigurationError, hint)
    } else {
        (FailureReason::RunnerExternalDependencyFailure, "")
    };
    Failure {
        reason,
        user: "The job could not be handed over to its machine. Please retry it later, and tell \
               the runner's administrator if that does not help."
            .to_owned(),
        admin: format!("pushing {name}: {}{hint}", error.text),
    }
}

pub fn not_deleted(api_url: &str, owner: Option<&str>, error: &Trouble) -> String {
    let whose = owner.map_or_else(String::new, |owner| format!(" (it belongs to {owner})"));
    match error {
        Trouble::Final(failure) | Trouble::NoAccount(failure) => format!(
            "{}{whose}; no credential for it was learnt since the start: until one is, only you can \
             delete it",
            failure.admin
        ),
        error if error.is_refused_credentials() => format!(
            "{api_url}: {error}{whose}; does the token have the Manager role? A Developer may \
             create but not delete"
        ),
        error => format!("{api_url}: {error}"),
    }
}

/// The job asks for a flavor that is none.
pub fn no_such_flavor(wanted: &str, offered: &str) -> Failure {
    let shown = one_line(wanted, Keep::Start(40));
    Failure {
        reason: FailureReason::ScriptFailure,
        user: format!(
            "CI_CLEVER_CLOUD_FLAVOR is `{shown}`; this runner offers {offered}. Please change the \
             variable in the job's definition."
        ),
        admin: format!("the job asks for flavor {shown:?}; on offer are {offered}"),
    }
}

/// The configuration's own flavor is none.
pub fn no_default_flavor(default: &str, offered: &str) -> Failure {
    Failure {
        reason: FailureReason::RunnerConfigurationError,
        user: format!(
            "This runner's default machine size is not on offer. Please tell its administrator, or \
             set the variable CI_CLEVER_CLOUD_FLAVOR to one of {offered}."
        ),
        admin: format!("cc_default_flavor is {default:?}, but on offer are {offered}"),
    }
}

/// The section's table for tags names what nobody offers.
pub fn no_flavor_for_tag(wanted: &str, offered: &str) -> Failure {
    Failure {
        reason: FailureReason::RunnerConfigurationError,
        user: format!(
            "The machine size that this runner has for one of the job's tags is not on offer. \
             Please tell its administrator, or set the variable CI_CLEVER_CLOUD_FLAVOR to one of \
             {offered}."
        ),
        admin: format!("cc_flavor_by_tag names {wanted:?}, but on offer are {offered}"),
    }
}

/// Nobody has seen the job run, and its deployment has come to an end.
pub fn never_started(name: &MachineName, end: DeploymentEnd) -> Failure {
    let why = match end {
        DeploymentEnd::Failed => {
            "the deployment ended as FAIL: no credit is left, an image can't be pulled \
             (heptapod_runner_main_image), or the build failed"
        }
        DeploymentEnd::Done => {
            "its container ended at once: the inner runner (heptapod_runner_main_image) may not start"
        }
    };
    Failure {
        reason: FailureReason::RunnerSystemFailure,
        user:
            "Clever Cloud could not start the job's machine. Please retry the job later, and tell \
               the runner's administrator if that does not help."
                .to_owned(),
        admin: format!(
            "the machine {name} has ended before the job began: {why}; its own log, in the console, says more"
        ),
    }
}

/// The machine has ended by itself, and the job has no result.
pub fn ended_too_early(name: &MachineName) -> Failure {
    Failure {
        reason: FailureReason::RunnerSystemFailure,
        user: "The job's machine stopped without a result. It may have been out of memory: a \
               larger CI_CLEVER_CLOUD_FLAVOR may help."
            .to_owned(),
        admin: format!(
            "its machine has ended and the coordinator has no result; the own log of {name} may say why"
        ),
    }
}

/// The application is not there any more, and we did not delete it.
pub fn deleted_by_hand(name: &MachineName) -> Failure {
    Failure {
        reason: FailureReason::RunnerSystemFailure,
        user:
            "The job's machine was deleted while the job ran. Please retry the job, and tell the \
               runner's administrator if that does not help."
                .to_owned(),
        admin: format!(
            "application {name} does not exist any more, and was not deleted by this program: in the \
             console, perhaps"
        ),
    }
}
