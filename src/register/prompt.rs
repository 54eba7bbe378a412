//! Asking a person, or whatever stands in for one at the other end of standard input.
//!
//! It knows how to put a question until an answer will do, and how to keep a token off the screen;
//! what is asked, and what will do, is for others. All is said on standard error, as the log is,
//! so that both come in order.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, IsTerminal, StdinLock, Write};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use super::Trouble;
use super::questions::{Asked, Given, Question, Typing};
use crate::output::complain;
use crate::secret::Secret;

/// The other side of the conversation, and what it said before.
pub struct Person<'a> {
    given: &'a Given,
    input: StdinLock<'static>,
    /// At a terminal somebody can think again. A pipe has one answer.
    can_answer_again: bool,
    /// The input has ended.
    has_left: bool,
    /// The last answer that seemed good, by the option's name. Some are secrets.
    answers: BTreeMap<&'static str, Secret>,
    /// What was said of these did not do.
    taken_back: BTreeSet<&'static str>,
}

/// An answer that will not do.
pub struct Wrong {
    pub why: String,
    /// One that would.
    pub mend: Option<String>,
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self { why, mend: None }
    }
}

/// One line of input.
enum Line {
    Text(String),
    /// Not a text in UTF-8.
    Unreadable,
    End,
    /// Control-C while nothing is shown.
    Interrupt,
}

impl<'a> Person<'a> {
    #[must_use]
    pub fn at_standard_input(given: &'a Given) -> Self {
        Self {
            given,
            input: io::stdin().lock(),
            can_answer_again: io::stdin().is_terminal(),
            has_left: false,
            answers: BTreeMap::new(),
            taken_back: BTreeSet::new(),
        }
    }

    /// Whether an option says something about it, right or wrong.
    pub fn has_said(&self, question: &Question) -> bool {
        self.given.answer(question).is_some()
    }

    /// Whether somebody is there who can think again.
    pub const fn can_answer_again(&self) -> bool {
        self.can_answer_again
    }

    /// Whether nobody is known to be there any more.
    pub const fn has_left(&self) -> bool {
        self.has_left
    }

    /// The answers to these were good each by itself, and are not together: they will be asked again.
    pub fn take_back(&mut self, questions: &[&Question]) {
        let names = questions.iter().map(|question| question.option.long);
        self.taken_back.extend(names);
    }

    /// What Enter means when this is asked again.
    pub fn propose(&mut self, question: &Question, answer: &str) {
        self.answers
            .insert(question.option.long, Secret::new(answer));
    }

    /// The first answer that `check` accepts. Its error says what is wrong with an answer; it must
    /// not quote a secret.
    ///
    /// # Errors
    /// [`Trouble`] when the input ends before that, or the person does not want to go on; and when the
    /// answer is wrong and can't be asked for again.
    pub fn answer<T, W: Into<Wrong>>(
        &mut self,
        asked: Asked<'_>,
        check: impl FnMut(&str) -> Result<T, W>,
    ) -> Result<T, Trouble> {
        let question = asked.question;
        let answer = self.answer_if_any(asked, check)?;
        answer.ok_or_else(|| unanswered(question))
    }

    /// The same, where nothing is said when nobody is there.
    ///
    /// # Errors
    /// As above, but for the end of an input that is no terminal.
    pub fn answer_if_any<T, W: Into<Wrong>>(
        &mut self,
        mut asked: Asked<'_>,
        mut check: impl FnMut(&str) -> Result<T, W>,
    ) -> Result<Option<T>, Trouble> {
        let option = asked.question.option.long;
        if self.taken_back.contains(option) {
            if let Some(before) = self.answers.get(option) {
                asked.default = Some(before.reveal().to_owned());
            }
        } else if let Some(given) = self.given.answer(asked.question) {
            let whence = format!("--{option}: ");
            let judged = self.judge(&mut asked, &whence, given.trim(), &mut check)?;
            if judged.is_some() {
                return Ok(judged);
            }
            self.taken_back.insert(option);
        }
        if !asked.text.is_empty() && !self.has_left {
            complain(&asked.text);
        }
        loop {
            let typed = match self.ask(&asked)? {
                Line::Text(text) => text,
                Line::Unreadable => {
                    log::warn!("this is not a text in UTF-8");
                    continue;
                }
                Line::Interrupt => return Err(Trouble::Interrupted),
                // At a terminal it is somebody's wish to leave.
                Line::End if self.can_answer_again => return Err(unanswered(asked.question)),
                Line::End => match asked.default.clone().filter(|_| asked.counts_alone) {
                    Some(default) => default,
                    None => return Ok(None),
                },
            };
            let text = match (typed.trim(), &asked.default) {
                ("", Some(default)) => default.clone(),
                (typed, _) => typed.to_owned(),
            };
            let judged = self.judge(&mut asked, "", &text, &mut check)?;
            if judged.is_some() {
                return Ok(judged);
            }
        }
    }

    /// Whether the person agrees. Enter means `usual`; when nobody is there nobody does.
    ///
    /// # Errors
    /// [`Trouble`] when the input can't be read, or the person does not want to go on.
    pub fn agrees(&mut self, text: &str, usual: bool) -> Result<bool, Trouble> {
        let choice = if usual { "[Y/n]" } else { "[y/N]" };
        loop {
            let _ = write!(io::stderr(), "{text} {choice} ");
            let line = read_line(&mut self.input, None).map_err(|error| broken(&error))?;
            let Line::Text(line) = line else {
                complain("");
                if self.can_answer_again {
                    return Err(Trouble::Told("the input ended at a yes or no".to_owned()));
                }
                return Ok(false);
            };
            match line.trim().to_lowercase().as_str() {
                "" => return Ok(usual),
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => log::warn!("yes or no?"),
            }
        }
    }

