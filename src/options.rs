//! Command lines: a table of options, from which `--help` is printed and by which arguments are
//! understood.
//!
//! Each command has one table, against which its manual is tested. What an option does
//! is in the table; how options are written and shown is here. The trap: a value in the wrong place
//! may be a token, so that no error quotes one.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::output;

/// Where the texts of `--help` begin.
const COLUMN: usize = 31;
/// As `clap` and others have it; systemd is told not to start us again then.
const BAD_COMMAND_LINE: u8 = 2;

/// The command line of a program, whose options change an `A`.
pub struct CommandLine<A: 'static> {
    pub program: &'static str,
    /// What the program is for, in lines that end.
    pub about: &'static str,
    /// What must stand beside the options, if anything must.
    pub operand: Option<Operand<A>>,
    /// Titles, and the options under them.
    pub groups: &'static [(&'static str, &'static [&'static Opt<A>])],
    /// What is left to say, in lines that end.
    pub end: &'static str,
    /// Whether the options go together.
    pub check: fn(&A) -> Result<(), &'static str>,
}

/// A path without an option before it.
pub struct Operand<A: 'static> {
    pub name: &'static str,
    pub help: &'static str,
    pub take: fn(&mut A, PathBuf),
}

/// An option.
pub struct Opt<A: 'static> {
    pub short: Option<char>,
    pub long: &'static str,
    pub help: &'static str,
    pub offers: Offers,
    pub does: Does<A>,
}

/// What may be the value of an option, as far as a shell can know it.
#[derive(Clone, Copy)]
pub enum Offers {
    Nothing,
    Files,
    Folders,
    Words(fn() -> Vec<Word>),
}

/// A value, and what may follow it as a second one.
pub type Word = (&'static str, Vec<&'static str>);

/// A command line without what its options do: all that a shell needs to complete it.
pub struct Described {
    pub program: &'static str,
    pub options: Vec<DescribedOption>,
    /// What its operand is called.
    pub operand: Option<&'static str>,
}

pub struct DescribedOption {
    pub short: Option<char>,
    pub long: &'static str,
    /// On one line.
    pub help: String,
    /// What its value is called, if it takes one.
    pub value: Option<&'static str>,
    pub offers: Offers,
}

