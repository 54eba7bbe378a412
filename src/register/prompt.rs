//! Asking a person, or whatever stands in for one at the other end of standard input.
//!
//! It knows how to put a question until an answer will do, and how to keep a token off the screen;
//! what is asked, and what will do, is for others. All is said on standard error, as the log is,
//! so that both come in order.

use std::io::{self, BufRead, StdinLock, Write};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use super::Trouble;
use super::questions::{Given, Question, Typing};
use crate::output::complain;

/// The other side of the conversation, and what it said before.
pub struct Person<'a> {
    given: &'a Given,
    input: StdinLock<'static>,
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
        }
    }

    /// Whether an option says something about it, right or wrong.
    pub fn has_said(&self, question: &Question) -> bool {
        self.given.answer(question).is_some()
    }

    /// The first answer that `check` accepts. Its error says what is wrong with an answer; it must
    /// not quote a secret.
    ///
    /// # Errors
    /// [`Trouble`] when the input ends before that, or the person does not want to go on.
    pub fn answer<T>(
        &mut self,
        question: &Question,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Trouble> {
        self.answer_about(question, question.text, check)
    }

    /// The same with another text.
    ///
    /// # Errors
    /// As above.
    pub fn answer_about<T>(
        &mut self,
        question: &Question,
        text: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Trouble> {
        if let Some(given) = self.given.answer(question) {
            match check(given.trim()) {
                Ok(answer) => return Ok(answer),
                Err(why) => log::warn!("--{}: {why}", question.option.long),
            }
        }
        if !text.is_empty() {
            complain(text);
        }
        loop {
            let line = self.ask(question);
            let broken = |error| Trouble::Told(format!("cannot read standard input: {error}"));
            match line.map_err(broken)? {
                Line::Text(text) => match check(text.trim()) {
                    Ok(answer) => return Ok(answer),
                    Err(why) => log::warn!("{why}"),
                },
                Line::Unreadable => log::warn!("this is not a text in UTF-8"),
                Line::End => return Err(unanswered(question)),
                Line::Interrupt => return Err(Trouble::Interrupted),
            }
        }
    }

    fn ask(&mut self, question: &Question) -> io::Result<Line> {
        // Before the prompt: who sees it may begin to type.
        let hidden = question.typing == Typing::Hidden;
        let hiding = hidden.then(Hiding::begin).flatten();
        // Where it can't be shown an answer may come from a pipe all the same.
        let _ = write!(io::stderr(), "{}: ", question.prompt);
        let interrupt = hiding.as_ref().and_then(|hiding| hiding.interrupt);
        read_line(&mut self.input, interrupt)
    }
}

fn unanswered(question: &Question) -> Trouble {
    let (prompt, option) = (question.prompt, question.option.long);
    // The prompt waits on an unfinished line.
    complain("");
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
