//! Whose job it is, as the coordinator says. It says that first: what a job's author defines under the same
//! name stands behind it, and does not count.

use super::Payload;

pub const ROOT_NAMESPACE: &str = "CI_PROJECT_ROOT_NAMESPACE";
pub const PROJECT_PATH: &str = "CI_PROJECT_PATH";
pub const USER: &str = "GITLAB_USER_LOGIN";

impl Payload {
    /// The path of its project, for people.
    #[must_use]
    pub fn project_path(&self) -> Option<&str> {
        self.own_variable(PROJECT_PATH)
    }

    /// The login name of who has started it, for people.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.own_variable(USER)
    }

    /// The path of the top-level group that the job's project belongs to: it decides who pays.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.own_variable(ROOT_NAMESPACE)
    }

    fn own_variable(&self, key: &str) -> Option<&str> {
        let mut variables = self.variables.iter();
        let first = variables.find(|variable| variable.key == key)?;
        Some(first.value.as_str()).filter(|value| !value.is_empty())
    }
}
