//! Facts for programs: one object, whose keys are in the manual.

use serde_json::{Value, json};

use super::{About, Section};
use crate::fact::{Fact, Verdict};

pub fn render(sections: &[Section], exit_code: u8) -> String {
    let facts = sections.iter().flat_map(|section| {
        let runner = match &section.about {
            About::Runner(name) => Some(name.as_str()),
            About::File(_) | About::Computer | About::Quota => None,
        };
        section.facts.iter().map(move |fact| shape(fact, runner))
    });
    let all = json!({
        "exit_code": exit_code,
        "facts": facts.collect::<Vec<_>>(),
    });
    format!("{all}\n")
}

fn shape(fact: &Fact, runner: Option<&str>) -> Value {
    let verdict = match fact.verdict {
        Verdict::Good => "ok",
        Verdict::Doubtful => "doubtful",
        Verdict::Unknown => "unknown",
        Verdict::BadForSome | Verdict::Bad => "bad",
    };
    json!({
        "runner": runner,
        "subject": fact.subject,
        "line": fact.line,
        "verdict": verdict,
        "text": fact.text,
        "remedy": fact.remedy,
    })
}
