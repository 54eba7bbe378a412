//! When a credential ends, where Clever Cloud tells it. Clever page, 1.2 to 1.4.
//!
//! Each kind is asked for in a place of its own, and one of them nowhere. A list of tokens does not
//! say which of them is ours: what it says is handed on with names, by which a person knows. None of
//! these calls was tried with the real service, and none changes anything.

use ureq::http::Method;

use super::api::{Account, Api, usual};
use super::credential::Credential;
use super::error::ApiError;
use crate::clock::Timestamp;
use crate::http::Answer;
use crate::json::{self, Fields};

/// The end of a credential, or of one that may be it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenEnd {
    /// Where it is one of several: what its owner calls it.
    pub name: Option<String>,
    /// When it was made, if that is told.
    pub made: Option<Timestamp>,
    pub ends: Timestamp,
}

impl Api {
    /// The end of the account's credential; nothing, where that is not told. `asking` is what may
    /// read the list of API tokens.
    ///
    /// # Errors
    /// [`ApiError`]
    pub fn token_ends(
        &self,
        account: &Account,
        asking: &Credential,
    ) -> Result<Vec<TokenEnd>, ApiError> {
        match &account.credential {
            Credential::Token(_) => Ok(Vec::new()),
            credential @ Credential::OAuth { .. } => self.pair_end(credential),
            Credential::ApiToken(_) => {
                let bridge = self.bridge.strip_suffix("/v2").unwrap_or(&self.bridge);
                let list = self.ask(asking, &format!("{bridge}/api-tokens"))?;
                ends_of_list(&list.body, "creationDate", "expirationDate")
            }
            credential @ Credential::ServiceToken(_) => {
                let (base, organization) = (&self.base, &account.organization);
                let url = format!("{base}/organisations/{organization}/service-tokens");
                let list = self.ask(credential, &url)?;
                ends_of_list(&list.body, "createdAt", "expiredAt")
            }
        }
    }

    /// The end of a user's pair.
    ///
    /// # Errors
    /// [`ApiError`]
    pub fn pair_end(&self, pair: &Credential) -> Result<Vec<TokenEnd>, ApiError> {
        let answer = self.ask(pair, &format!("{}/self/tokens/current", self.base))?;
        let fields = Fields::read(&answer.body).map_err(|_| ApiError::Garbled)?;
        let end = moment(&fields, "expirationDate").map(|ends| TokenEnd {
            name: None,
            made: moment(&fields, "creationDate"),
            ends,
        });
        Ok(end.into_iter().collect())
    }

    fn ask(&self, credential: &Credential, url: &str) -> Result<Answer, ApiError> {
        self.exchange_as(credential, usual(Method::GET, "token", url))
    }
}

/// Those of a list that are not over, or called so.
fn ends_of_list(list: &[u8], made: &str, ends: &str) -> Result<Vec<TokenEnd>, ApiError> {
    let tokens = json::objects(list).map_err(|_| ApiError::Garbled)?;
    let is_active = |token: &Fields<'_>| {
        let state = token.text("state").or_else(|| token.text("status"));
        state.is_none_or(|state| state == "ACTIVE")
    };
    let active: Vec<_> = tokens.iter().filter(|token| is_active(token)).collect();
    let found = active.iter().filter_map(|token| {
        Some(TokenEnd {
            name: (active.len() > 1).then(|| token.text("name").unwrap_or_default()),
            made: moment(token, made),
            ends: moment(token, ends)?,
        })
    });
    Ok(found.collect())
}

/// In milliseconds, or as a text.
fn moment(fields: &Fields<'_>, key: &str) -> Option<Timestamp> {
    let milliseconds: Option<u64> = fields.get(key);
    let milliseconds = milliseconds.map(Timestamp::of_milliseconds);
    milliseconds.or_else(|| Timestamp::read(&fields.text(key)?))
}

#[cfg(test)]
mod tests {
    use super::ends_of_list;
    use crate::clock::Timestamp;

    #[test]
    fn tokens_of_a_list_have_names_where_there_are_several_that_may_be_ours() {
        let read = |list: &str| {
            let ends = ends_of_list(list.as_bytes(), "creationDate", "expirationDate");
            let ends = ends.unwrap_or_default().into_iter();
            ends.map(|end| (end.name, end.ends)).collect::<Vec<_>>()
        };
        let at = Timestamp::of_milliseconds(1_800_000_000_000);
        let one = r#"{"name": "ci", "state": "ACTIVE", "expirationDate": "2027-01-15T08:00:00Z"}"#;
        let other = r#"{"name": "me", "expirationDate": 1800000000000}"#;
        let over = r#"{"name": "old", "state": "EXPIRED", "expirationDate": 1700000000000}"#;
        assert_eq!(read(&format!("[{one}, {over}, 7]")), [(None, at)]);
        let both = [(Some("ci".to_owned()), at), (Some("me".to_owned()), at)];
        assert_eq!(read(&format!("[{one}, {other}]")), both);
        for nothing in [
            "[]",
            "{}",
            r#"[{"name": "ci"}]"#,
            r#"[{"expirationDate": "soon"}]"#,
        ] {
            assert_eq!(read(nothing), [], "{nothing}");
        }
    }
}