/// What becomes of an option, and whether it takes a value.
pub enum Does<A: 'static> {
    /// Prints `--help`, and nothing else is done.
    Help,
    /// The same with the version.
    Version,
    /// The same with this text.
    Print(&'static str),
    Set(fn(&mut A)),
    /// Prints what these values ask for; the first one is called so.
    Show(&'static str, fn(&[String]) -> Result<String, String>),
    /// What the value is called, and who is given it, together with the option's long name.
    Take(&'static str, Taker<A>),
}

type Taker<A> = fn(&mut A, &'static str, OsString) -> Result<(), lexopt::Error>;

/// What arguments ask for.
#[derive(Debug, PartialEq)]
pub enum Parsed<A> {
    Print(String),
    Run(A),
}

impl<A> Opt<A> {
    #[must_use]
    pub const fn new(long: &'static str, help: &'static str, does: Does<A>) -> Self {
        Self {
            short: None,
            long,
            help,
            offers: Offers::Nothing,
            does,
        }
    }

    /// What shells may offer as its value.
    #[must_use]
    pub const fn offers(mut self, offers: Offers) -> Self {
        self.offers = offers;
        self
    }

    /// It has a short form, too.
    #[must_use]
    pub const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    /// What its value is called, if it takes one.
    #[must_use]
    pub const fn value(&self) -> Option<&'static str> {
        match self.does {
            Does::Take(name, _) | Does::Show(name, _) => Some(name),
            _ => None,
        }
    }

    fn is(&self, argument: &lexopt::Arg<'_>) -> bool {
        match argument {
            lexopt::Arg::Short(short) => self.short == Some(*short),
            lexopt::Arg::Long(long) => self.long == *long,
            lexopt::Arg::Value(_) => false,
        }
    }

    fn describe(&self) -> DescribedOption {
        DescribedOption {
            short: self.short,
            long: self.long,
            help: self.help.replace('\n', " "),
            value: self.value(),
            offers: self.offers,
        }
    }

    fn help_line(&self) -> String {
        let short = self.short.map_or("    ".to_owned(), |c| format!("-{c}, "));
        let value = self
            .value()
            .map_or(String::new(), |name| format!(" {name}"));
        let mut line = format!("  {short}--{}{value}", self.long);
        let indent = " ".repeat(COLUMN);
        if line.len() + 2 > COLUMN {
            line += "\n";
            line += &indent;
        }
        let help = self.help.replace('\n', &format!("\n{indent}"));
        format!("{line:COLUMN$}{help}\n")
    }
}

impl<A: Default> CommandLine<A> {
    pub fn options(&self) -> impl Iterator<Item = &'static Opt<A>> {
        self.groups
            .iter()
            .flat_map(|(_, options)| *options)
            .copied()
    }

    /// What a shell needs to know.
    #[must_use]
    pub fn describe(&self) -> Described {
        Described {
            program: self.program,
            options: self.options().map(Opt::describe).collect(),
            operand: self.operand.as_ref().map(|operand| operand.name),
        }
    }

    /// The text of `--help`.
    #[must_use]
    pub fn help(&self) -> String {
        let mut help = format!("{}\nUsage: {} [OPTIONS]", self.about, self.program);
        if let Some(Operand {
            name, help: what, ..
        }) = &self.operand
        {
            let _ = write!(help, " {name}\n\n{:COLUMN$}{what}", format!("  {name}"));
        }
        help += "\n\n";
        for (title, options) in self.groups {
            let lines: String = options.iter().map(|option| option.help_line()).collect();
            let _ = writeln!(help, "{title}:\n{lines}");
        }
        help + self.end
    }

    /// # Errors
    /// When the arguments can't be understood.
    pub fn parse(
        &self,
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Parsed<A>, lexopt::Error> {
        let mut given = A::default();
        let mut path = None;
        let mut parser = lexopt::Parser::from_args(arguments);
        while let Some(argument) = parser.next()? {
            let Some(option) = self.options().find(|option| option.is(&argument)) else {
                match (argument, &self.operand) {
                    (lexopt::Arg::Value(value), Some(_)) if path.is_none() => path = Some(value),
                    (lexopt::Arg::Value(_), Some(Operand { name, .. })) => {
                        return Err(format!("there is more than one {name}").into());
                    }
                    (lexopt::Arg::Value(_), None) => return Err("it takes only options".into()),
                    (other, _) => return Err(other.unexpected()),
                }
                continue;
            };
            match option.does {
                Does::Help => return Ok(Parsed::Print(self.help())),
                Does::Version => return Ok(Parsed::Print(self.version())),
                Does::Print(text) => return Ok(Parsed::Print(text.to_owned())),
                Does::Show(_, show) => {
                    let values = parser.values()?.map(text);
                    return Ok(Parsed::Print(show(
                        &values.collect::<Result<Vec<_>, _>>()?,
                    )?));
                }
                Does::Set(set) => set(&mut given),
                Does::Take(_, take) => take(&mut given, option.long, parser.value()?)?,
            }
        }
        (self.check)(&given)?;
        if let Some(operand) = &self.operand {
            let missing = || format!("{} is missing: {}", operand.name, operand.help);
            (operand.take)(&mut given, path.ok_or_else(missing)?.into());
        }
        Ok(Parsed::Run(given))
    }

    /// What the program is to do, unless that was to print something, or can't be understood.
    ///
    /// # Errors
    /// The exit code, when there is nothing left to do.
    pub fn read(&self, arguments: impl IntoIterator<Item = OsString>) -> Result<A, ExitCode> {
        match self.parse(arguments) {
            Ok(Parsed::Run(given)) => Ok(given),
            Ok(Parsed::Print(text)) => Err(output::print(&text)),
            Err(error) => {
                output::complain(format_args!("{}: {error}; see --help", self.program));
                Err(BAD_COMMAND_LINE.into())
            }
        }
    }

    fn version(&self) -> String {
        format!("{} {}\n", self.program, env!("CARGO_PKG_VERSION"))
    }
}

/// Values of which nothing follows.
#[must_use]
pub fn words(words: &[&'static str]) -> Vec<Word> {
    words.iter().map(|word| (*word, Vec::new())).collect()
}

/// # Errors
/// When a value is no text.
pub fn text(value: OsString) -> Result<String, lexopt::Error> {
    let text = value.into_string();
    text.map_err(|_| "the value of an option is not UTF-8".into())
}
