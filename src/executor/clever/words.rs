//! What is said when something at Clever Cloud went wrong: to the job's author, and to the operator.

use super::Trouble;

use crate::deploy::remote::PushError;
use crate::executor::Failure;
use crate::foreign::{Keep, one_line};
use crate::names::MachineName;

/// Clever Cloud would not create an application.
pub fn not_created(what: &str, error: &Trouble) -> Failure {
    let (user, hint) = match error {
        Trouble::Final(failure) | Trouble::Nobody(failure) => return failure.clone(),
        error if error.is_refused_credentials() => (
            "Clever Cloud refused this runner's credentials. Please tell its administrator.",
            "; check the organization and its token",
        ),
        error if error.may_pass() => (
            "Clever Cloud could not provide a machine for this job in time. Please retry it later.",
            "",
        ),
        _ => (
            "Clever Cloud refused to provide a machine for this job. Please tell the runner's \
             administrator.",
            "",
        ),
    };
    Failure {
        user: user.to_owned(),
        admin: format!("{what}: {error}{hint}"),
    }
}

/// An application is there, but nothing can be pushed to it.
pub fn unusable(name: &MachineName, why: &str) -> Failure {
    Failure {
        user: "Clever Cloud did not prepare a machine for this job in time. Please retry it later."
            .to_owned(),
        admin: format!("application {name} can't be used: {why}"),
    }
}

pub fn not_pushed(name: &MachineName, error: &PushError) -> Failure {
    let hint = if error.credentials_refused {
        "; check the organization's token and cc_auth_user"
    } else {
        ""
    };
    Failure {
        user: "The job could not be handed over to its machine. Please retry it later, and tell \
               the runner's administrator if that does not help."
            .to_owned(),
        admin: format!("pushing {name}: {}{hint}", error.text),
    }
}

pub fn not_deleted(api_url: &str, owner: Option<&str>, error: &Trouble) -> String {
    let hint = if error.is_refused_credentials() {
        let whose = owner.map_or_else(String::new, |owner| format!(" (it belongs to {owner})"));
        format!(
            "{whose}; does the token have the Manager role? A Developer may create but not delete"
        )
    } else {
        String::new()
    };
    format!("{api_url}: {error}{hint}")
}

/// `asked_for`: by the job, not by our configuration.
pub fn no_such_flavor(wanted: &str, asked_for: bool, offered: &str) -> Failure {
    let shown = one_line(wanted, Keep::Start(40));
    if asked_for {
        Failure {
            user: format!(
                "CI_CLEVER_CLOUD_FLAVOR is `{shown}`; this runner offers {offered}. Please change \
                 the variable in the job's definition."
            ),
            admin: format!("the job asks for flavor {shown:?}; on offer are {offered}"),
        }
    } else {
        Failure {
            user: format!(
                "This runner's default machine size is not on offer. Please tell its \
                 administrator, or set the variable CI_CLEVER_CLOUD_FLAVOR to one of {offered}."
            ),
            admin: format!("cc_default_flavor is {shown:?}, but on offer are {offered}"),
        }
    }
}

/// The machine has ended by itself, and the job has no result.
pub fn ended_too_early(name: &MachineName) -> Failure {
    Failure {
        user: "The job's machine stopped without a result. It may have been out of memory: a \
               larger CI_CLEVER_CLOUD_FLAVOR may help."
            .to_owned(),
        admin: format!(
            "its machine has ended and the coordinator has no result; the own log of {name} may say why"
        ),
    }
}
