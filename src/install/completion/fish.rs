//! For fish.

use std::fmt::Write;

use super::{Command, list};
use crate::options::{DescribedOption, Offers};

#[must_use]
pub fn script(commands: &[Command]) -> String {
    let mut script =
        "# Completions for fish, made by heptapod-paas-runner from its own tables.\n".to_owned();
    // It is read once for each name.
    for command in commands.iter().filter(|command| command.is_program()) {
        let _ = writeln!(script, "complete -e -c {}", command.line.program);
    }
    for command in commands {
        let first = command.first_arguments(commands);
        let not_inner = || format!("not __fish_seen_subcommand_from {first}");
        for (program, words) in command.starts(commands) {
            let start = start(program, &words, (!first.is_empty()).then(not_inner));
            for option in &command.line.options {
                write_option(&mut script, &start, option);
            }
            if command.line.operand.is_none() {
                let _ = writeln!(script, "{start} -f");
            }
            if !first.is_empty() {
                let place = format!("test (count (commandline -opc)) -eq {}", words.len() + 1);
                let start = self::start(program, &words, Some(place));
                let _ = writeln!(script, "{start} -a '{first}'");
            }
        }
    }
    script
}

/// How lines begin that are about a program behind these words, maybe under one more condition.
fn start(program: &str, words: &[&str], condition: Option<String>) -> String {
    let seen = words
        .iter()
        .map(|word| format!("__fish_seen_subcommand_from {word}"));
    let conditions: Vec<_> = seen.chain(condition).collect();
    if conditions.is_empty() {
        format!("complete -c {program}")
    } else {
        format!("complete -c {program} -n '{}'", conditions.join("; and "))
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
