//! The job to submit, in the format of the `SubmitJob` request.

use std::collections::BTreeMap;

use aws_sdk_batch::operation::submit_job::builders::SubmitJobFluentBuilder;
use aws_sdk_batch::types::{self as sdk, ContainerOverrides, KeyValuePair, ResourceType};
use serde::Serialize;

/// A job to submit. Its JSON is the input of `aws batch submit-job --cli-input-json`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// The name.
    pub job_name: String,
    /// The name or ARN of the queue.
    pub job_queue: String,
    /// The job definition: `NAME`, `NAME:REVISION` or an ARN.
    pub job_definition: String,
    /// The share identifier, for a queue with a scheduling policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_identifier: Option<String>,
    /// The size of the array; absent for a single job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub array_properties: Option<ArrayProperties>,
    /// The jobs that must succeed first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// The values of the `Ref::` parameters in the job definition's command.
    pub parameters: BTreeMap<String, String>,
    /// The settings that override or extend the job definition.
    pub container_overrides: Overrides,
    /// The tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// The size of an array job.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArrayProperties {
    /// The number of children: 2 to 10,000.
    pub size: u32,
}

/// A job to wait for. An array job counts as finished once all its children are.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// The id.
    pub job_id: String,
}

/// The container settings that override or extend the job definition.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Overrides {
    /// Environment variables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<Variable>,
    /// The amounts of each resource.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_requirements: Vec<Resource>,
}

/// An environment variable.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Variable {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// An amount of a resource.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resource {
    /// The resource.
    #[serde(rename = "type")]
    pub kind: ResourceKind,
    /// The number of CPUs, or the memory in MiB, as decimal digits.
    pub value: String,
}

impl Resource {
    /// Converts the SDK's description; `None` for a resource that submissions do not set, such as GPUs.
    pub(super) fn read(resource: &sdk::ResourceRequirement) -> Option<Self> {
        let kind = match resource.r#type.as_ref()? {
            ResourceType::Vcpu => ResourceKind::Vcpu,
            ResourceType::Memory => ResourceKind::Memory,
            _ => return None,
        };
        Some(Self { kind, value: resource.value.clone()? })
    }
}

/// The resources of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum ResourceKind {
    /// Virtual CPUs.
    Vcpu,
    /// Memory.
    Memory,
}

impl Submission {
    /// Adds all fields to a request.
    pub(super) fn apply(&self, request: SubmitJobFluentBuilder) -> SubmitJobFluentBuilder {
        let Overrides { environment, resource_requirements } = &self.container_overrides;
        let variables = environment.iter().map(|Variable { name, value }| {
            KeyValuePair::builder().name(name).value(value).build()
        });
        let resources = resource_requirements.iter().map(|Resource { kind, value }| {
            let kind = match kind {
                ResourceKind::Vcpu => ResourceType::Vcpu,
                ResourceKind::Memory => ResourceType::Memory,
            };
            sdk::ResourceRequirement::builder().r#type(kind).value(value).build()
        });
        let dependencies = self
            .depends_on
            .iter()
            .map(|Dependency { job_id }| sdk::JobDependency::builder().job_id(job_id).build());
        let array = self.array_properties.map(|ArrayProperties { size }| {
            // Cannot fail: at most 10,000.
            sdk::ArrayProperties::builder().set_size(i32::try_from(size).ok()).build()
        });
        let overrides = ContainerOverrides::builder()
            .set_environment(non_empty(variables))
            .set_resource_requirements(non_empty(resources));
        let (parameters, tags) = (self.parameters.clone(), self.tags.clone());
        request
            .job_name(&self.job_name)
            .job_queue(&self.job_queue)
            .job_definition(&self.job_definition)
            .set_share_identifier(self.share_identifier.clone())
            .set_array_properties(array)
            .set_depends_on(non_empty(dependencies))
            .set_parameters(Some(parameters.into_iter().collect()))
            .container_overrides(overrides.build())
            .set_tags((!tags.is_empty()).then(|| tags.into_iter().collect()))
    }
}

/// Collects the items, or returns `None` to leave an empty list out of the request.
fn non_empty<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<_> = items.collect();
    (!items.is_empty()).then_some(items)
}
