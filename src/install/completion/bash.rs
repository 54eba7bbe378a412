//! For bash, 4 and newer.

use std::fmt::Write;

use super::{Command, first_arguments, list};
use crate::options::{DescribedOption, Offers};

/// "--option=value" comes as three words, so that the sign is left out of those before the cursor.
const BEGINNING: &str = r#"# Completions for bash, made by heptapod-paas-runner from its own tables.
_heptapod_paas_runner() {
    local command=${COMP_WORDS[0]##*/} current=${COMP_WORDS[COMP_CWORD]} word words= files=
    local -a before=('' '')
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == = ]] || before+=("$word")
    done
    [[ $current == = ]] && current=
"#;

const END: &str = r#"    esac
    [[ $files ]] && compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -W "$words" $files -- "$current")
}
complete -F _heptapod_paas_runner"#;

#[must_use]
pub fn script(commands: &[Command]) -> String {
    let mut script = BEGINNING.to_owned();
    for (outer, word, program) in first_arguments(commands) {
        let _ = writeln!(
            script,
            "    [[ \"$command|${{before[2]}}\" == '{outer}|{word}' ]] && \
             command='{program}' before=('' '' \"${{before[@]:3}}\")"
        );
    }
    script += "    case \"$command|${before[-2]}|${before[-1]}\" in\n";
    for command in commands {
        for option in &command.line.options {
            values(&mut script, command.line.program, option);
        }
    }
    for command in commands {
        arguments(&mut script, command, commands);
    }
    script += END;
    for command in commands.iter().filter(|command| command.is_program()) {
        let _ = write!(script, " {}", command.line.program);
    }
    script + "\n"
}

/// What may stand behind an option with a value.
fn values(script: &mut String, program: &str, option: &DescribedOption) {
    if option.value.is_none() {
        return;
    }
    let long = option.long;
    let mut patterns = format!("'{program}|'*'|--{long}'");
    if let Some(short) = option.short {
        let _ = write!(patterns, " | '{program}|'*'|-{short}'");
    }
    let words = option.words();
    let action = match option.offers {
        Offers::Files => "files=-f".to_owned(),
        Offers::Folders => "files=-d".to_owned(),
        Offers::Nothing => ":".to_owned(),
        Offers::Words(_) => format!("words='{}'", list(&words)),
    };
    let _ = writeln!(script, "        {patterns}) {action} ;;");
    for (word, next) in words.iter().filter(|(_, next)| !next.is_empty()) {
        let next = next.join(" ");
        let _ = writeln!(
            script,
            "        '{program}|--{long}|{word}') words='{next}' ;;"
        );
    }
}

/// What may stand anywhere else: an option, or an operand, or first of all a command.
fn arguments(script: &mut String, command: &Command, commands: &[Command]) {
    let line = &command.line;
    let options: Vec<_> = line
        .options
        .iter()
        .map(|option| format!("--{}", option.long))
        .collect();
    let program = line.program;
    let first = command.first_arguments(commands);
    if !first.is_empty() {
        let _ = writeln!(
            script,
            "        '{program}||') words='{first} {}' files=-f ;;",
            options.join(" ")
        );
    }
    let files = line.operand.map_or("", |_| " files=-f");
    let _ = writeln!(
        script,
        "        '{program}|'*) words='{}'{files} ;;",
        options.join(" ")
    );
}
