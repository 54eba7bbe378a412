//! The keys of one job in a `.gitlab-ci.yml`, and those that `default` gives to all.

use std::slice;

use sandbox::Variable;
use sandbox::coordinator::JobSpec;
use saphyr::Yaml;
use serde_json::Value;

use crate::pipeline::{Ending, Plan};
use crate::yaml::{Remarks, entries, parts, script, string, strings, text, variables};

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
    pub fn read(&mut self, value: &Yaml<'_>, remarks: &mut Remarks) -> Result<(), String> {
        let entries = entries(value).ok_or("`default` must have keys")?;
        for (key, value) in entries {
            let label = format!("default.{key}");
            self.read_key(&key, &label, value, remarks)?;
        }
        Ok(())
    }

    pub fn read_key(
        &mut self,
        key: &str,
        label: &str,
        value: &Yaml<'_>,
        remarks: &mut Remarks,
    ) -> Result<(), String> {
        match key {
            "before_script" => self.before_script = script(label, value, remarks)?,
            "after_script" => self.after_script = script(label, value, remarks)?,
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

/// `None` when there is nothing to run in it.
pub fn read_job(
    name: &str,
    value: &Yaml<'_>,
    defaults: &Defaults,
    remarks: &mut Remarks,
) -> Result<Option<Draft>, String> {
    let keys = entries(value).ok_or_else(|| format!("job `{name}` must have keys"))?;
    let mut draft = Draft {
        plan: Plan::new(defaults.spec(name)),
        needs: None,
    };
    for (key, value) in &keys {
        draft.read_key(key, &format!("{name}.{key}"), value, remarks)?;
    }
    Ok(Some(draft).filter(|draft| !draft.plan.spec.script.is_empty()))
}

impl Draft {
    fn read_key(
        &mut self,
        key: &str,
        label: &str,
        value: &Yaml<'_>,
        remarks: &mut Remarks,
    ) -> Result<(), String> {
        let spec = &mut self.plan.spec;
        match key {
            "stage" => spec.stage = string(label, value)?,
            "script" => spec.script = script(label, value, remarks)?,
            "before_script" => spec.before_script = script(label, value, remarks)?,
            "after_script" => spec.after_script = script(label, value, remarks)?,
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
                let list = value.as_sequence();
                let list = list.ok_or_else(|| format!("`{label}` must be a list of jobs"))?;
                let needs = list.iter().map(|need| Need::read(label, need, remarks));
                self.needs = Some(needs.collect::<Result<_, _>>()?);
            }
            "allow_failure" => {
                self.plan.ending = allowed(label, value, remarks)?;
                spec.allow_failure = self.plan.ending == Ending::MayFail(Vec::new());
                spec.allows_exit_codes = value.as_bool().is_none();
            }
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
    fn read(label: &str, value: &Yaml<'_>, remarks: &mut Remarks) -> Result<Self, String> {
        // There are no artifacts here that could be wanted or not.
        let known = ["optional", "artifacts"];
        let parts = parts(label, value, "job", &known, remarks);
        let is_optional = parts.get("optional").and_then(|it| it.as_bool());
        Ok(Self {
            job: text(label, &parts, "job")?,
            is_optional: is_optional == Some(true),
        })
    }
}

/// `allow_failure: true`, or with the exit codes for which it is true.
fn allowed(label: &str, value: &Yaml<'_>, remarks: &mut Remarks) -> Result<Ending, String> {
    if let Some(allowed) = value.as_bool() {
        return Ok(if allowed {
            Ending::MayFail(Vec::new())
        } else {
            Ending::Success
        });
    }
    let parts = parts(label, value, "exit_codes", &[], remarks);
    let codes = parts.get("exit_codes").filter(|_| value.is_mapping());
    let list = codes.map(|it| it.as_sequence().map_or(slice::from_ref(*it), Vec::as_slice));
    let codes = list.and_then(|list| list.iter().map(Yaml::as_integer).collect());
    codes
        .filter(|codes: &Vec<_>| !codes.is_empty())
        .map(Ending::MayFail)
        .ok_or_else(|| format!("`{label}` must be true, false, or have `exit_codes`"))
}

/// A name, or a mapping with a name.
fn image(label: &str, value: &Yaml<'_>, remarks: &mut Remarks) -> Result<String, String> {
    text(label, &parts(label, value, "name", &[], remarks), "name")
}

fn services(label: &str, value: &Yaml<'_>, remarks: &mut Remarks) -> Result<Vec<Value>, String> {
    let list = value.as_sequence();
    let list = list.ok_or_else(|| format!("`{label}` must be a list of services"))?;
    let mut spec = JobSpec::new("", Vec::<String>::new());
    for service in list {
        let parts = parts(label, service, "name", &["alias"], remarks);
        let alias = parts.get("alias").map(|alias| string(label, alias));
        spec = spec.service(text(label, &parts, "name")?, alias.transpose()?.as_deref());
    }
    Ok(spec.services)
}
