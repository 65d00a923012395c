//! The credentials for AWS, and whose they are.

use super::findings::Findings;
use crate::aws;
use crate::error::Error;
use crate::request::{DoctorJob, Location};

/// Looks for credentials. Whether they suffice is for the places to show.
///
/// # Errors
/// None: without credentials a machine can still render from and to folders.
pub async fn check(job: &DoctorJob, findings: &mut Findings) -> Result<(), Error> {
    let on_s3 = |location: &Option<Location>| matches!(location, Some(Location::S3 { .. }));
    match aws::identity().await {
        Ok(aws::Identity { key, arn: Some(arn) }) => {
            findings.ok("credentials", format!("{arn}, with the access key {key}"));
        }
        Ok(aws::Identity { key, arn: None }) => {
            findings.ok("credentials", format!("the access key {key}"));
        }
        // The places on S3 say what is wrong.
        Err(why) if on_s3(&job.scene) || on_s3(&job.output) => {
            findings.warn("credentials", format!("there are none: {why}"), REMEDY);
        }
        Err(why) => {
            tracing::debug!("there are no credentials for AWS: {why}");
            findings.ok("credentials", "none for AWS, which only S3 and AWS Batch need");
        }
    }
    Ok(())
}

const REMEDY: &str = "give the job a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID, \
                      AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN";
