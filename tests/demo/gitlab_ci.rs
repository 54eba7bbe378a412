//! Reads a simple `.gitlab-ci.yml`.
//!
//! What is understood is what the demo can act on: stages, default, variables, and of a job its
//! stage, scripts, variables, tags, image, services, needs, `allow_failure`, `extends`, and what says
//! whether it starts at all. Nothing else is left out silently: keys on which nothing here acts are
//! named in a remark, and a job that depends on more is named and does not start. What GitLab itself
//! would refuse is an error.

use serde_json::Value;

use crate::extends;
use crate::job_keys::{Defaults, Draft, Read, read_job};
use crate::pipeline::{Ending, Plan, When};
use crate::start::{self, Start};
use crate::yaml::{self, Keys, Remarks, strings, variables};

const USUAL_STAGES: [&str; 3] = ["build", "test", "deploy"];
/// Keys of the top level that are no jobs, and mean nothing here.
const IGNORED: [&str; 2] = ["cache", "spec"];
/// Keys of the top level that stand for one in `default`, as was usual once.
const FORMER_DEFAULTS: [&str; 4] = ["after_script", "before_script", "image", "services"];
/// Other keys of the top level that are no jobs.
const OTHERS: [&str; 5] = ["default", "include", "stages", "variables", "workflow"];

pub struct Pipeline {
    pub plans: Vec<Plan>,
    /// What was left out, in words.
    pub remarks: Vec<String>,
}

