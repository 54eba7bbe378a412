//! For zsh.

use std::fmt::Write;

use super::{Command, first_arguments, list};
use crate::options::{DescribedOption, Offers};

/// What may be an operand where a first one may be one of these words: it, or a configuration.
const FIRST: &str = "\
_heptapod_paas_runner_first() {
    (( CURRENT > 2 )) && set --
    _alternative \"commands:command:($*)\" 'files:configuration:_files'
}
";

#[must_use]
pub fn script(commands: &[Command]) -> String {
    let programs: Vec<_> = commands
        .iter()
        .filter(|command| command.is_program())
        .map(|command| command.line.program)
        .collect();
    let mut script = format!(
        "#compdef {}\n# Completions for zsh, made by heptapod-paas-runner from its own tables.\n\
         local command=${{words[1]:t}}\n",
        programs.join(" ")
    );
    for (outer, word, program) in first_arguments(commands) {
        let _ = writeln!(
            script,
            "if (( CURRENT > 2 )) && [[ \"$command|$words[2]\" == '{outer}|{word}' ]]; then\n    \
             command='{program}'; shift words; (( CURRENT-- ))\nfi"
        );
    }
    script += FIRST;
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
            let first = command.first_arguments(commands);
            let action = if first.is_empty() {
                "_files".to_owned()
            } else {
                format!(" _heptapod_paas_runner_first {first}")
            };
            let _ = write!(script, " \\\n        '1:{operand}:{action}'");
        }
        script += " ;;\n";
    }
    script + "esac\n"
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
