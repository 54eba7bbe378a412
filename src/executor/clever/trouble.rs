//! Why something at Clever Cloud came to nothing, and what follows from that for a job's machine.
//!
//! What the API answered is one reason among others; the rest is this executor's own knowledge. All
//! questions that decide about a repetition or an end are asked here.

use std::fmt;
use std::time::Duration;

use crate::clever::ApiError;
use crate::executor::Failure;

#[derive(Debug)]
pub enum Trouble {
    /// A call was made, and this came back.
    Api(ApiError),
    /// What a call needs could not be learnt, so it was not made.
    Unprepared(String),
    /// A deletion that was accepted, and of which nothing is seen.
    StillThere,
    /// The call was not made, and never will be.
    Final(Failure),
    /// So with this one, because no organization pays for the group's machines.
    NoAccount(Failure),
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => error.fmt(f),
            Self::Unprepared(why) => f.write_str(why),
            Self::StillThere => f.write_str("the application is still there after its deletion"),
            Self::Final(failure) | Self::NoAccount(failure) => f.write_str(&failure.admin),
        }
    }
}

impl Trouble {
    /// Whether what was asked for may have been done all the same.
    pub const fn may_have_been_done(&self) -> bool {
        matches!(self, Self::Api(error) if error.may_have_been_done())
    }

    /// Whether the same may work later.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Api(error) => error.may_pass(),
            Self::Unprepared(_) | Self::StillThere => true,
            Self::Final(_) | Self::NoAccount(_) => false,
        }
    }

    pub const fn is_refused_credentials(&self) -> bool {
        matches!(self, Self::Api(error) if error.is_refused_credentials())
    }

    pub const fn is_bad_request(&self) -> bool {
        matches!(self, Self::Api(error) if error.is_bad_request())
    }

    /// The pause that Clever Cloud asked for.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.retry_after(),
            _ => None,
        }
    }
}
