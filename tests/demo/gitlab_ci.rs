//! Reads a simple `.gitlab-ci.yml`.
//!
//! What is understood is what the demo can act on: stages, default, variables, and of a job its
//! stage, scripts, variables, tags, image, services, needs and `allow_failure`. Every other key is
//! named in a remark, and left out; nothing is left out silently. What GitLab itself would refuse is
//! an error.

use saphyr::{LoadableYamlNode, Yaml};

use crate::job_keys::{Defaults, read_job};
use crate::pipeline::{Ending, Plan};
use crate::yaml::{Remarks, entries, strings, variables};

const USUAL_STAGES: [&str; 3] = ["build", "test", "deploy"];
/// Keys of the top level that are no jobs, and mean nothing here.
const IGNORED: [&str; 4] = ["cache", "include", "spec", "workflow"];
/// Keys of the top level that stand for one in `default`, as was usual once.
const FORMER_DEFAULTS: [&str; 4] = ["after_script", "before_script", "image", "services"];

pub struct Pipeline {
    pub plans: Vec<Plan>,
    /// What was left out, in words.
    pub remarks: Vec<String>,
}

/// # Errors
/// In words, when this is no pipeline.
pub fn read(text: &str) -> Result<Pipeline, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| format!("not YAML: {error}"))?;
    let document = documents.first().ok_or("the file is empty")?;
    let top = entries(document).ok_or("the top level must have keys")?;
    let mut remarks = Remarks::default();
    let mut stages: Vec<String> = USUAL_STAGES.map(str::to_owned).into();
    let mut defaults = Defaults::default();
    for (key, value) in &top {
        match key.as_str() {
            "stages" => stages = strings("stages", value)?,
            "variables" => defaults.variables = variables("variables", value, &mut remarks)?,
            "default" => defaults.read(value, &mut remarks)?,
            former if FORMER_DEFAULTS.contains(&former) => {
                defaults.read_key(former, former, value, &mut remarks)?;
            }
            ignored if IGNORED.contains(&ignored) => remarks.ignored(ignored),
            _ => {}
        }
    }
    let stages = [
        &[".pre".to_owned()],
        stages.as_slice(),
        &[".post".to_owned()],
    ]
    .concat();
    let mut drafts = Vec::new();
    for (name, value) in top.iter().filter(|(key, _)| is_job(key)) {
        match read_job(name, value, &defaults, &mut remarks)? {
            Some(draft) => drafts.push(draft),
            None => remarks.say(format!("job `{name}` has no script; it is left out")),
        }
    }
    let plans = drafts
        .iter()
        .map(|draft| {
            let after = draft.predecessors(&drafts, &stages)?;
            let plan = draft.plan.clone();
            Ok(Plan { after, ..plan })
        })
        .collect::<Result<Vec<_>, String>>()?;
    if plans.is_empty() {
        return Err("there is no job in it".to_owned());
    }
    refuse_circles(&plans)?;
    Ok(Pipeline {
        plans,
        remarks: remarks.into_lines(),
    })
}

impl Pipeline {
    /// Says how a job must end, better than the file can.
    ///
    /// # Panics
    /// When there is no such job.
    pub fn expect(&mut self, name: &str, ending: Ending) {
        let mut plans = self.plans.iter_mut();
        let plan = plans.find(|plan| plan.name() == name);
        plan.expect("the pipeline has this job").ending = ending;
    }
}

/// Keys with a dot are templates, which nobody runs.
fn is_job(key: &str) -> bool {
    let reserved = ["stages", "variables", "default"];
    !(key.starts_with('.')
        || reserved.contains(&key)
        || IGNORED.contains(&key)
        || FORMER_DEFAULTS.contains(&key))
}

/// Jobs that wait for each other would wait for ever.
fn refuse_circles(plans: &[Plan]) -> Result<(), String> {
    let mut done = vec![false; plans.len()];
    loop {
        let ready: Vec<_> = (0..plans.len())
            .filter(|&place| !done[place] && plans[place].after.iter().all(|&other| done[other]))
            .collect();
        if ready.is_empty() {
            break;
        }
        for place in ready {
            done[place] = true;
        }
    }
    match done.iter().position(|done| !done) {
        Some(place) => Err(format!(
            "job `{}` waits for itself, through `needs`",
            plans[place].name()
        )),
        None => Ok(()),
    }
}
