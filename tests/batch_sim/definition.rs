//! Job definitions in the format of `aws batch register-job-definition --cli-input-json`. The
//! simulator uses what a container engine supports, and rejects unknown members.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// `deploy/batch/*.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobDefinition {
    #[expect(dead_code, reason = "accepted and not simulated")]
    #[serde(rename = "jobDefinitionName")]
    name: String,
    #[expect(dead_code, reason = "there is only one kind")]
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    pub timeout: Option<Timeout>,
    #[serde(default)]
    pub retry_strategy: RetryStrategy,
    pub container_properties: ContainerProperties,
    /// Not simulated: where the job runs, and how it is billed.
    #[expect(dead_code, reason = "accepted and not simulated")]
    platform_capabilities: Option<Vec<String>>,
    #[expect(dead_code, reason = "accepted and not simulated")]
    propagate_tags: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Container,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timeout {
    pub attempt_duration_seconds: u64,
}

/// The number of attempts, and the rules for another one.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryStrategy {
    pub attempts: u32,
    #[serde(default)]
    evaluate_on_exit: Vec<Rule>,
}

impl Default for RetryStrategy {
    fn default() -> Self {
        Self { attempts: 1, evaluate_on_exit: Vec::new() }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    action: Action,
    on_exit_code: Option<String>,
    on_reason: Option<String>,
    on_status_reason: Option<String>,
}

/// What happens after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    Retry,
    Exit,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerProperties {
    pub command: Vec<String>,
    #[serde(default)]
    pub environment: Vec<Variable>,
    #[serde(default)]
    resource_requirements: Vec<ResourceRequirement>,
    /// The older form of resource requirements.
    vcpus: Option<u64>,
    memory: Option<u64>,
    pub user: Option<String>,
    #[serde(default)]
    pub privileged: bool,
    #[serde(default)]
    pub readonly_root_filesystem: bool,
    #[serde(default)]
    pub volumes: Vec<Volume>,
    #[serde(default)]
    pub mount_points: Vec<MountPoint>,
    /// Not simulated: image, roles and log.
    #[expect(dead_code, reason = "accepted and not simulated")]
    image: String,
    #[expect(dead_code, reason = "accepted and not simulated")]
    job_role_arn: Option<String>,
    #[expect(dead_code, reason = "accepted and not simulated")]
    execution_role_arn: Option<String>,
    #[expect(dead_code, reason = "accepted and not simulated")]
    log_configuration: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Variable {
    pub name: String,
    pub value: String,
}

#[derive(Clone, Debug, Deserialize)]
struct ResourceRequirement {
    #[serde(rename = "type")]
    kind: Resource,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Resource {
    Vcpu,
    Memory,
    Gpu,
}

/// A volume. The engine chooses its place if it has no path on the host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    pub name: String,
    pub host: Option<Host>,
}

/// A folder of the instance.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Host {
    pub source_path: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MountPoint {
    pub source_volume: String,
    pub container_path: String,
    #[serde(default)]
    pub read_only: bool,
}

/// The end of an attempt, as Batch reports it.
#[derive(Clone, Debug)]
pub struct End {
    /// The exit code of the container; none if the host was lost.
    pub exit_code: Option<i32>,
    /// The reason of the container, such as `OutOfMemoryError: …`.
    pub reason: String,
    /// The status reason of the job, such as `Host EC2 (instance i-0123) terminated.`.
    pub status_reason: String,
}

impl JobDefinition {
    /// Reads a file of the project, such as `deploy/batch/render`.
    pub fn of(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name).with_extension("json");
        let text = std::fs::read(&path).expect("a job definition");
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Returns the command with parameters replaced. Those of the job override those of the
    /// definition. Parameters without a value are left unchanged, as Batch does.
    pub fn command(&self, parameters: &BTreeMap<String, String>) -> Vec<String> {
        let value = |word: &String| {
            let name = word.strip_prefix("Ref::")?;
            parameters.get(name).or_else(|| self.parameters.get(name)).cloned()
        };
        let words = self.container_properties.command.iter();
        words.map(|word| value(word).unwrap_or_else(|| word.clone())).collect()
    }

    /// Returns the amount of a resource.
    pub fn resource(&self, kind: Resource) -> Option<u64> {
        let properties = &self.container_properties;
        let mut all = properties.resource_requirements.iter();
        match all.find(|resource| resource.kind == kind) {
            Some(one) => Some(one.value.parse().expect("a number")),
            None => match kind {
                Resource::Vcpu => properties.vcpus,
                Resource::Memory => properties.memory,
                Resource::Gpu => None,
            },
        }
    }
}

impl RetryStrategy {
    /// Decides what happens after attempt `number`, counted from 1, has failed. The first rule with
    /// all conditions satisfied applies; without one, there is another attempt ("Automated job
    /// retries" in the AWS Batch user guide).
    pub fn decide(&self, number: u32, end: &End) -> Action {
        if number >= self.attempts {
            return Action::Exit;
        }
        let code = end.exit_code.map(|code| code.to_string());
        let holds = |pattern: &Option<String>, text: Option<&str>| match pattern {
            None => true,
            Some(pattern) => text.is_some_and(|text| matches(pattern, text)),
        };
        let rule = self.evaluate_on_exit.iter().find(|rule| {
            holds(&rule.on_exit_code, code.as_deref())
                && holds(&rule.on_reason, Some(&end.reason))
                && holds(&rule.on_status_reason, Some(&end.status_reason))
        });
        rule.map_or(Action::Retry, |rule| rule.action)
    }
}

/// Returns whether a text matches a pattern, which may end in `*`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}
