//! `deploy/slurm` and the commands of `docs/slurm.md`, on a real Slurm: arrays, a node that is lost,
//! jobs that are started again, and jobs that must not be.
//!
//! `make test-slurm` builds the image of the machines and runs these tests.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic and reads its environment"
)]

mod cluster; // machines in containers, and jobs on them
#[path = "../support/mod.rs"]
mod support;

use std::process::Command;

use cluster::Cluster;
use support::documents::{Place, commands_for};
use support::place::frame_names;
use support::{names, pixel_hashes};

/// Returns the commands of a section of `docs/slurm.md` as a script.
fn script(section: &str) -> String {
    let commands = commands_for(Place::Slurm).into_iter();
    let lines: Vec<_> =
        commands.filter(|it| it.section == section).map(|command| command.line).collect();
    assert!(!lines.is_empty(), "{section}");
    // Twelve tasks.
    lines.join("\n").replace("F_PER_JOB=10", "F_PER_JOB=2") + "\n"
}

/// Settings for jobs on a node that is not lost, under this name.
fn steady(name: &str) -> String {
    format!(
        "export SBATCH_PARTITION=steady SBATCH_JOB_NAME={name} OUTPUT_URI=/work/{name} F_PER_JOB=2\n"
    )
}

#[test]
fn an_array_survives_a_lost_node_and_a_task_that_is_started_again() {
    let cluster = Cluster::shared();
    let ids = cluster.artist(&(script("Render") + "echo $array $stitch"));
    let (array, stitch) = ids.trim().split_once(' ').expect("two ids");
    let running_on = |node: &str| {
        let tasks = cluster.tasks(array);
        tasks.into_iter().find(|task| task.state == "RUNNING" && task.nodes == node)
    };
    let mut lost = None;
    cluster.wait_until("a task runs on node3", || {
        lost = running_on("node3");
        lost.is_some()
    });
    let lost = lost.expect("a task").number;
    cluster.lose("node3");
    // The task is among those that the document starts again, in the words of the document.
    let restarted = || running_on("node1").map(|task| task.number);
    let mut again = None;
    cluster.wait_until("a task runs on node1", || {
        again = restarted();
        again.is_some()
    });
    let again = again.expect("a task");
    let requeue = "scontrol requeue \"${array}_1\"";
    let section = script("When something goes wrong");
    assert!(section.contains(requeue), "{section}");
    let typed = requeue.replace("_1", &format!("_{again}"));
    cluster.artist(&format!("array={array} stitch={stitch}\n{}\n{typed}", script("Watch")));

    let tasks = cluster.wait(array);
    assert_eq!(tasks.len(), 12, "{tasks:#?}");
    assert!(tasks.iter().all(|task| task.state == "COMPLETED"), "{tasks:#?}");
    let restarts =
        |number: &str| tasks.iter().find(|task| task.number == number).expect("a task").restarts;
    assert!(restarts(&lost) >= 1 && restarts(&again) >= 1, "{lost} {again} {tasks:#?}");
    let stitched = cluster.wait(stitch);
    assert_eq!(stitched[0].state, "COMPLETED", "{}", cluster.log(&format!("stitch-{stitch}.log")));

    // What a single worker would leave.
    let first = "FIRST_FRAME=scene TOTAL_FRAMES=scene";
    cluster.artist(&format!("{first} render-worker render -i scene.blend -o whole"));
    let frames = names(&cluster.path("out/frames"));
    assert_eq!(frames, frame_names(1..=24));
    for frame in frames {
        let pixels = |output: &str| pixel_hashes(&cluster.path(output).join("frames").join(&frame));
        assert_eq!(pixels("out"), pixels("whole"), "{frame}");
    }
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args(["-v", "error", "-count_frames", "-of", "csv=p=0", "-show_entries"]);
    ffprobe.arg("stream=nb_read_frames").arg(cluster.path("out/output.mp4"));
    let counted = String::from_utf8(ffprobe.output().expect("FFprobe runs").stdout).unwrap();
    assert_eq!(counted.trim(), "24");

    // Some tasks again: nothing is left to render. Then everything is cancelled, which has ended.
    let again = section.replace(requeue, "").replace("scancel", "echo $again; : scancel");
    let again = cluster.artist(&format!("{}array={array} stitch={stitch}\n{again}", settings()));
    let tasks = cluster.wait(again.trim());
    let mut numbers: Vec<_> = tasks.iter().map(|task| task.number.as_str()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, ["2", "5"], "{tasks:#?}");
    for (number, frames) in [("2", "5-6"), ("5", "11-12")] {
        let log = cluster.log(&format!("render-{}_{number}.log", again.trim()));
        assert!(log.contains(&format!("frames {frames} are already there")), "{log}");
    }
}

