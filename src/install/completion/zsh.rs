//! For zsh.

use std::fmt::Write;

use super::{Command, list, words};
use crate::options::{DescribedOption, Offers};

#[must_use]
pub fn script(commands: &[Command]) -> String {
    let programs: Vec<_> = commands
        .iter()
        .filter(|command| command.is_program())
        .map(|command| command.line.program)
        .collect();
    let mut script = format!(
        "#compdef {}\n# Completions for zsh, made by heptapod-paas-runner from its own tables.\n\
         local command=${{words[1]:t}}\n(( CURRENT > 2 )) && case \"$command $words[2]\" in\n",
        programs.join(" ")
    );
    for (word, command) in words(commands) {
        let program = command.line.program;
        let _ = writeln!(
            script,
            "    'heptapod-paas-runner {word}') command='{program}'; shift words; (( CURRENT-- )) ;;"
        );
    }
    script += "esac\n";
    first(&mut script, commands);
    script += "case \"$words[CURRENT-2] $words[CURRENT-1]\" in\n";
    let options = commands.iter().flat_map(|command| &command.line.options);
    options.for_each(|option| next(&mut script, option));
    script += "esac\ncase $command in\n";
    for command in commands {
        let line = &command.line;
        let _ = write!(script, "    '{}') _arguments -S", line.program);
        for option in &line.options {
            let _ = write!(script, " \\\n        {}", specification(option));
        }
        if let Some(operand) = line.operand {
            let action = match command.word {
                None => "_heptapod_paas_runner_first",
                Some(_) => "_files",
            };
            let _ = write!(script, " \\\n        '1:{operand}:{action}'");
        }
        script += " ;;\n";
    }
    script + "esac\n"
}

/// What may stand first: a command, or a configuration.
fn first(script: &mut String, commands: &[Command]) {
    let words: Vec<_> = words(commands).map(|(word, _)| word).collect();
    let _ = writeln!(
        script,
        "_heptapod_paas_runner_first() {{\n    \
         _alternative 'commands:command:({})' 'files:configuration:_files'\n}}",
        words.join(" ")
    );
}

/// What follows the first value of an option: `_arguments` would offer everything else as well.
fn next(script: &mut String, option: &DescribedOption) {
    let words = option.words();
    for (word, next) in words.iter().filter(|(_, next)| !next.is_empty()) {
        let (long, next) = (option.long, next.join(" "));
        let _ = writeln!(
            script,
            "    '--{long} {word}') compadd -- {next}; return ;;"
        );
    }
}

/// An option as `_arguments` takes it.
fn specification(option: &DescribedOption) -> String {
    let long = option.long;
    let mut value = option.value.map(|name| format!(":{name}:"));
    let words = option.words();
    if let Some(value) = &mut value {
        match option.offers {
            Offers::Nothing => {}
            Offers::Files => *value += "_files",
            Offers::Folders => *value += "_files -/",
            Offers::Words(_) => {
                let _ = write!(value, "({})", list(&words));
            }
        }
    }
    // The value may be the same word, behind a sign, or the next one.
    let (long_end, short_end) = value.as_ref().map_or(("", ""), |_| ("=", "+"));
    let value = value.unwrap_or_default();
    let help = quoted(&option.help);
    match option.short {
        Some(short) => format!(
            "'(-{short} --{long})'{{-{short}{short_end},--{long}{long_end}}}'[{help}]{value}'"
        ),
        None => format!("'--{long}{long_end}[{help}]{value}'"),
    }
}

/// As it stands in single quotes and brackets.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for c in text.chars() {
        match c {
            '\'' => quoted += r"'\''",
            '[' | ']' | ':' | '\\' => quoted.extend(['\\', c]),
            _ => quoted.push(c),
        }
    }
    quoted
}
