//! The keys of one job in a `.gitlab-ci.yml`, and those that `default` gives to all.

use sandbox::Variable;
use sandbox::coordinator::JobSpec;
use serde_json::Value;

use crate::pipeline::{Ending, Plan, When};
use crate::start::{self, Start};
use crate::yaml::{Keys, Remarks, list, parts, script, string, strings, tag, text, variables};

/// A job with one of these is another one than the demo could run.
const FOREIGN: [&str; 3] = ["inherit", "run", "trigger"];
/// They decide whether a job starts, which [`start`] judges.
const JUDGED: [&str; 4] = ["except", "only", "rules", "when"];

/// What every job has unless it says otherwise.
#[derive(Default)]
pub struct Defaults {
    pub variables: Vec<Variable>,
    before_script: Vec<String>,
    after_script: Vec<String>,
    image: Option<String>,
    services: Vec<Value>,
    tags: Vec<String>,
}

/// A job that doesn't know its place yet.
pub struct Draft {
    pub plan: Plan,
    /// None: everything in earlier stages.
    needs: Option<Vec<Need>>,
}

struct Need {
    job: String,
    is_optional: bool,
}

impl Defaults {
    pub fn read(&mut self, value: &Value, remarks: &mut Remarks) -> Result<(), String> {
        let keys = value.as_object().ok_or("`default` must have keys")?;
        for (key, value) in keys {
            let label = format!("default.{key}");
            self.read_key(key, &label, value, remarks)?;
        }
        Ok(())
    }

    pub fn read_key(
        &mut self,
        key: &str,
        label: &str,
        value: &Value,
        remarks: &mut Remarks,
    ) -> Result<(), String> {
        match key {
            "before_script" => self.before_script = script(label, value)?,
            "after_script" => self.after_script = script(label, value)?,
            "image" => self.image = Some(image(label, value, remarks)?),
            "services" => self.services = services(label, value, remarks)?,
            "tags" => self.tags = strings(label, value)?,
            _ => remarks.ignored(label),
        }
        Ok(())
    }

    fn spec(&self, name: &str) -> JobSpec {
        JobSpec {
            before_script: self.before_script.clone(),
            after_script: self.after_script.clone(),
            image: self.image.clone(),
            services: self.services.clone(),
            tags: self.tags.clone(),
            variables: self.variables.clone(),
            ..JobSpec::new(name, Vec::<String>::new())
        }
    }
}

/// What became of a job's keys.
pub enum Read {
    Job(Box<Draft>),
    /// Not a part of this pipeline, and why.
    Absent(&'static str),
    /// A part of it that the demo can't run, and why, in words that follow its name.
    Foreign(String),
}

/// `keys` are the job's with all that it extends.
///
/// # Errors
/// What GitLab would refuse, too.
pub fn read_job(
    name: &str,
    keys: &Keys,
    defaults: &Defaults,
    remarks: &mut Remarks,
) -> Result<Read, String> {
    if let Some((_, tag)) = keys.iter().find_map(|(key, it)| Some((key, tag(it)?))) {
        return Ok(Read::Foreign(format!("uses `{tag}`")));
    }
    if let Some(key) = FOREIGN.iter().find(|key| keys.contains_key(**key)) {
        return Ok(Read::Foreign(format!("has the key `{key}`")));
    }
    let mut draft = Draft {
        plan: Plan::new(defaults.spec(name)),
        needs: None,
    };
    for (key, value) in keys {
        draft.read_key(key, &format!("{name}.{key}"), value, remarks)?;
    }
    if draft.plan.spec.script.is_empty() {
        return Ok(Read::Foreign("has no script".to_owned()));
    }
    match start::of(keys, &draft.plan.spec.variables) {
        Ok(Start::Part(when, added)) => {
            draft.plan.when = when;
            for (key, value) in &added {
                draft.read_key(key, &format!("{name}.rules.{key}"), value, remarks)?;
            }
            Ok(Read::Job(Box::new(draft)))
        }
        Ok(Start::Absent(why)) => Ok(Read::Absent(why)),
        Err(why) => Ok(Read::Foreign(why)),
    }
}

impl Draft {
    /// Stands for a job that the demo can't run, so that what needs it does not run either.
    pub fn foreign(name: &str, stage: &str, why: &str) -> Self {
        let mut plan = Plan::new(JobSpec::new(name, Vec::<String>::new()));
        stage.clone_into(&mut plan.spec.stage);
        plan.when = When::Held {
            why: format!("not started: the demo can't run it, since it {why}"),
            blocks: false,
        };
        Self { plan, needs: None }
    }

