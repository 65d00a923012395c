//! A job to be submitted, in the shape in which `SubmitJob` takes it.

use std::collections::BTreeMap;

use aws_sdk_batch::operation::submit_job::builders::SubmitJobFluentBuilder;
use aws_sdk_batch::types::{self as sdk, ContainerOverrides, KeyValuePair, ResourceType};
use serde::Serialize;

/// A job. As JSON it is what `aws batch submit-job --cli-input-json` takes, and what goes to
/// Batch.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// Its name.
    pub job_name: String,
    /// The queue: a name or an ARN.
    pub job_queue: String,
    /// The definition: a name, one with a revision, or an ARN.
    pub job_definition: String,
    /// The share it counts for, in a queue with a scheduling policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_identifier: Option<String>,
    /// Its children, if it is an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub array_properties: Option<ArrayProperties>,
    /// The jobs that must have succeeded before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// What stands for `Ref::` in the definition's command.
    pub parameters: BTreeMap<String, String>,
    /// What its container is given beyond the definition.
    pub container_overrides: Overrides,
    /// For whoever looks at it in the account.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// An array.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ArrayProperties {
    /// How many children it has: 2 to 10,000.
    pub size: u32,
}

/// A job that is waited for; of an array, all of its children.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// Its id.
    pub job_id: String,
}

/// What a container is given beyond the job definition.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overrides {
    /// Its environment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<Variable>,
    /// How much of what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_requirements: Vec<Resource>,
}

/// A variable.
#[derive(Clone, Debug, Serialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// How much a container has of a resource.
#[derive(Clone, Debug, Serialize)]
pub struct Resource {
    /// Of which.
    #[serde(rename = "type")]
    pub kind: ResourceKind,
    /// How much: of memory in MiB.
    pub value: String,
}

/// What a container can be given more or less of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ResourceKind {
    /// Processors.
    Vcpu,
    /// Memory.
    Memory,
}

impl Submission {
    /// Puts all of it into a request.
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
            // At most 10,000.
            sdk::ArrayProperties::builder().set_size(i32::try_from(size).ok()).build()
        });
        let overrides = ContainerOverrides::builder()
            .set_environment(some(variables))
            .set_resource_requirements(some(resources));
        let (parameters, tags) = (self.parameters.clone(), self.tags.clone());
        request
            .job_name(&self.job_name)
            .job_queue(&self.job_queue)
            .job_definition(&self.job_definition)
            .set_share_identifier(self.share_identifier.clone())
            .set_array_properties(array)
            .set_depends_on(some(dependencies))
            .set_parameters(Some(parameters.into_iter().collect()))
            .container_overrides(overrides.build())
            .set_tags((!tags.is_empty()).then(|| tags.into_iter().collect()))
    }
}

/// What is empty is left out.
fn some<T>(all: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let all: Vec<_> = all.collect();
    (!all.is_empty()).then_some(all)
}