/// # Errors
/// In words, when this is no pipeline.
pub fn read(text: &str) -> Result<Pipeline, String> {
    let file = yaml::read(text)?;
    let mut remarks = Remarks::default();
    let mut stages: Vec<String> = USUAL_STAGES.map(str::to_owned).into();
    let mut defaults = Defaults::default();
    for (key, value) in &file {
        match key.as_str() {
            "stages" => stages = strings("stages", value)?,
            "variables" => defaults.variables = variables("variables", value, &mut remarks)?,
            "default" => defaults.read(value, &mut remarks)?,
            "include" => remarks.say("what `include` names is not read".to_owned()),
            former if FORMER_DEFAULTS.contains(&former) => {
                defaults.read_key(former, former, value, &mut remarks)?;
            }
            ignored if IGNORED.contains(&ignored) => remarks.ignored(ignored),
            _ => {}
        }
    }
    refuse_unstarted(&file, &defaults)?;
    let stages = [
        &[".pre".to_owned()],
        stages.as_slice(),
        &[".post".to_owned()],
    ]
    .concat();
    let mut drafts = Vec::new();
    let mut absent = Vec::new();
    for (name, value) in file.iter().filter(|(key, _)| is_job(key)) {
        let own = value.as_object();
        let own = own.ok_or_else(|| format!("job `{name}` must have keys"))?;
        let read = match extends::resolved(own, &file) {
            Ok(keys) => read_job(name, &keys, &defaults, &mut remarks)?,
            Err(why) => Read::Foreign(why),
        };
        match read {
            Read::Job(draft) => drafts.push(*draft),
            Read::Absent(why) => {
                remarks.say(format!("job `{name}` is not in this pipeline: {why}"));
                absent.push(format!("{name} ({why})"));
            }
            Read::Foreign(why) => {
                // What says its stage may be in a file that is not read.
                let stage = own.get("stage").and_then(Value::as_str);
                let stage = stage.filter(|it| stages.iter().any(|known| known == it));
                drafts.push(Draft::foreign(name, stage.unwrap_or(".post"), &why));
            }
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
        return Err(if absent.is_empty() {
            "there is no job in it".to_owned()
        } else {
            let branch = start::BRANCH;
            let absent = absent.join(", ");
            format!("GitLab would start none of its jobs for a push to `{branch}`: {absent}")
        });
    }
    refuse_circles(&plans)?;
    Ok(Pipeline {
        plans,
        remarks: remarks.into_lines(),
    })
}

/// `workflow:rules` may say that there is no pipeline at all.
fn refuse_unstarted(file: &Keys, defaults: &Defaults) -> Result<(), String> {
    let workflow = file.get("workflow").and_then(Value::as_object);
    let Some(rules) = workflow.and_then(|it| it.get("rules")) else {
        return Ok(());
    };
    let keys = Keys::from_iter([("rules".to_owned(), rules.clone())]);
    match start::of(&keys, &defaults.variables) {
        Ok(Start::Part(When::Held { .. }, _) | Start::Absent(_)) => {
            let branch = start::BRANCH;
            Err(format!(
                "its `workflow` starts no pipeline for a push to `{branch}`"
            ))
        }
        Ok(Start::Part(..)) => Ok(()),
        Err(why) => Err(format!("`workflow` {why}")),
    }
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
    let is_reserved =
        IGNORED.contains(&key) || FORMER_DEFAULTS.contains(&key) || OTHERS.contains(&key);
    !key.starts_with('.') && !is_reserved
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

#[cfg(test)]
mod tests {
    use super::{Pipeline, read};
    use crate::pipeline::When;

    /// The names of the jobs that start by themselves.
    fn started(pipeline: &Pipeline) -> Vec<&str> {
        let plans = pipeline.plans.iter();
        let started = plans.filter(|plan| !matches!(plan.when, When::Held { .. }));
        started.map(crate::pipeline::Plan::name).collect()
    }

    /// Why a job does not start, with whether others wait for it.
    fn held(pipeline: &Pipeline, name: &str) -> (String, bool) {
        let plan = pipeline.plans.iter().find(|plan| plan.name() == name);
        match plan.map(|plan| plan.when.clone()) {
            Some(When::Held { why, blocks }) => (why, blocks),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Scripts run on the visitor's own computer.
    #[test]
    fn only_what_gitlab_would_start_for_a_push_starts() {
        let jobs = [
            ("plain", "", true),
            ("manual", "when: manual", false),
            ("never", "when: never", false),
            ("delayed", "when: delayed\n  start_in: 1 minute", false),
            ("tags", "only: [tags]", false),
            ("branches", "only: [branches]", true),
            ("not main", "except: [main]", false),
            (
                "merge",
                "rules: [{if: $CI_PIPELINE_SOURCE == 'merge_request_event'}]",
                false,
            ),
            (
                "main",
                "rules: [{if: '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'}]",
                true,
            ),
            ("tagged", "rules: [{if: $CI_COMMIT_TAG =~ /^v/}]", false),
            (
                "or",
                "rules: [{if: '($CI_COMMIT_TAG || $CI) && $NO == null'}]",
                true,
            ),
            (
                "own",
                "variables: {DEPLOY: 'yes'}\n  rules: [{if: $DEPLOY != 'yes'}]",
                false,
            ),
            ("by hand", "rules: [{if: $CI, when: manual}]", false),
            (
                "not at all",
                "rules: [{if: $CI, when: never}, {when: always}]",
                false,
            ),
            ("nested", "rules: [[{if: $NO}], [{when: on_success}]]", true),
            // What can't be judged does not start either.
            ("pattern", "rules: [{if: $CI_COMMIT_BRANCH =~ /^m/}]", false),
            (
                "slashes",
                r"rules: [{if: '$CI_COMMIT_TAG =~ /^a\/b/ || $CI_COMMIT_BRANCH'}]",
                true,
            ),
            ("changed", "rules: [{changes: [src/*]}]", false),
            ("refs", "only: [/^m/]", false),
            ("unchanged", "only: {changes: [src/*]}", false),
            (
                "known",
                "rules: [{if: $NO, changes: [src/*]}, {if: $CI}]",
                true,
            ),
        ];
        let text: Vec<_> = (jobs.iter())
            .map(|(name, keys, _)| format!("{name}:\n  script: [exit]\n  {keys}\n"))
            .collect();
        let pipeline = read(&text.concat()).expect("a pipeline");
        let wanted: Vec<_> = jobs.iter().filter(|(.., starts)| *starts).collect();
        let wanted: Vec<_> = wanted.iter().map(|(name, ..)| *name).collect();
        assert_eq!(started(&pipeline), wanted);
        for (name, _, starts) in jobs {
            let is_told = pipeline.remarks.iter().any(|line| line.contains(name));
            let is_shown = pipeline.plans.iter().any(|plan| plan.name() == name);
            assert!(starts || is_told || is_shown, "{name} is left out silently");
        }
        assert_eq!(
            held(&pipeline, "manual"),
            ("not started: `when: manual`".into(), false)
        );
        assert!(
            held(&pipeline, "by hand").1,
            "in a rule it holds up what comes after it"
        );
        let why = held(&pipeline, "pattern").0;
        assert!(why.contains("$CI_COMMIT_BRANCH =~ /^m/"), "{why}");
    }

    #[test]
    fn a_job_has_what_it_extends_merged_key_by_key() {
        let text = "
.base: {variables: {A: a, B: b}, before_script: [one], tags: [x], script: [base]}
.more: {extends: .base, variables: {B: more}, script: [more]}
job: {extends: [.base, .more], variables: {C: c}, before_script: [two], tags: null}
gone: {extends: .elsewhere, script: [exit]}
circle: {extends: circle, script: [exit]}
";
        let pipeline = read(text).expect("a pipeline");
        let spec = &pipeline.plans[0].spec;
        let variables = spec.variables.iter();
        let variables = variables.map(|it| format!("{}={}", it.key, it.value));
        assert_eq!(variables.collect::<Vec<_>>(), ["A=a", "B=more", "C=c"]);
        assert_eq!(
            (&spec.before_script[..], &spec.script[..]),
            (&["two".into()][..], &["more".into()][..])
        );
        assert!(spec.tags.is_empty(), "null takes away what was inherited");
        assert!(held(&pipeline, "gone").0.contains("extends `.elsewhere`"));
        assert!(held(&pipeline, "circle").0.contains("extends itself"));
    }

    #[test]
    fn a_job_that_is_not_understood_is_named_and_does_not_start() {
        let text = "
include: [other.yml]
.lines: {script: [exit]}
refers: {script: [!reference [.lines, script]]}
inherits: {inherit: {default: false}, script: [exit]}
starts: {trigger: acme/other}
cached: {cache: {paths: [x]}, artifacts: {paths: [y]}, script: [exit]}
";
        let pipeline = read(text).expect("a pipeline");
        assert_eq!(started(&pipeline), ["cached"]);
        assert!(held(&pipeline, "refers").0.contains("`!reference`"));
        assert!(held(&pipeline, "inherits").0.contains("`inherit`"));
        assert!(held(&pipeline, "starts").0.contains("`trigger`"));
        let remarks = pipeline.remarks.join("\n");
        for told in ["`include`", "`cache` (cached)", "`artifacts` (cached)"] {
            assert!(remarks.contains(told), "{remarks}");
        }
    }

    #[test]
    fn a_workflow_may_start_no_pipeline() {
        let text = "workflow: {rules: [{if: $CI_COMMIT_TAG}]}\njob: {script: [exit]}";
        let why = read(text).map(|_| ()).expect_err("no pipeline");
        assert!(why.contains("no pipeline for a push to `main`"), "{why}");
    }
}
