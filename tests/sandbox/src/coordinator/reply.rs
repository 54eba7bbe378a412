//! The shapes of a coordinator's answers, and reading the parameters of its calls.

use serde_json::{Map, Value, json};

use crate::http::{Request, Response, reason};

/// A refusal is an answer too: handlers leave early with it.
pub type Reply = Result<Response, Response>;

/// The parameters of a call as Rails sees them: of its body, JSON or a form, and of its query.
pub struct Params(pub Map<String, Value>);

/// `{"message":"403 Forbidden - why"}`
pub fn refusal(status: u16, why: Option<&str>) -> Response {
    let text = match status {
        400 => "Bad request",
        status => reason(status),
    };
    let message = match why {
        Some(why) => format!("{status} {text} - {why}"),
        None => format!("{status} {text}"),
    };
    Response::json(status, &json!({"message": message}))
}

/// `{"message":"404 Project Not Found"}` and the like, for what has words of its own.
pub fn message(status: u16, text: &str) -> Response {
    Response::json(status, &json!({"message": text}))
}

/// What parameter validation says.
pub fn invalid(why: &str) -> Response {
    Response::json(400, &json!({"error": why}))
}

/// The status number as text, as PUT and PATCH answer.
pub fn number(status: u16) -> Response {
    Response::json(status, &json!(status))
}

impl Params {
    /// # Errors
    /// 400 when the body is not what its `Content-Type` says.
    pub fn of(request: &Request) -> Result<Self, Response> {
        let mut params = Map::new();
        match request.media_type().as_deref() {
            _ if request.body.is_empty() => {}
            Some("application/json") => match request.json() {
                Some(Value::Object(body)) => params = body,
                _ => return Err(invalid("Invalid JSON")),
            },
            Some("application/x-www-form-urlencoded") => {
                for (key, value) in request.form() {
                    params.insert(key, Value::String(value));
                }
            }
            _ => {}
        }
        if let Some(token) = request.parameter("token") {
            params.entry("token").or_insert(Value::String(token));
        }
        Ok(Self(params))
    }

    /// # Errors
    /// 400 when it is there and no string.
    pub fn string(&self, name: &str) -> Result<Option<&str>, Response> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(value)) => Ok(Some(value)),
            Some(_) => Err(invalid(&format!("{name} is invalid"))),
        }
    }

    /// # Errors
    /// 400 when it is missing or no string.
    pub fn required(&self, name: &str) -> Result<&str, Response> {
        self.string(name)?
            .ok_or_else(|| invalid(&format!("{name} is missing")))
    }

    /// # Errors
    /// 400 when it is there and no whole number.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Response> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_i64()
                .or_else(|| value.as_str()?.parse().ok())
                .map(Some)
                .ok_or_else(|| invalid(&format!("{name} is invalid"))),
        }
    }

    /// Of a form it is a word.
    ///
    /// # Errors
    /// 400 when it is there and no truth value.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Response> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(word)) => match word.to_ascii_lowercase().as_str() {
                "" => Ok(None),
                "true" | "t" | "on" | "1" => Ok(Some(true)),
                "false" | "f" | "off" | "0" => Ok(Some(false)),
                _ => Err(invalid(&format!("{name} is invalid"))),
            },
            Some(_) => Err(invalid(&format!("{name} is invalid"))),
        }
    }

    /// Some words: an array, or one text with commas. Empty when it is missing.
    ///
    /// # Errors
    /// 400 when it is there and no such thing.
    pub fn list(&self, name: &str) -> Result<Vec<String>, Response> {
        let words = match self.0.get(name) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::String(words)) => Some(words.split(',').map(str::to_owned).collect()),
            Some(Value::Array(words)) => words
                .iter()
                .map(|it| it.as_str().map(str::to_owned))
                .collect(),
            Some(_) => None,
        };
        let mut words: Vec<String> = words.ok_or_else(|| invalid(&format!("{name} is invalid")))?;
        words.retain(|word| !word.is_empty());
        Ok(words)
    }

    /// # Errors
    /// 400 when it is there and no object.
    pub fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, Response> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(invalid(&format!("{name} is invalid"))),
        }
    }
}
