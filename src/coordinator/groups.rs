//! What a coordinator knows of a group, beyond its jobs. GitLab page, section 6.2.

use serde::Deserialize;

use super::Coordinator;
use super::word::Yes;
use crate::http::{Call, segment};
use crate::secret::Secret;

/// A group's custom attributes. Tokens are kept there, so all values are secrets.
pub type Attributes = Vec<(String, Secret)>;

/// Why a group's attributes are not known.
#[derive(Debug)]
pub enum NoAttributes {
    /// There is no such group: the job's project belongs to a user.
    NoSuchGroup,
    /// Our token may not read them.
    Refused(String),
    /// It may work later.
    Trouble(String),
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    value: String,
}

impl Coordinator {
    /// The custom attributes of `group`, a full path; `token` must be an administrator's.
    ///
    /// # Errors
    /// [`NoAttributes`].
    pub fn group_attributes(
        &self,
        group: &str,
        token: &Secret,
    ) -> Result<Attributes, NoAttributes> {
        let group = segment(group);
        let url = format!("{}/groups/{group}/custom_attributes", self.api);
        let call = Call::get(&url)
            .about("coordinator", "group_attributes")
            .secret_header("PRIVATE-TOKEN", "", token);
        let answer = self
            .ask(&call, Yes::List)
            .map_err(|why| NoAttributes::Trouble(why.to_string()))?;
        match answer.status {
            200..=299 => {
                let attributes: Vec<Attribute> = serde_json::from_slice(&answer.body)
                    .map_err(|_| NoAttributes::Trouble("an unreadable answer".to_owned()))?;
                let pair = |attribute: Attribute| (attribute.key, Secret::new(attribute.value));
                Ok(attributes.into_iter().map(pair).collect())
            }
            401 | 403 => Err(NoAttributes::Refused(answer.describe(&call))),
            404 => Err(NoAttributes::NoSuchGroup),
            _ => Err(NoAttributes::Trouble(answer.describe(&call))),
        }
    }
}