    /// The answer, if it will do. If not, what was wrong with it has been told.
    fn judge<T, W: Into<Wrong>>(
        &mut self,
        asked: &mut Asked<'_>,
        whence: &str,
        text: &str,
        check: &mut impl FnMut(&str) -> Result<T, W>,
    ) -> Result<Option<T>, Trouble> {
        let wrong: Wrong = match check(text) {
            Ok(answer) => {
                if !text.is_empty() {
                    self.propose(asked.question, text);
                }
                return Ok(Some(answer));
            }
            Err(wrong) => wrong.into(),
        };
        if !self.can_answer_again {
            let whence = if whence.is_empty() {
                format!("\"{}\": ", asked.question.prompt)
            } else {
                whence.to_owned()
            };
            return Err(Trouble::Told(format!(
                "{whence}{}. Nothing was written",
                wrong.why
            )));
        }
        log::warn!("{whence}{}", wrong.why);
        if wrong.mend.is_some() {
            asked.default = wrong.mend;
        }
        Ok(None)
    }

    fn ask(&mut self, asked: &Asked<'_>) -> Result<Line, Trouble> {
        if self.has_left {
            return Ok(Line::End);
        }
        // Before the prompt: who sees it may begin to type.
        let hidden = asked.question.typing == Typing::Hidden;
        let hiding = hidden.then(Hiding::begin).flatten();
        let default = match &asked.default {
            None => String::new(),
            Some(_) if hidden => " [as before]".to_owned(),
            Some(default) => format!(" [{default}]"),
        };
        // Where it can't be shown an answer may come from a pipe all the same.
        let _ = write!(io::stderr(), "{}{default}: ", asked.question.prompt);
        let interrupt = hiding.as_ref().and_then(|hiding| hiding.interrupt);
        let line = read_line(&mut self.input, interrupt).map_err(|error| broken(&error))?;
        if matches!(line, Line::End) {
            self.has_left = true;
            // The prompt waits on an unfinished line.
            complain("");
        }
        Ok(line)
    }
}

fn broken(error: &io::Error) -> Trouble {
    Trouble::Told(format!("cannot read standard input: {error}"))
}

fn unanswered(question: &Question) -> Trouble {
    let (prompt, option) = (question.prompt, question.option.long);
    Trouble::Told(format!(
        "the input ended at \"{prompt}\"; answer it with --{option}. Nothing was written"
    ))
}

/// Reads up to the end of the line, or to the byte that stands for an interrupt.
fn read_line(input: &mut impl BufRead, interrupt: Option<u8>) -> io::Result<Line> {
    let mut line = Vec::new();
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() && line.is_empty() {
            return Ok(Line::End);
        }
        let ends = |byte: &u8| *byte == b'\n' || Some(*byte) == interrupt;
        let end = buffer.iter().position(ends);
        let last = end.map(|end| buffer[end]);
        let taken = end.map_or(buffer.len(), |end| end + 1);
        line.extend_from_slice(&buffer[..end.unwrap_or(taken)]);
        input.consume(taken);
        match last {
            Some(b'\n') => break,
            Some(_) => return Ok(Line::Interrupt),
            // The end of the input ends the line as well.
            None if taken == 0 => break,
            None => {}
        }
    }
    Ok(String::from_utf8(line).map_or(Line::Unreadable, Line::Text))
}

/// As long as this lives the terminal shows nothing of what is typed.
///
/// A signal would end the program without putting the terminal back, so that the keys which send
/// one are switched off meanwhile. The interrupt key ends the line instead: the line can still be
/// edited, and the key still works at once.
struct Hiding {
    before: Termios,
    interrupt: Option<u8>,
}

impl Hiding {
    /// Nothing, where there is no terminal: a pipe shows nothing anyway.
    fn begin() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let interrupt = before.special_codes[SpecialCodeIndex::VINTR];
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG;
        hidden.local_modes |= LocalModes::ICANON;
        hidden.special_codes[SpecialCodeIndex::VEOL] = interrupt;
        tcsetattr(io::stdin(), OptionalActions::Drain, &hidden).ok()?;
        Some(Self {
            before,
            // 0 means that there is no such key.
            interrupt: (interrupt != 0).then_some(interrupt),
        })
    }
}

impl Drop for Hiding {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
        // The person's own line break was not shown.
        complain("");
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, read_line};

    fn lines(mut input: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(match read_line(&mut input, Some(3)).unwrap() {
                Line::Text(text) => text,
                Line::Unreadable => "unreadable".to_owned(),
                Line::Interrupt => "interrupt".to_owned(),
                Line::End => return lines,
            });
        }
    }

    #[test]
    fn input_is_read_line_by_line_with_its_interrupts() {
        assert_eq!(lines(b"a\n\nb"), ["a", "", "b"]);
        assert_eq!(lines(b"a\x03b\n"), ["interrupt", "b"]);
        assert_eq!(lines(b"\xff\nb\n"), ["unreadable", "b"]);
    }
}
