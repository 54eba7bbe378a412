//! What a coordinator knows of a group, beyond its jobs. GitLab page, section 6.2.

use serde::Deserialize;

use super::Coordinator;
use crate::http::Call;
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
        let url = format!("{}/groups/{}/custom_attributes", self.api, escape(group));
        let call = Call::get(&url).secret_header("PRIVATE-TOKEN", "", token);
        let answer = self
            .http
            .send(&call)
            .map_err(|error| NoAttributes::Trouble(error.to_string()))?;
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

/// One segment of a path: a `/` in it would be a segment's end.
fn escape(segment: &str) -> String {
    segment.bytes().fold(String::new(), |escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped + &char::from(byte).to_string()
        } else {
            escaped + &format!("%{byte:02X}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn a_path_stays_one_segment() {
        assert_eq!(escape("acme/space é"), "acme%2Fspace%20%C3%A9");
    }
}
