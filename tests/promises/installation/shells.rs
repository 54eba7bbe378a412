//! What the real shells offer at the cursor is what the programs' tables say.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use heptapod_paas_runner::options::Described;
use heptapod_paas_runner::{cli, config::values};
use tempfile::TempDir;

use super::print;

// Scripts that complete lines, and print what is offered for each, ended by a line with a `.`

const BASH: &str = r#"
source "$1/completion"
shift
for line; do
    read -ra COMP_WORDS <<<"${line//=/ = }"
    [[ $line == *' ' || $line == *= ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _heptapod_paas_runner
    printf '%s\n' "${COMPREPLY[@]}" .
done
"#;

/// Its completion works at a terminal only, so that it gets one, and words go to a file instead.
const ZSH: &str = r#"
zmodload zsh/zpty
words=$1/words folder=$1
shift
zpty shell zsh -f -i
zpty -w shell "PS1= fpath=($folder \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w shell 'compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- $hits >>'$words'
    builtin compadd "$@"
}
offer() { zle complete-word; BUFFER=; print -n "of""fered"; }
zle -N offer; bindkey "^I" offer; print -n "re""ady"'
zpty -r shell seen '*ready*'
for line; do
    : >$words
    zpty -n -w shell $line$'\t'
    zpty -r shell seen '*offered*'
    cat $words
    print .
done
"#;

const FISH: &str = r"
source $argv[1]/completion
for line in $argv[2..]
    complete -C $line | string replace -r '\t.*' ''
    echo .
end
";

const SHELLS: [(&str, &str); 3] = [("bash", BASH), ("zsh", ZSH), ("fish", FISH)];

/// What the shell offers behind each line, as whole words; nothing without this shell.
fn offered(name: &str, script: &str, lines: &[String]) -> Option<Vec<BTreeSet<String>>> {
    if Command::new(name).arg("--version").output().is_err() {
        println!("skipped: there is no {name}");
        return None;
    }
    let folder = TempDir::new().unwrap();
    let path = |name| folder.path().join(name);
    // zsh finds it by its name.
    let completion = ["completion", "_heptapod-paas-runner"].map(path);
    for path in completion {
        fs::write(path, print(&["completion", name])).unwrap();
    }
    fs::write(path("script"), script).unwrap();
    fs::write(path("a-file"), "").unwrap();
    fs::create_dir(path("a-folder")).unwrap();
    let mut command = Command::new(name);
    command.arg(path("script")).arg(folder.path()).args(lines);
    command
        .current_dir(folder.path())
        .env("HOME", folder.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (text, said) = [output.stdout, output.stderr]
        .map(|text| String::from_utf8(text).unwrap())
        .into();
    assert!(said.is_empty(), "{name}: {said}");
    let mut offered: Vec<_> = text.split(".\n").map(words_of).collect();
    offered.pop();
    assert_eq!(offered.len(), lines.len(), "{name}: {text}");
    Some(offered)
}

/// Without the signs by which shells say what may follow a word, or of what it is a part.
fn words_of(lines: &str) -> BTreeSet<String> {
    let words = lines.lines().map(|line| line.trim_end_matches(['=', '/']));
    let words = words.map(|word| word.rsplit('=').next().unwrap_or(word));
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn long_options(line: &Described) -> BTreeSet<String> {
    let options = line.options.iter();
    options.map(|option| format!("--{}", option.long)).collect()
}

#[test]
fn every_option_of_every_command_is_offered_and_none_of_another_one() {
    let commands = cli::commands();
    // The registration has two names.
    let lines: Vec<_> = commands
        .iter()
        .map(|command| command.line.program)
        .flat_map(|name| [name.to_owned(), name.replace("-register", " register")])
        .map(|name| format!("{name} --"))
        .collect();
    let expected: Vec<_> = commands
        .iter()
        .flat_map(|command| [long_options(&command.line), long_options(&command.line)])
        .collect();
    for (name, script) in SHELLS {
        if let Some(offered) = offered(name, script, &lines) {
            assert_eq!(offered, expected, "{name}");
        }
    }
}

#[test]
fn values_and_operands_are_offered_where_they_can_stand() {
    let executors = values::ExecutorKind::ALL.map(values::ExecutorKind::name);
    let files = ["a-file", "a-folder"];
    let cases: [(&str, BTreeSet<String>); 17] = [
        ("heptapod-paas-runner -l ", set(&values::LEVELS)),
        ("heptapod-paas-runner --logging-level D", set(&["DEBUG"])),
        ("heptapod-paas-runner --logging-level=D", set(&["DEBUG"])),
        (
            "heptapod-paas-runner --print c",
            set(&["config", "completion"]),
        ),
        (
            "heptapod-paas-runner --print completion ",
            set(&["bash", "zsh", "fish"]),
        ),
        ("heptapod-paas-runner --poll-cycles ", set(&[])),
        ("heptapod-paas-runner reg", set(&["register"])),
        ("heptapod-paas-runner a-f", set(&files)),
        ("heptapod-paas-runner register ver", set(&["verify"])),
        ("heptapod-paas-runner-register u", set(&["unregister"])),
        ("heptapod-paas-runner-register a-f", set(&files)),
        ("heptapod-paas-runner-register --name x ver", set(&[])),
        ("heptapod-paas-runner register list a-f", set(&files)),
        (
            "heptapod-paas-runner install --root a-f",
            set(&["a-folder"]),
        ),
        ("heptapod-paas-runner register -e ", set(&executors)),
        (
            "heptapod-paas-runner-register --executor l",
            set(&["local-docker"]),
        ),
        (
            "heptapod-paas-runner-register --state-file-path a-f",
            set(&files),
        ),
    ];
    let lines = cases.each_ref().map(|(line, _)| (*line).to_owned());
    for (name, script) in SHELLS {
        let Some(offered) = offered(name, script, &lines) else {
            continue;
        };
        for ((line, expected), offered) in cases.iter().zip(offered) {
            assert_eq!(offered, *expected, "{name}: {line}");
        }
    }
}
