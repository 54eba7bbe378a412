//! Completions for shells, made from the tables by which command lines are read.
//!
//! Each shell has a module that writes a script; what they need to know of a command line is the same.
//! The scripts ask the program nothing when they are used.

pub mod bash;
pub mod fish;
pub mod zsh;

use crate::options::{Described, DescribedOption, Offers, Word};

/// A command of the program.
pub struct Command {
    /// The first argument that makes the program this command.
    pub word: Option<&'static str>,
    pub line: Described,
}

/// First arguments, with the commands that they make of the program.
fn words(commands: &[Command]) -> impl Iterator<Item = (&'static str, &Command)> {
    commands
        .iter()
        .filter_map(|command| Some((command.word?, command)))
}

impl Command {
    /// Whether it is a program of its own, too, under a name without a first argument.
    fn is_program(&self) -> bool {
        !self.line.program.contains(' ')
    }
}

impl DescribedOption {
    /// The words that may be its value.
    fn words(&self) -> Vec<Word> {
        match self.offers {
            Offers::Words(words) => words(),
            Offers::Nothing | Offers::Files | Offers::Folders => Vec::new(),
        }
    }
}

/// Words in the way in which all three shells take a list of them.
fn list(words: &[Word]) -> String {
    let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    words.join(" ")
}
