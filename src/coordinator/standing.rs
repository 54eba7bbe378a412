//! How a job stands, by the coordinator's own word.
//!
//! There are three calls that tell it, and each may be refused by something in between, alone and for
//! a job's whole life, or be answered by a replica that lags behind. So where one says nothing the
//! next is asked, and this is what ends a job:
//!
//! - one call says with a status that it has ended, or
//! - two calls are refused in the coordinator's own words, and as it refuses them: a look with 401,
//!   news with 403, and some seconds later they still are. A job that is erased, and a token that is
//!   revoked, have no status any more; but a replica that lags says the same for a moment, and what
//!   refuses everything does it with one status.
//!
//! And one that says that the job goes on is believed. It knows nothing of what follows.

use std::time::Duration;

use serde_json::json;
use ureq::http::Method;

use super::Coordinator;
use super::word::{NotOwn, Yes, job_status};
use crate::http::{Answer, Call};
use crate::json::Fields;
use crate::payload::JobCredentials;

/// What a coordinator makes of a job that we hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Ours, and it goes on.
    Active,
    /// A user wants it to end, and the coordinator waits for us or the inner runner to say so.
    Canceling,
    /// Nothing more is expected from anybody, for this reason.
    Over(String),
    /// The coordinator refuses one kind of call, without a word on the job.
    Refused(String),
    /// It refuses two kinds of call: the end, if it does so again in a while.
    RefusedTwice(String),
    /// It could not be found out; the text says why.
    Unknown(String),
}

/// The calls that tell how a job stands, those with the least effect first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Costs the coordinator least.
    Look,
    /// An empty patch of the log at its beginning.
    Log,
    /// A sign of life of the job, which others must not give for an inner runner that may be dead:
    /// asked last.
    Greeting,
}

/// What was heard of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub standing: Standing,
    /// What was not the coordinator's own word, for an administrator, whatever was heard besides.
    pub trouble: Option<String>,
}

/// A look is one of many: one that hangs must not make us blind when the coordinator is back.
pub(super) const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

impl Coordinator {
    /// Asks in this way, and in the others as long as nothing is said.
    #[must_use]
    pub fn standing(&self, job: &JobCredentials, first: Ask) -> Heard {
        self.settle(job, first, self.ask_how(job, first))
    }

    /// The same, when `said` was heard in that way already.
    #[must_use]
    pub fn settle(&self, job: &JobCredentials, asked: Ask, said: Standing) -> Heard {
        let others = [Ask::Look, Ask::Log, Ask::Greeting].into_iter();
        let others = others.filter(|other| *other != asked);
        let others = others.map(|other| self.ask_how(job, other));
        weigh(std::iter::once(said).chain(others))
    }

    fn ask_how(&self, job: &JobCredentials, way: Ask) -> Standing {
        match way {
            Ask::Look => self.look(job),
            Ask::Log => self.probe_log(job, 0).standing(),
            Ask::Greeting => self.greet(job),
        }
    }

    /// Tells that the job is in our hands, and learns whether it is still wanted. Sections 2.8, 4.
    fn greet(&self, job: &JobCredentials) -> Standing {
        let body = json!({"token": job.token.reveal(), "state": "running"});
        let url = self.job_url(job);
        let call = Call::new(Method::PUT, &url)
            .about("coordinator", "job_update")
            .secret_header("JOB-TOKEN", "", &job.token)
            .json(&body)
            .within(LOOK_TIMEOUT);
        standing(&call, &self.ask(&call, Yes::Taken))
    }

    /// Whether the job still runs. A finished job and an unknown token look the same here. Section 5.
    fn look(&self, job: &JobCredentials) -> Standing {
        let url = self.own_job_url();
        let call = look(&url, job);
        seen(&call, &self.ask(&call, Yes::Job(job.id)))
    }

    /// The job's tags. Section 5.
    ///
    /// # Errors
    /// A text for the operator, when nobody said them.
    pub fn tags(&self, job: &JobCredentials) -> Result<Vec<String>, String> {
        let url = self.own_job_url();
        let call = look(&url, job);
        let answer = self.ask(&call, Yes::Job(job.id));
        let answer = answer.map_err(|why| why.to_string())?;
        let body = Fields::read(&answer.body).unwrap_or_default();
        body.get("tag_list").ok_or_else(|| answer.describe(&call))
    }

