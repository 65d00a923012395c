//! Children of array jobs: every scheduler tells the worker which one it is in its own way, and the
//! worker does the same for all of them.

use serde_json::json;

use crate::support::place::{Place, frame_names};
use crate::support::{Worker, names, report, scene, worker};

/// The variables of the child with index 1 of an array of three, from each scheduler.
const SECOND_OF_THREE: [(&str, &[(&str, &str)]); 5] = [
    ("AWS Batch", &[("AWS_BATCH_JOB_ARRAY_INDEX", "1"), ("AWS_BATCH_JOB_ARRAY_SIZE", "3")]),
    ("Kubernetes", &[("JOB_COMPLETION_INDEX", "1")]),
    (
        "Slurm",
        &[
            ("SLURM_JOB_ID", "71"),
            ("SLURM_ARRAY_JOB_ID", "70"),
            ("SLURM_ARRAY_TASK_ID", "15"),
            ("SLURM_ARRAY_TASK_MIN", "10"),
            ("SLURM_ARRAY_TASK_MAX", "20"),
            ("SLURM_ARRAY_TASK_STEP", "5"),
            ("SLURM_ARRAY_TASK_COUNT", "3"),
        ],
    ),
    ("Google Cloud", &[("BATCH_TASK_INDEX", "1"), ("BATCH_TASK_COUNT", "3")]),
    ("nobody", &[("ARRAY_INDEX", "1")]),
];

/// Asserts that the job is refused, in its log, and that the error has each of these texts.
#[track_caller]
fn refused(worker: Worker, texts: &[&str]) {
    let error = worker.run().exits(2).final_error();
    assert!(texts.iter().all(|text| error.contains(text)), "{error}");
}

#[test]
fn the_child_of_any_scheduler_renders_its_part_and_leaves_the_whole_to_stitch() {
    for (scheduler, variables) in SECOND_OF_THREE {
        let folder = tempfile::tempdir().unwrap();
        let child = worker("render").input(scene("tiny")).output(folder.path()).args("-f 2");
        let child = variables.iter().fold(child, |child, (name, value)| child.env(name, value));
        let run = child.run().exits(0);
        assert_eq!(names(&folder.path().join("frames")), frame_names(3..=4), "{scheduler}");
        // The contact sheet and the command for the video are about the whole.
        assert_eq!(names(&folder.path().join("previews")), ["0003.jpg", "0004.jpg"], "{scheduler}");
        assert!(!run.text().contains("to make the video"), "{scheduler}: {}", run.text());
        assert!(run.json().iter().all(|line| line["array_index"] == 1), "{scheduler}");
        assert_eq!(report(folder.path(), "render")["array_index"], 1, "{scheduler}");
        let reports = names(&folder.path().join("reports"));
        assert!(reports[0].starts_with("render-index-1-"), "{scheduler}: {reports:?}");
    }
}

#[test]
fn the_job_and_the_attempt_are_those_of_slurm() {
    let place = Place::ordered(&json!({}));
    let task = place.stand_in().env("SLURM_ARRAY_JOB_ID", "70").env("SLURM_ARRAY_TASK_ID", "0");
    let run = task.env("SLURM_JOB_ID", "71").env("SLURM_RESTART_COUNT", "2").run().exits(0);
    assert!(run.json().iter().all(|line| line["job_id"] == "70_0" && line["attempt"] == 3));
    let report = report(&place.path("out"), "render");
    assert_eq!((&report["job_id"], &report["attempt"]), (&json!("70_0"), &json!(3)));
    // Metrics are for CloudWatch.
    assert_eq!(run.stdout, "");
}

#[test]
fn schedulers_that_disagree_are_named() {
    let place = Place::ordered(&json!({}));
    let render = || place.stand_in().env("JOB_COMPLETION_INDEX", "1");
    refused(
        render().args("--array-index 2"),
        &["JOB_COMPLETION_INDEX", "--array-index (ARRAY_INDEX)"],
    );
    refused(
        render().env("SLURM_ARRAY_TASK_ID", "2"),
        &["JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"],
    );
    assert_eq!(names(place.folder()), ["scene.blend"]);
    render().args("--array-index 1 -t 13").run().exits(0);
    assert_eq!(place.frames(), ["0013.png"]);
}

#[test]
fn a_list_of_some_tasks_needs_the_index() {
    let place = Place::ordered(&json!({}));
    let task = || {
        let array = [("MIN", "3"), ("MAX", "7"), ("COUNT", "2"), ("STEP", "1"), ("ID", "7")];
        let task = worker("render").input(place.scene()).output(place.path("out"));
        let task = task.args("-f 2 -t 16").stand_in_blender();
        array
            .iter()
            .fold(task, |task, (name, value)| task.env(&format!("SLURM_ARRAY_TASK_{name}"), value))
    };
    refused(task(), &["SLURM_ARRAY_TASK_ID", "--array-index (ARRAY_INDEX)"]);
    task().env("ARRAY_INDEX", "7").run().exits(0);
    assert_eq!(place.frames(), frame_names(15..=16));
}
