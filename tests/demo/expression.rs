//! What stands behind `if`: `$BRANCH == "main" && ($TAG || $FORCE != null)`.
//!
//! Regular expressions are read and not matched: where one decides, the answer is not known.

use std::iter::Peekable;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    Yes,
    No,
    /// It depends on something that the demo does not judge.
    Unknown,
}

impl Truth {
    pub const fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }

    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }

    pub const fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }
}

impl From<bool> for Truth {
    fn from(is_so: bool) -> Self {
        if is_so { Self::Yes } else { Self::No }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A variable, a text or null.
    Text(Option<String>),
    Pattern,
    /// An operator or a parenthesis.
    Sign(&'static str),
}

const SIGNS: [&str; 8] = ["==", "!=", "=~", "!~", "&&", "||", "(", ")"];

/// `value_of` tells the value of a variable; none: it is not set.
///
/// # Errors
/// When it is no expression.
pub fn judge(text: &str, value_of: impl Fn(&str) -> Option<String>) -> Result<Truth, String> {
    let wrong = || format!("`{text}` is no expression that GitLab would take");
    let mut tokens = tokens(text, value_of)
        .ok_or_else(wrong)?
        .into_iter()
        .peekable();
    let truth = any(&mut tokens).ok_or_else(wrong)?;
    if tokens.peek().is_some() {
        return Err(wrong());
    }
    Ok(truth)
}

fn tokens(text: &str, value_of: impl Fn(&str) -> Option<String>) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let token = if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            rest = &rest[sign.len()..];
            Token::Sign(sign)
        } else if matches!(first, '"' | '\'' | '/') {
            let mut is_escaped = false;
            let ends = |c: char| {
                let ends = c == first && !is_escaped;
                is_escaped = first == '/' && c == '\\' && !is_escaped;
                ends
            };
            let end = 1 + rest[1..].find(ends)?;
            let inner = rest[1..end].to_owned();
            rest = &rest[end + 1..];
            if first == '/' {
                rest = rest.trim_start_matches(char::is_alphabetic);
                Token::Pattern
            } else {
                Token::Text(Some(inner))
            }
        } else {
            let (word, behind) = word(rest)?;
            rest = behind;
            match word.strip_prefix('$') {
                Some(name) => Token::Text(value_of(name.trim_matches(['{', '}']))),
                None if word == "null" => Token::Text(None),
                None => return None,
            }
        };
        tokens.push(token);
        rest = rest.trim_start();
    }
    Some(tokens)
}

/// A name with what may stand around it, and what is behind.
fn word(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '{' | '}');
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

type Tokens = Peekable<std::vec::IntoIter<Token>>;

fn any(tokens: &mut Tokens) -> Option<Truth> {
    let mut truth = all(tokens)?;
    while tokens.next_if_eq(&Token::Sign("||")).is_some() {
        truth = truth.or(all(tokens)?);
    }
    Some(truth)
}

fn all(tokens: &mut Tokens) -> Option<Truth> {
    let mut truth = one(tokens)?;
    while tokens.next_if_eq(&Token::Sign("&&")).is_some() {
        truth = truth.and(one(tokens)?);
    }
    Some(truth)
}

fn one(tokens: &mut Tokens) -> Option<Truth> {
    let left = match tokens.next()? {
        Token::Sign("(") => {
            let truth = any(tokens)?;
            tokens.next_if_eq(&Token::Sign(")"))?;
            return Some(truth);
        }
        Token::Text(left) => left,
        _ => return None,
    };
    let Some(Token::Sign(sign)) = tokens.next_if(
        |next| matches!(next, Token::Sign(sign) if ["==", "!=", "=~", "!~"].contains(sign)),
    ) else {
        return Some(left.is_some_and(|text| !text.is_empty()).into());
    };
    let right = tokens.next()?;
    Some(match (sign, right) {
        ("==", Token::Text(right)) => Truth::from(left == right),
        ("!=", Token::Text(right)) => Truth::from(left != right),
        // What is not set matches nothing.
        ("=~", Token::Pattern | Token::Text(_)) if left.is_none() => Truth::No,
        ("!~", Token::Pattern | Token::Text(_)) if left.is_none() => Truth::Yes,
        ("=~" | "!~", Token::Pattern | Token::Text(_)) => Truth::Unknown,
        _ => return None,
    })
}