    /// How long the job has been running, by the coordinator's clock; none, when it does not say.
    #[must_use]
    pub fn running_for(&self, job: &JobCredentials) -> Option<Duration> {
        let url = self.own_job_url();
        let answer = self.ask(&look(&url, job), Yes::Job(job.id)).ok()?;
        let seconds = Fields::read(&answer.body).ok()?.get("duration")?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn own_job_url(&self) -> String {
        format!("{}/job", self.api)
    }
}

fn look<'a>(url: &'a str, job: &'a JobCredentials) -> Call<'a> {
    Call::get(url)
        .about("coordinator", "job_look")
        .secret_header("JOB-TOKEN", "", &job.token)
        .within(LOOK_TIMEOUT)
}

/// The first answer that says something. See above.
fn weigh(answers: impl Iterator<Item = Standing>) -> Heard {
    let (mut refused, mut trouble) = (None, None);
    for said in answers {
        let standing = match said {
            Standing::Refused(why) if refused.is_some() => Standing::RefusedTwice(why),
            Standing::Refused(why) => {
                refused = Some(why);
                continue;
            }
            Standing::Unknown(why) => {
                trouble.get_or_insert(why);
                continue;
            }
            known => known,
        };
        return Heard { standing, trouble };
    }
    let unknown = || Standing::Unknown(trouble.clone().unwrap_or_default());
    Heard {
        standing: refused.map_or_else(unknown, Standing::Refused),
        trouble,
    }
}

/// The meaning of an answer to PUT and PATCH of a job. Sections 2.6, 3.2 and 4.2.
pub(super) fn standing(call: &Call<'_>, answer: &Result<Answer, NotOwn>) -> Standing {
    let answer = match answer {
        Ok(answer) => answer,
        Err(why) => return Standing::Unknown(why.to_string()),
    };
    match (answer.status, job_status(answer)) {
        (200..=299, Some(status @ ("canceled" | "failed")))
        | (403, Some(status @ ("canceled" | "failed" | "success"))) => over(status),
        (200..=299, Some("canceling")) => Standing::Canceling,
        (200..=299, _) => Standing::Active,
        (403, _) => Standing::Refused(answer.describe(call)),
        _ => Standing::Unknown(answer.describe(call)),
    }
}

/// The meaning of an answer to GET of a job.
pub(super) fn seen(call: &Call<'_>, answer: &Result<Answer, NotOwn>) -> Standing {
    match answer {
        Ok(answer) if answer.is_success() => {
            let body = Fields::read(&answer.body).unwrap_or_default();
            match body.text("status").unwrap_or_default().as_str() {
                "canceling" => Standing::Canceling,
                status @ ("failed" | "success" | "canceled") => over(status),
                _ => Standing::Active,
            }
        }
        Ok(answer) if answer.status == 401 => Standing::Refused(answer.describe(call)),
        Ok(answer) => Standing::Unknown(answer.describe(call)),
        Err(why) => Standing::Unknown(why.to_string()),
    }
}

/// How the reason for an end begins that is a job's status.
pub const SAYS: &str = "the coordinator says that it is ";

fn over(status: &str) -> Standing {
    Standing::Over(format!("{SAYS}{status}"))
}

#[cfg(test)]
mod tests {
    use super::Standing::{Active, Canceling, Over, Refused, Unknown};
    use super::{Standing, weigh};

    #[test]
    fn one_call_that_is_refused_is_less_than_two() {
        let (over, refused) = (|| Over("x".to_owned()), || Refused("x".to_owned()));
        let unknown = || Unknown("x".to_owned());
        for (said, means) in [
            ([Active, over(), over()], "active"),
            ([Canceling, over(), over()], "canceling"),
            ([over(), Active, Active], "over"),
            ([refused(), Active, refused()], "active"),
            ([refused(), refused(), Active], "refused twice"),
            ([refused(), unknown(), refused()], "refused twice"),
            ([refused(), unknown(), unknown()], "refused"),
            ([unknown(), unknown(), refused()], "refused"),
            ([refused(), unknown(), Active], "active"),
            ([unknown(), over(), Active], "over"),
            ([unknown(), refused(), Canceling], "canceling"),
            ([unknown(), unknown(), unknown()], "unknown"),
        ] {
            let heard = weigh(said.clone().into_iter());
            let standing = match heard.standing {
                Active => "active",
                Canceling => "canceling",
                Over(_) => "over",
                Refused(_) => "refused",
                Standing::RefusedTwice(_) => "refused twice",
                Unknown(_) => "unknown",
            };
            assert_eq!(standing, means, "{said:?}");
        }
        let heard = weigh([unknown(), Active].into_iter());
        assert_eq!(heard.trouble.as_deref(), Some("x"), "told all the same");
    }

    #[test]
    fn what_follows_a_word_is_not_asked_for() {
        let asked = std::iter::once(Standing::Active).chain(std::iter::from_fn(|| panic!("asked")));
        assert_eq!(weigh(asked).standing, Standing::Active);
    }
}
