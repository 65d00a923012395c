//! The meaning of the job definitions: their retry rules and their commands.

use std::collections::BTreeMap;

use crate::definition::Action::{self, Exit, Retry};
use crate::definition::{End, JobDefinition};

const ALL: [&str; 3] = ["deploy/batch/render", "deploy/batch/render-gpu", "deploy/batch/stitch"];

const EXITED: &str = "Essential container in task exited";
const LOST: &str = "Host EC2 (instance i-0123456789abcdef0) terminated.";
const NOT_PULLED: &str = "CannotPullContainerError: pull access denied";
const KILLED: &str = "OutOfMemoryError: Container killed due to memory usage";

#[test]
fn attempts_are_retried_only_if_it_can_help() {
    let table: [(u32, Option<i32>, &str, &str, Action); 12] = [
        (1, None, "", LOST, Retry),
        (1, None, NOT_PULLED, "Task failed to start", Retry),
        (1, Some(143), "", EXITED, Retry),
        (1, Some(75), "", EXITED, Retry),
        (9, Some(75), "", EXITED, Retry),
        (10, Some(75), "", EXITED, Exit),
        (10, None, "", LOST, Exit),
        (1, Some(1), "", EXITED, Exit),
        (1, Some(2), "", EXITED, Exit),
        (1, Some(70), "", EXITED, Exit),
        (1, Some(137), KILLED, EXITED, Exit),
        (1, None, "DockerTimeoutError: Could not transition", "Task failed to start", Exit),
    ];
    for definition in ALL {
        let strategy = JobDefinition::of(definition).retry_strategy;
        for (number, exit_code, reason, status_reason, action) in table {
            let (reason, status_reason) = (reason.to_owned(), status_reason.to_owned());
            let end = End { exit_code, reason, status_reason };
            assert_eq!(strategy.decide(number, &end), action, "{definition}: {number}, {end:?}");
        }
    }
}

#[test]
fn parameters_are_replaced_in_the_command() {
    let command = |definition, parameters: &[(&str, &str)]| {
        let pairs = parameters.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        JobDefinition::of(definition).command(&pairs.collect::<BTreeMap<_, _>>()).join(" ")
    };
    let given = [("inputUri", "s3://b/a.blend"), ("outputUri", "s3://b/out")];
    for (definition, action) in ALL.into_iter().zip(["render", "render", "stitch"]) {
        assert_eq!(
            command(definition, &given),
            format!("{action} -i s3://b/a.blend -o s3://b/out -f 1")
        );
    }
    // Parameters of the job override defaults. The worker refuses those without a value.
    assert_eq!(
        command("deploy/batch/render", &[("framesPerJob", "7"), ("inputUri", "s3://b/a.blend")]),
        "render -i s3://b/a.blend -o Ref::outputUri -f 7"
    );
}
