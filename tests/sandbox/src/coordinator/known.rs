//! What a coordinator's API knows by name. It ignores the rest; here the rest is complained about.

use serde_json::{Map, Value};

/// The fields of one object: names, and those that hold an object whose fields are known too.
pub struct Fields {
    plain: &'static str,
    nested: &'static [(&'static str, Fields)],
}

/// All that gitlab-runner 19.4 announces.
const FEATURES: Fields = Fields {
    plain: "variables image services artifacts cache fallback_cache_keys shared \
            upload_multiple_artifacts upload_raw_artifacts session terminal refspecs masking \
            proxy raw_variables artifacts_exclude multi_build_steps trace_reset trace_checksum \
            trace_size vault_secrets cancelable return_exit_code service_variables \
            service_multiple_aliases image_executor_opts service_executor_opts \
            cancel_gracefully native_steps_integration two_phase_job_commit job_inputs",
    nested: &[],
};

const INFO: Fields = Fields {
    plain: "name version revision platform architecture executor shell labels",
    nested: &[("features", FEATURES), ("config", flat("gpus"))],
};

pub const JOB_REQUEST: Fields = Fields {
    plain: "token system_id last_update job_age",
    nested: &[
        ("info", INFO),
        ("session", flat("url certificate authorization")),
    ],
};

pub const JOB_UPDATE: Fields = Fields {
    plain: "token state failure_reason exit_code checksum runtime_environment_key",
    nested: &[("info", INFO), ("output", flat("checksum bytesize"))],
};

pub const REGISTRATION: Fields = Fields {
    plain: "token description active paused locked access_level run_untagged tag_list \
            maximum_timeout maintenance_note",
    nested: &[("info", INFO)],
};

pub const VERIFICATION: Fields = Fields {
    plain: "token system_id",
    nested: &[("info", INFO)],
};

/// Every payload lists them; a verdict's reason must be one.
const FAILURE_REASONS: &str = "unknown_failure script_failure api_failure \
    stuck_or_timeout_failure runner_system_failure missing_dependency_failure runner_unsupported \
    stale_schedule job_execution_timeout archived_failure unmet_prerequisites scheduler_failure \
    data_integrity_failure forward_deployment_failure user_blocked project_deleted \
    ci_quota_exceeded pipeline_loop_detected no_matching_runner trace_size_exceeded \
    builds_disabled environment_creation_failure deployment_rejected \
    failed_outdated_deployment_job job_execution_server_timeout \
    stuck_pending_with_matching_runners stuck_pending_no_matching_runners no_updates_running \
    no_updates_canceling server_timeout_running server_timeout_canceling \
    runner_configuration_error runner_external_dependency_failure runner_interrupted \
    protected_environment_failure insufficient_bridge_permissions \
    downstream_bridge_project_not_found invalid_bridge_trigger \
    upstream_bridge_project_not_found insufficient_upstream_permissions \
    bridge_pipeline_is_child_pipeline downstream_pipeline_creation_failed \
    secrets_provider_not_found reached_max_descendant_pipelines_depth ip_restriction_failure \
    reached_max_pipeline_hierarchy_size reached_downstream_pipeline_trigger_rate_limit \
    duo_workflow_not_allowed job_router_failure job_token_expired";

pub fn failure_reasons() -> impl Iterator<Item = &'static str> {
    FAILURE_REASONS.split_ascii_whitespace()
}

const fn flat(plain: &'static str) -> Fields {
    Fields { plain, nested: &[] }
}

impl Fields {
    /// The paths in `object` that the API does not know.
    pub fn unknown(&self, object: &Map<String, Value>) -> Vec<String> {
        let mut unknown = Vec::new();
        for (key, value) in object {
            let below = self.nested.iter().find(|(name, _)| name == key);
            match (below, value) {
                (Some((_, fields)), Value::Object(value)) => {
                    let paths = fields.unknown(value).into_iter();
                    unknown.extend(paths.map(|path| format!("{key}.{path}")));
                }
                (Some(_), _) => {}
                (None, _) if self.plain.split_ascii_whitespace().any(|name| name == key) => {}
                (None, _) => unknown.push(key.clone()),
            }
        }
        unknown
    }
}
