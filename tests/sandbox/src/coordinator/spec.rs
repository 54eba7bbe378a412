//! What a user's pipeline asks for: one job, before anybody runs it.

use std::time::Duration;

use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub struct JobSpec {
    pub name: String,
    pub stage: String,
    /// Full path, `group/subgroup/project`.
    pub project: String,
    pub before_script: Vec<String>,
    pub script: Vec<String>,
    pub after_script: Vec<String>,
    /// The user's own; the predefined ones come before them.
    pub variables: Vec<Variable>,
    pub tags: Vec<String>,
    pub image: Option<String>,
    /// As in the payload, see [`JobSpec::service`].
    pub services: Vec<Value>,
    pub artifacts: Value,
    pub timeout: Duration,
    pub allow_failure: bool,
    /// `allow_failure:exit_codes`, which needs a runner that returns them.
    pub allows_exit_codes: bool,
    /// Of a Heptapod instance, in a native Mercurial project.
    pub heptapod: bool,
    /// Merged into the payload at last, objects key by key: unknown keys, hostile values.
    pub extra: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub key: String,
    pub value: String,
    pub public: bool,
    pub masked: bool,
    pub file: bool,
    pub raw: bool,
}

impl JobSpec {
    /// A job that runs `script` and has nothing else.
    #[must_use]
    pub fn new<S: Into<String>>(
        name: impl Into<String>,
        script: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            name: name.into(),
            stage: "test".to_owned(),
            project: "acme/space/rocket".to_owned(),
            before_script: Vec::new(),
            script: script.into_iter().map(Into::into).collect(),
            after_script: Vec::new(),
            variables: Vec::new(),
            tags: Vec::new(),
            image: None,
            services: Vec::new(),
            artifacts: Value::Null,
            timeout: Duration::from_secs(3600),
            allow_failure: false,
            allows_exit_codes: false,
            heptapod: false,
            extra: Value::Null,
        }
    }

    #[must_use]
    pub fn project(mut self, path: impl Into<String>) -> Self {
        self.project = path.into();
        self
    }

    #[must_use]
    pub fn variable(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push(Variable::user(key, value));
        self
    }

    /// The size of machine that the job asks for.
    #[must_use]
    pub fn flavor(self, flavor: impl Into<String>) -> Self {
        self.variable("CI_CLEVER_CLOUD_FLAVOR", flavor)
    }

    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    #[must_use]
    pub fn image(mut self, name: impl Into<String>) -> Self {
        self.image = Some(name.into());
        self
    }

    #[must_use]
    pub fn service(mut self, name: impl Into<String>, alias: Option<&str>) -> Self {
        self.services.push(json!({
            "name": name.into(), "entrypoint": null, "executor_opts": {}, "ports": [],
            "pull_policy": null, "alias": alias, "command": null, "variables": null,
        }));
        self
    }

    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    #[must_use]
    pub const fn heptapod(mut self) -> Self {
        self.heptapod = true;
        self
    }

    #[must_use]
    pub fn extra(mut self, extra: Value) -> Self {
        self.extra = extra;
        self
    }
}

impl Variable {
    /// As a user writes it into a pipeline: anybody may see it.
    #[must_use]
    pub fn user(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            public: true,
            masked: false,
            file: false,
            raw: false,
        }
    }

    #[must_use]
    pub fn secret(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            public: false,
            masked: true,
            ..Self::user(key, value)
        }
    }

    #[must_use]
    pub fn file(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            public: false,
            file: true,
            ..Self::user(key, value)
        }
    }

    #[must_use]
    pub fn raw(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            raw: true,
            ..Self::user(key, value)
        }
    }

    /// `file` and `raw` are there only when true.
    pub(super) fn to_json(&self) -> Value {
        let mut variable = json!({
            "key": self.key, "value": self.value, "public": self.public, "masked": self.masked,
        });
        for (name, set) in [("file", self.file), ("raw", self.raw)] {
            if set {
                variable[name] = Value::Bool(true);
            }
        }
        variable
    }
}
