//! Who may come to an application's git repository, and when. Clever page, 1.6 and 4.1.

use std::sync::{Arc, Mutex};

use super::model::{Organization, RepositoryState};
use super::settings::{Hook, Role};
use super::world::World;
use crate::journal::Source;

pub(crate) struct Visitor<'a> {
    pub application: &'a str,
    pub user: &'a str,
    pub password: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Welcome,
    /// Not with these credentials.
    Stranger,
    /// There is no such repository: not yet, not any more, not ever.
    NoRepository,
}

impl Hook {
    /// As the repository's hooks know it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Normal | Self::QueuesNothing => "normal",
            Self::Json => "json",
            Self::Silent => "silent",
            Self::Refuses => "refuses",
        }
    }
}

impl World {
    /// Anybody with a key of the owner's that pushes.
    pub(crate) fn admit(&self, visitor: &Visitor<'_>) -> Admission {
        let may_push = |organization: &Organization| {
            organization
                .role_of(|key| key.pushes(visitor.user, visitor.password))
                .is_some_and(|role| role != Role::Accounting)
        };
        let mut state = self.state();
        let early_is_401 = state.quirks.early_push_unauthorized;
        let knows = state.organizations.iter().any(may_push);
        let Some(application) = state.application(visitor.application) else {
            return if knows {
                Admission::NoRepository
            } else {
                Admission::Stranger
            };
        };
        let (owner, repository) = (application.organization.clone(), application.repository);
        let name = application.spec.name.clone();
        let is_owner = state.organization(&owner).is_some_and(may_push);
        drop(state);
        if !is_owner {
            if knows {
                let what = format!("{name} was approached with another organization's token");
                self.complain(Source::Git, what);
            }
            return Admission::Stranger;
        }
        match repository {
            RepositoryState::Created => return Admission::Welcome,
            RepositoryState::Creating => {
                let what = format!("{name} was approached before its repository was created");
                self.complain(Source::Git, what);
            }
            RepositoryState::Deleted => {
                let what = format!("{name} was approached after it was deleted");
                self.complain(Source::Git, what);
            }
        }
        if repository == RepositoryState::Creating && early_is_401 {
            Admission::Stranger
        } else {
            Admission::NoRepository
        }
    }

    /// What is held during a push, and how the hook behaves then.
    pub(crate) fn begin_push(&self, id: &str) -> Option<(Arc<Mutex<()>>, Hook)> {
        let mut state = self.state();
        let hook = state.quirks.hook;
        let application = state.application(id)?;
        Some((Arc::clone(&application.pushing), hook))
    }
}