    fn read_key(
        &mut self,
        key: &str,
        label: &str,
        value: &Value,
        remarks: &mut Remarks,
    ) -> Result<(), String> {
        let spec = &mut self.plan.spec;
        match key {
            "stage" => spec.stage = string(label, value)?,
            "script" => spec.script = script(label, value)?,
            "before_script" => spec.before_script = script(label, value)?,
            "after_script" => spec.after_script = script(label, value)?,
            "image" => spec.image = Some(image(label, value, remarks)?),
            "services" => spec.services = services(label, value, remarks)?,
            "tags" => spec.tags = strings(label, value)?,
            "variables" => {
                let own = variables(label, value, remarks)?;
                let is_own = |inherited: &Variable| own.iter().any(|it| it.key == inherited.key);
                spec.variables.retain(|inherited| !is_own(inherited));
                spec.variables.extend(own);
            }
            "needs" => {
                let list = value.as_array();
                let list = list.ok_or_else(|| format!("`{label}` must be a list of jobs"))?;
                let needs = list.iter().map(|need| Need::read(label, need, remarks));
                self.needs = Some(needs.collect::<Result<_, _>>()?);
                self.plan.has_needs = true;
            }
            "allow_failure" => {
                self.plan.ending = allowed(label, value, remarks)?;
                spec.allow_failure = self.plan.ending == Ending::MayFail(Vec::new());
                spec.allows_exit_codes = value.as_bool().is_none();
            }
            judged if JUDGED.contains(&judged) => {}
            _ => remarks.ignored(label),
        }
        Ok(())
    }

    /// Places of the jobs that must be over before this one.
    pub fn predecessors(&self, all: &[Self], stages: &[String]) -> Result<Vec<usize>, String> {
        let spec = &self.plan.spec;
        let rank = |stage: &str| stages.iter().position(|known| known == stage);
        let own = rank(&spec.stage).ok_or_else(|| {
            let (name, stage) = (&spec.name, &spec.stage);
            format!("job `{name}`: there is no stage `{stage}`")
        })?;
        let Some(needs) = &self.needs else {
            let earlier = |other: &Self| rank(&other.plan.spec.stage).is_some_and(|it| it < own);
            return Ok((0..all.len()).filter(|&it| earlier(&all[it])).collect());
        };
        let mut places = Vec::new();
        for need in needs {
            match all.iter().position(|other| other.plan.name() == need.job) {
                Some(place) => places.push(place),
                None if need.is_optional => {}
                None => {
                    let (name, missing) = (&spec.name, &need.job);
                    return Err(format!(
                        "job `{name}` needs `{missing}`, which is not in the pipeline"
                    ));
                }
            }
        }
        Ok(places)
    }
}

impl Need {
    /// A job's name, or a mapping with it.
    fn read(label: &str, value: &Value, remarks: &mut Remarks) -> Result<Self, String> {
        // There are no artifacts here that could be wanted or not.
        let known = ["optional", "artifacts"];
        let parts = parts(label, value, "job", &known, remarks);
        let is_optional = parts.get("optional").and_then(Value::as_bool);
        Ok(Self {
            job: text(label, &parts, "job")?,
            is_optional: is_optional == Some(true),
        })
    }
}

/// `allow_failure: true`, or with the exit codes for which it is true.
fn allowed(label: &str, value: &Value, remarks: &mut Remarks) -> Result<Ending, String> {
    if let Some(allowed) = value.as_bool() {
        return Ok(if allowed {
            Ending::MayFail(Vec::new())
        } else {
            Ending::Success
        });
    }
    let parts = parts(label, value, "exit_codes", &[], remarks);
    let codes = parts.get("exit_codes").filter(|_| value.is_object());
    let codes = codes.and_then(|it| list(it).iter().map(Value::as_i64).collect());
    codes
        .filter(|codes: &Vec<_>| !codes.is_empty())
        .map(Ending::MayFail)
        .ok_or_else(|| format!("`{label}` must be true, false, or have `exit_codes`"))
}

/// A name, or a mapping with a name.
fn image(label: &str, value: &Value, remarks: &mut Remarks) -> Result<String, String> {
    text(label, &parts(label, value, "name", &[], remarks), "name")
}

fn services(label: &str, value: &Value, remarks: &mut Remarks) -> Result<Vec<Value>, String> {
    let list = value.as_array();
    let list = list.ok_or_else(|| format!("`{label}` must be a list of services"))?;
    let mut spec = JobSpec::new("", Vec::<String>::new());
    for service in list {
        let parts = parts(label, service, "name", &["alias"], remarks);
        let alias = parts.get("alias").map(|alias| string(label, alias));
        spec = spec.service(text(label, &parts, "name")?, alias.transpose()?.as_deref());
    }
    Ok(spec.services)
}
