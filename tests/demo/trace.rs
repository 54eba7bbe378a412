//! What of a job's log is worth showing, line by line as it grows.

/// What the inner runner says before the script is about itself; this heading ends it.
const LAST_HEADING: &str = "Executing \"step_script\"";
const FIRST_LINE: &str = "Running with ";

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
    pub fn news(&mut self, log: &[u8], is_over: bool) -> Vec<String> {
        let new = log.get(self.shown..).unwrap_or_default();
        let end = if is_over {
            new.len()
        } else {
            new.iter().rposition(|&b| b == b'\n').map_or(0, |it| it + 1)
        };
        self.shown += end;
        let text = String::from_utf8_lossy(&new[..end]);
        let lines = text.lines().map(|line| line.trim_end().to_owned());
        lines.filter(|line| self.is_worth_showing(line)).collect()
    }

    fn is_worth_showing(&mut self, line: &str) -> bool {
        if line.contains(FIRST_LINE) {
            self.is_preamble = true;
        }
        if !self.is_preamble {
            return !line.is_empty();
        }
        self.is_preamble = !line.contains(LAST_HEADING);
        line.contains("Starting service")
    }
}
