//! For fish.

use std::fmt::Write;

use super::{Command, list, words};
use crate::options::{DescribedOption, Offers};

#[must_use]
pub fn script(commands: &[Command]) -> String {
    let mut script =
        "# Completions for fish, made by heptapod-paas-runner from its own tables.\n".to_owned();
    // It is read once for each name.
    for command in commands.iter().filter(|command| command.is_program()) {
        let _ = writeln!(script, "complete -e -c {}", command.line.program);
    }
    let first: Vec<_> = words(commands).map(|(word, _)| word).collect();
    let first = first.join(" ");
    for command in commands {
        for start in starts(command, &first) {
            for option in &command.line.options {
                write_option(&mut script, &start, option);
            }
            if command.line.operand.is_none() {
                let _ = writeln!(script, "{start} -f");
            }
        }
    }
    let _ = writeln!(
        script,
        "complete -c heptapod-paas-runner -n __fish_use_subcommand -a '{first}'"
    );
    script
}

/// How lines begin that are about a command, under each of its names.
fn starts(command: &Command, first: &str) -> Vec<String> {
    let program = command.line.program;
    let condition = |condition: String| {
        let program = "heptapod-paas-runner";
        format!("complete -c {program} -n '{condition}'")
    };
    match command.word {
        None => vec![condition(format!(
            "not __fish_seen_subcommand_from {first}"
        ))],
        Some(word) => {
            let mut starts = vec![condition(format!("__fish_seen_subcommand_from {word}"))];
            if command.is_program() {
                starts.push(format!("complete -c {program}"));
            }
            starts
        }
    }
}

fn write_option(script: &mut String, start: &str, option: &DescribedOption) {
    let short = option
        .short
        .map_or_else(String::new, |short| format!(" -s {short}"));
    let words = option.words();
    let value = match (option.value, option.offers) {
        (None, _) => String::new(),
        (Some(_), Offers::Nothing) => " -x".to_owned(),
        (Some(_), Offers::Files) => " -r -F".to_owned(),
        (Some(_), Offers::Folders) => " -x -a '(__fish_complete_directories)'".to_owned(),
        (Some(_), Offers::Words(_)) => format!(" -x -a '{}'", list(&words)),
    };
    let help = option.help.replace('\\', r"\\").replace('\'', r"\'");
    let long = option.long;
    let _ = writeln!(script, "{start}{short} -l {long}{value} -d '{help}'");
    for (word, next) in words.iter().filter(|(_, next)| !next.is_empty()) {
        let next = next.join(" ");
        let _ = writeln!(
            script,
            "complete -c heptapod-paas-runner -n '__fish_prev_arg_in {word}' -f -a '{next}'"
        );
    }
}