/// The lines of the document that set variables.
fn settings() -> String {
    let script = script("Render");
    let lines = script.lines().filter(|line| line.starts_with("export "));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn only_an_exit_code_that_may_pass_starts_a_task_again() {
    let cluster = Cluster::shared();
    // No scene: 66. The job that waits for it is cancelled.
    let missing = format!(
        "{}export INPUT_URI=/work/none.blend
        array=$(sbatch --parsable --array=0-1 deploy/slurm/job.sbatch render)
        stitch=$(sbatch --parsable --dependency=afterok:$array --kill-on-invalid-dep=yes \\
          deploy/slurm/job.sbatch stitch)
        echo $array $stitch",
        steady("missing")
    );
    // No S3: 75, and again.
    let unreachable = format!(
        "{}export INPUT_URI=s3://bucket/scene.blend MAX_RESTARTS=1 AWS_MAX_ATTEMPTS=1 \\
           AWS_ENDPOINT_URL=http://127.0.0.1:9 AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=a \\
           AWS_SECRET_ACCESS_KEY=b AWS_EC2_METADATA_DISABLED=true
        sbatch --parsable --array=0 deploy/slurm/job.sbatch render",
        steady("unreachable")
    );
    let ids = cluster.artist(&missing);
    let unreachable = cluster.artist(&unreachable);
    let (array, stitch) = ids.trim().split_once(' ').expect("two ids");
    for task in cluster.wait(array) {
        let ended = (task.state.as_str(), task.exit_code.as_str(), task.restarts);
        assert_eq!(ended, ("FAILED", "66:0", 0), "{task:?}");
    }
    assert_eq!(cluster.wait(stitch)[0].state, "CANCELLED");
    let unreachable = unreachable.trim();
    let task = &cluster.wait(unreachable)[0];
    let log = cluster.log(&format!("unreachable-{unreachable}_0.log"));
    let ended = (task.state.as_str(), task.exit_code.as_str(), task.restarts);
    assert_eq!(ended, ("FAILED", "75:0", 1), "{task:?} {log}");
    for attempt in ["1", "2"] {
        assert!(log.contains(&format!("\"attempt\":{attempt}")), "{log}");
    }
}

/// Starts a task that waits, and returns its id once the worker does.
fn waiting(cluster: &Cluster, name: &str, options: &str) -> String {
    let submit = format!(
        "{}export INPUT_URI=s3://bucket/scene.blend START_JITTER=24h MAX_RESTARTS=1
        sbatch --parsable --array=0 {options} deploy/slurm/job.sbatch render",
        steady(name)
    );
    let id = cluster.artist(&submit).trim().to_owned();
    let log = cluster.path(&format!("{name}-{id}_0.log"));
    cluster.wait_until("the worker waits", || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("before the first request"))
    });
    id
}

#[test]
fn a_task_is_stopped_before_its_time_limit_and_started_again() {
    let cluster = Cluster::shared();
    let id = waiting(&cluster, "late", "--time=3");
    let mut restarted = false;
    cluster.wait_until("the task is started again", || {
        let task = &cluster.tasks(&id)[0];
        restarted = task.restarts == 1;
        restarted || task.state == "TIMEOUT"
    });
    let log = cluster.log(&format!("late-{id}_0.log"));
    assert!(restarted && log.contains("\"exit_code\":143"), "{log}");
    cluster.artist(&format!("scancel {id}"));
}

#[test]
fn a_cancelled_task_is_not_started_again() {
    let cluster = Cluster::shared();
    let id = waiting(&cluster, "cancelled", "");
    let (again, stitch) = (waiting(&cluster, "cancelled-too", ""), id.clone());
    let section = script("When something goes wrong");
    let cancel = section.lines().find(|line| line.starts_with("scancel ")).expect("the command");
    cluster.artist(&format!("array={id} again={again} stitch={stitch}\n{cancel}"));
    for id in [id, again] {
        let task = &cluster.wait(&id)[0];
        assert_eq!((task.state.as_str(), task.restarts), ("CANCELLED", 0), "{task:?}");
    }
}
