//! What must happen, for each endpoint and each fault.

use self::Endpoint::{
    Application, Creation, Deletion, Flavors, Instances, JobRequest, List, Look, Orphans, Pack,
    Probe, PutFailed, PutRunning, Refs, Words,
};
use self::Job::{Cheap, Long, Lost, Usual};
use self::Outcome::{Fails, FailsInSilence, Succeeds, Untold};
use self::Server::{Api, Coordinator, Git};
use self::What::{
    Challenge, CutAfter, CutBefore, Garbage, Hang, Html, NoPackets, OpenPackets, Redirect, Refusal,
    Refused, Status, TooMany, TooMuch, Trickle, Truncated, WrongType, WrongTypes,
};

/// What one request meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The service itself, in its own words.
    Refusal(u16),
    /// A status and nothing else.
    Status(u16),
    /// 429 that says for how many seconds.
    TooMany(u64),
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
    /// 401 that asks for a login, as a git remote's does.
    Challenge,
    /// The right answer to the request, said to be of another type.
    WrongType,
    /// Said to be what git wants, and no packets, or some that never come to an end.
    NoPackets,
    OpenPackets,
    Hang,
    /// A byte a second.
    Trickle,
}

#[rustfmt::skip]
pub const FAULTS: [What; 22] = [
    Refusal(400), Refusal(401), Refusal(403), Refusal(404), Refusal(409), Refusal(410), Refusal(416),
    Html(401), Status(403), Html(404),
    TooMany(1), Status(500), Html(502), Refusal(503),
    Refused, CutBefore, CutAfter, Truncated,
    Garbage, WrongTypes, TooMuch, Redirect,
];

/// What a git remote, or something before it, may answer besides.
#[rustfmt::skip]
pub const FAULTS_OF_GIT: [What; 7] = [
    Html(200), Html(403), Html(302),
    Challenge, WrongType, NoPackets, OpenPackets,
];

pub const SLOW_FAULTS: [What; 2] = [Hang, Trickle];

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Coordinator,
    Api,
    Git,
}

/// The job that meets the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// None: the coordinator would give it out with an answer that is lost, and no runner would know.
    Lost,
    /// It gets no machine in any case.
    Cheap,
    Usual,
    /// It goes on until the fault has been met.
    Long,
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

/// Whatever is not in this table passes, and the job gets its machine, if it wants one that there is.
#[rustfmt::skip]
pub fn outcome(at: Endpoint, what: What) -> Outcome {
    match (at, what) {
        // What refuses us will refuse us again, and an administrator must do something.
        (Creation | List, Refusal(401 | 403))                 => Fails(NO_CREDENTIALS),
        // What is wrong with the request will be wrong again; 400 may be a stale version, though.
        (Creation | List, Refusal(404 | 410 | 416))           => Fails(NO_MACHINE),
        // Any other refusal may be of something in between.
        (Refs | Pack,     Challenge)                          => Fails(NO_PUSH),
        // What is wrong with the request will be wrong again. A refusal, though, is one call's only.
        (PutFailed,       Refusal(400))                       => Untold,
        (Words,           Refusal(400))                       => FailsInSilence,
        _ => match at.job() {
            Lost | Cheap => Fails(NO_FLAVOR),
            Usual | Long => Succeeds,
        },
    }
}

/// Those that give up on an answer within half a minute. Not here: a request for a job has ten
/// minutes (`outages` has one that hangs), a creation one, a push 30 and 45 seconds (`outages`, too).
#[rustfmt::skip]
pub const QUICKLY_IMPATIENT: [Endpoint; 9] = [
    PutRunning, Probe, Look, PutFailed, Flavors, Instances, Application, Orphans, Deletion,
];

/// How requests to an endpoint are known, and what makes one.
struct Row(Server, &'static str, &'static str, usize, Job);

impl Endpoint {
    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            // server, method, path, requests of the same kind that come before, job
            JobRequest  => Row(Coordinator, "POST",   "*/jobs/request",          0, Lost),
            PutRunning  => Row(Coordinator, "PUT",    "*/jobs/*",                0, Usual),
            Probe       => Row(Coordinator, "PATCH",  "*/trace",                 0, Usual),
            Look        => Row(Coordinator, "GET",    "*/api/v4/job",            0, Long),
            Words       => Row(Coordinator, "PATCH",  "*/trace",                 0, Cheap),
            // Behind the greeting.
            PutFailed   => Row(Coordinator, "PUT",    "*/jobs/*",                1, Cheap),
            Flavors     => Row(Api,         "GET",    "*/products/flavors",      0, Cheap),
            Instances   => Row(Api,         "GET",    "*/products/instances",    0, Usual),
            Creation    => Row(Api,         "POST",   "*/applications",          0, Usual),
            Application => Row(Api,         "GET",    "*/applications/app_*",    0, Usual),
            // Behind the search for orphans, and the look whether the account is good.
            List        => Row(Api,         "GET",    "*/applications",          2, Usual),
            Orphans     => Row(Api,         "GET",    "*/applications",          0, Cheap),
            Deletion    => Row(Api,         "DELETE", "*/applications/app_*",    0, Usual),
            Refs        => Row(Git,         "GET",    "*/info/refs",             0, Usual),
            Pack        => Row(Git,         "POST",   "*/git-receive-pack",      0, Usual),
        }
    }

    pub const fn server(self) -> Server {
        self.row().0
    }

    /// Method and path, as fault rules want them.
    pub const fn request(self) -> (&'static str, &'static str) {
        (self.row().1, self.row().2)
    }

    /// Requests of the same kind that come before.
    pub const fn skipped(self) -> usize {
        self.row().3
    }

    pub const fn job(self) -> Job {
        self.row().4
    }

    pub fn is(self, path: &str) -> bool {
        let (_, pattern) = self.request();
        let mut parts = pattern.split('*').skip(1);
        let (middle, end) = (parts.next().unwrap_or_default(), parts.next());
        end.map_or_else(|| path.ends_with(middle), |_| path.contains(middle))
    }

    /// For lists that lag, for what is not asked for again at once, or for a job that takes its
    /// time: such cells take long, and little else.
    pub const fn waits(self) -> bool {
        matches!(self, Creation | List | Instances | Look | Refs | Pack)
    }

    /// What git is answered, but for the packets.
    pub const fn git_type(self) -> &'static str {
        match self {
            Refs => "application/x-git-receive-pack-advertisement",
            _ => "application/x-git-receive-pack-result",
        }
    }

    /// The status that goes with an object that it should be.
    pub const fn success(self) -> u16 {
        match self {
            JobRequest => 201,
            _ => 200,
        }
    }

    /// Of the right shape at first sight.
    pub const fn wrong_types(self) -> &'static str {
        match self {
            Flavors | Instances | List | Orphans => {
                r#"[5, {"name": 7, "id": {}, "version": [], "memory": "much", "deployment": 1}]"#
            }
            _ => r#"{"id": [], "token": 5, "status": {}, "name": 7, "deployment": "x"}"#,
        }
    }
}
