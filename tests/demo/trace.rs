//! What of a job's log is worth showing, line by line as it grows, and fit for a terminal.

/// What the inner runner says before the script is about itself; this heading ends it.
const LAST_HEADING: &str = "Executing \"step_script\"";
const FIRST_LINE: &str = "Running with ";
const SERVICE: &str = "Starting service";

/// Remembers what was shown.
#[derive(Default)]
pub struct Trace {
    /// Bytes.
    shown: usize,
    /// The inner runner is still speaking about itself.
    is_preamble: bool,
}

impl Trace {
    /// The new lines of a log; also an unfinished last one, when the log `is_over`.
    pub fn news(&mut self, log: &[u8], is_over: bool, keeps_colours: bool) -> Vec<String> {
        let new = log.get(self.shown..).unwrap_or_default();
        let end = if is_over {
            new.len()
        } else {
            new.iter().rposition(|&b| b == b'\n').map_or(0, |it| it + 1)
        };
        self.shown += end;
        let text = String::from_utf8_lossy(&new[..end]);
        let lines = text.lines().map(|line| line.trim_end().to_owned());
        lines
            .filter(|line| self.is_worth_showing(line))
            .map(|line| printable(&line, keeps_colours))
            .map(|line| {
                if line.contains(SERVICE) {
                    format!("{line} (played: nothing is started here)")
                } else {
                    line
                }
            })
            .collect()
    }

    fn is_worth_showing(&mut self, line: &str) -> bool {
        if line.contains(FIRST_LINE) {
            self.is_preamble = true;
        }
        if !self.is_preamble {
            return !printable(line, false).trim().is_empty();
        }
        self.is_preamble = !line.contains(LAST_HEADING);
        line.contains(SERVICE)
    }
}

/// A log may hold anything: of what a terminal would obey only colours are left.
fn printable(line: &str, keeps_colours: bool) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == '\x1b' {
            let body = rest.strip_prefix('[').unwrap_or(rest);
            let is_parameter = |c: char| c.is_ascii_digit() || c == ';';
            let end = body.find(|c| !is_parameter(c)).unwrap_or(body.len());
            let is_colour = body[end..].starts_with('m');
            if is_colour && keeps_colours {
                shown.push_str("\x1b[");
                shown.push_str(&body[..=end]);
            }
            let last = body[end..].chars().next().map_or(0, char::len_utf8);
            rest = &body[end + last..];
        } else if !c.is_control() || c == '\t' {
            shown.push(c);
        }
    }
    if shown.contains('\x1b') {
        shown.push_str("\x1b[0m");
    }
    shown
}
