//! What must happen, for each endpoint and each fault.

use self::Outcome::{Fails, FailsInSilence, Succeeds, Untold};
use self::What::{Redirect, Status};

/// What one request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Status(u16),
    /// 429 that says for how many seconds.
    TooManyFor(u64),
    /// From the balancer in front.
    Html(u16),
    /// The connection, and all that follow for a moment.
    Refused,
    CutBefore,
    CutAfter,
    Truncated,
    Garbage,
    WrongTypes,
    TooMuch,
    Redirect,
    Hang,
    /// A byte a second.
    Trickle,
}

pub const FAULTS: [What; 20] = [
    Status(400),
    Status(401),
    Status(403),
    Status(404),
    Status(409),
    Status(410),
    Status(416),
    Status(429),
    What::TooManyFor(1),
    Status(500),
    What::Html(502),
    Status(503),
    What::Refused,
    What::CutBefore,
    What::CutAfter,
    What::Truncated,
    What::Garbage,
    What::WrongTypes,
    What::TooMuch,
    Redirect,
];

pub const SLOW_FAULTS: [What; 2] = [What::Hang, What::Trickle];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    JobRequest,
    PutRunning,
    Probe,
    Look,
    /// A failure's words for the job's log.
    Words,
    PutFailed,
    Flavors,
    Instances,
    Creation,
    /// One application, while its repository is awaited.
    Application,
    /// All applications, while one is looked for whose creation was not answered.
    List,
    /// The same at the start.
    Orphans,
    Deletion,
    Refs,
    Pack,
}

/// What becomes of the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Succeeds,
    /// With these words in its log.
    Fails(&'static str),
    /// Nobody takes the words; the verdict is told all the same.
    FailsInSilence,
    /// The coordinator wants no verdict, and gets none.
    Untold,
}

/// The end of jobs that get no machine in any case.
pub const NO_FLAVOR: &str = "this runner offers";
const NO_CREDENTIALS: &str = "refused this runner's credentials";
const NO_MACHINE: &str = "Clever Cloud";
const NO_PUSH: &str = "could not be handed over";

/// The table. Whatever is not listed passes, and the job gets its machine, if it wants one that there is.
pub fn outcome(at: Endpoint, what: What) -> Outcome {
    match (at, what) {
        // What refuses us will refuse us again, and an administrator must do something.
        (Endpoint::Creation | Endpoint::List, Status(401 | 403)) => Fails(NO_CREDENTIALS),
        // What is wrong with the request will be wrong again; 400 may be a stale version, though.
        (Endpoint::Creation | Endpoint::List, Status(404 | 410 | 416) | Redirect) => {
            Fails(NO_MACHINE)
        }
        (Endpoint::Refs | Endpoint::Pack, Status(401 | 403)) => Fails(NO_PUSH),
        // The job takes no verdict, or none from us: GitLab page, section 4.2.
        (Endpoint::PutFailed, Status(400 | 403)) => Untold,
        // Its log takes nothing more.
        (Endpoint::Words, Status(400 | 403)) => FailsInSilence,
        _ if at.needs_no_machine() => Fails(NO_FLAVOR),
        _ => Succeeds,
    }
}

impl Endpoint {
    /// Those that give up on an answer within half a minute. Not here: a request for a job has ten
    /// minutes (`outages` has one that hangs), a creation one, a push 30 to 90 seconds.
    pub const QUICKLY_IMPATIENT: [Self; 9] = [
        Self::PutRunning,
        Self::Probe,
        Self::Look,
        Self::PutFailed,
        Self::Flavors,
        Self::Instances,
        Self::Application,
        Self::Orphans,
        Self::Deletion,
    ];

    /// Method and path, as fault rules want them.
    pub const fn request(self) -> (&'static str, &'static str) {
        match self {
            Self::JobRequest => ("POST", "*/jobs/request"),
            Self::PutRunning | Self::PutFailed => ("PUT", "*/jobs/*"),
            Self::Probe | Self::Words => ("PATCH", "*/trace"),
            Self::Look => ("GET", "*/api/v4/job"),
            Self::Flavors => ("GET", "*/products/flavors"),
            Self::Instances => ("GET", "*/products/instances"),
            Self::Creation => ("POST", "*/applications"),
            Self::Application => ("GET", "*/applications/app_*"),
            Self::List | Self::Orphans => ("GET", "*/applications"),
            Self::Deletion => ("DELETE", "*/applications/app_*"),
            Self::Refs => ("GET", "*/info/refs"),
            Self::Pack => ("POST", "*/git-receive-pack"),
        }
    }

    pub fn is(self, path: &str) -> bool {
        let (_, pattern) = self.request();
        let mut parts = pattern.split('*').skip(1);
        let (middle, end) = (parts.next().unwrap_or_default(), parts.next());
        end.map_or_else(|| path.ends_with(middle), |_| path.contains(middle))
    }

    /// Requests of the same kind that come before.
    pub const fn skipped(self) -> usize {
        match self {
            // That we have the job, or the search for orphans.
            Self::PutFailed | Self::List => 1,
            _ => 0,
        }
    }

    pub const fn is_coordinator(self) -> bool {
        matches!(
            self,
            Self::JobRequest
                | Self::PutRunning
                | Self::Probe
                | Self::Look
                | Self::Words
                | Self::PutFailed
        )
    }

    pub const fn is_git(self) -> bool {
        matches!(self, Self::Refs | Self::Pack)
    }

    /// The request comes before or after a machine, or instead of one.
    pub const fn needs_no_machine(self) -> bool {
        matches!(
            self,
            Self::JobRequest | Self::Flavors | Self::Orphans | Self::Words | Self::PutFailed
        )
    }

    /// The status that goes with an object that it should be.
    pub const fn success(self) -> u16 {
        match self {
            Self::JobRequest => 201,
            _ => 200,
        }
    }

    /// Of the right shape at first sight.
    pub const fn wrong_types(self) -> &'static str {
        match self {
            Self::Flavors | Self::Instances | Self::List | Self::Orphans => {
                r#"[5, {"name": 7, "id": {}, "version": [], "memory": "much", "deployment": 1}]"#
            }
            _ => r#"{"id": [], "token": 5, "status": {}, "name": 7, "deployment": "x"}"#,
        }
    }
}
