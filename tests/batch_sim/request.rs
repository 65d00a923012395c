//! The requests to Batch: the render job and the stitch job.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::s3_server::S3Server;
use crate::support::worker;

/// The request for a job, in addition to its definition.
pub struct Request {
    pub parameters: Vec<(String, String)>,
    pub environment: Vec<(String, String)>,
    /// The number of children; 1 for a single job.
    pub size: u32,
}

/// Returns the requests of `render-worker submit`.
pub fn of_submit(server: &S3Server, scene: &str, output: &str, arguments: &str) -> [Request; 2] {
    let run = worker("submit").input(scene).output(output).args(arguments).s3(server);
    let run = run.args("--job-queue simulated --job-definition render --dry-run").run().exits(0);
    let jobs: Value = serde_json::from_str(&run.stdout).expect("JSON");
    ["render", "stitch"].map(|job| {
        let job = &jobs[job];
        let variables = job["containerOverrides"]["environment"].as_array().expect("variables");
        let variables = variables.iter().map(|it| (text(&it["name"]), text(&it["value"])));
        let parameters = job["parameters"].as_object().expect("parameters").iter();
        let size = job["arrayProperties"]["size"].as_u64().unwrap_or(1);
        Request {
            parameters: parameters.map(|(name, value)| (name.clone(), text(value))).collect(),
            environment: variables.collect(),
            size: size.try_into().expect("at most 10,000"),
        }
    })
}

/// Returns the requests of the state machine of the reference pipeline
/// (`fixtures/batch/state_machine.json`). Parameters with `.$` are paths into its input
/// ("Parameters" in the Step Functions developer guide).
pub fn of_state_machine(scene: &str, output: &str, per_job: u32, size: u32) -> [Request; 2] {
    let input = json!({
        "inputUri": scene,
        "outputUri": output,
        "framesPerJob": per_job.to_string(),
        // The output of the function that counts the frames.
        "output": {"Payload": {"body": {"arrayJobSize": size}}},
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/batch/state_machine.json");
    let machine = std::fs::read(path).expect("a state machine");
    let machine: Value = serde_json::from_slice(&machine).expect("JSON");
    let found = |path: &Value| {
        let pointer = text(path).replace("$.", "/").replace('.', "/");
        input.pointer(&pointer).unwrap_or_else(|| panic!("no {path} in the input")).clone()
    };
    ["Render", "Stitch"].map(|state| {
        let job = &machine["States"][state]["Parameters"];
        let parameters = job["Parameters"].as_object().expect("parameters").iter();
        let size = job["ArrayProperties"].get("Size.$").map_or(1, |path| {
            found(path).as_u64().and_then(|size| size.try_into().ok()).expect("a size")
        });
        Request {
            parameters: parameters
                .map(|(name, value)| match name.strip_suffix(".$") {
                    Some(name) => (name.to_owned(), text(&found(value))),
                    None => (name.clone(), text(value)),
                })
                .collect(),
            environment: Vec::new(),
            size,
        }
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
}
