//! Completions for shells, made from the tables by which command lines are read.
//!
//! Each shell has a module that writes a script; what they need to know of a command line is the same.
//! The scripts ask the program nothing when they are used. A first argument may make another command of
//! a program, and that one's first argument again another: outer ones stand before inner ones.

pub mod bash;
pub mod fish;
pub mod zsh;

use crate::options::{Described, DescribedOption, Offers, Word};

/// A command of the program.
pub struct Command {
    /// What makes it of another one, if it is none by itself: that one's name, and its first argument.
    pub of: Option<(&'static str, &'static str)>,
    pub line: Described,
}

/// A program, and the arguments that make it a command.
type Start = (&'static str, Vec<&'static str>);

/// First arguments: of which command, what they are, and the command that they make of it.
fn first_arguments(
    commands: &[Command],
) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    commands.iter().filter_map(|command| {
        let (outer, word) = command.of?;
        Some((outer, word, command.line.program))
    })
}

impl Command {
    /// Whether it is a program, under a name without a first argument.
    fn is_program(&self) -> bool {
        !self.line.program.contains(' ')
    }

    /// First arguments that make other commands of it, in the way in which all three shells take a list.
    fn first_arguments(&self, commands: &[Command]) -> String {
        let own = first_arguments(commands).filter(|(outer, ..)| *outer == self.line.program);
        let words: Vec<_> = own.map(|(_, word, _)| word).collect();
        words.join(" ")
    }

    /// All ways to begin a line that is about it.
    fn starts(&self, commands: &[Command]) -> Vec<Start> {
        let of_programs = self.is_program().then(|| (self.line.program, Vec::new()));
        let outer = self.of.iter().flat_map(|(program, word)| {
            let outer = commands
                .iter()
                .filter(|command| command.line.program == *program);
            let starts = outer.flat_map(|outer| outer.starts(commands));
            starts.map(|(program, words)| (program, [words, vec![*word]].concat()))
        });
        of_programs.into_iter().chain(outer).collect()
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
