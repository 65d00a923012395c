//! The frame rate of the video. For frames that the worker rendered, it is that of the scene, which
//! the reports record; there is no default if they cannot be read. For other images it is 25.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::support::frames::{SIZE, frame, name, write};
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{Worker, ordered_scene, probe, worker};

/// A folder with a scene of 30 frames per second, and its output.
struct Shot(TempDir);

impl Shot {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Creates a folder with three rendered frames.
    fn rendered() -> Self {
        let shot = Self::new();
        shot.render(worker("render").output(shot.out()));
        shot
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn render(&self, render: Worker) {
        let scene = self.0.path().join("scene.blend");
        let facts = json!({"fps": 30, "fps_base": 1.0});
        let orders = json!({"size": [SIZE.0, SIZE.1], "scene": facts});
        fs::write(&scene, ordered_scene(1, 3, &orders)).unwrap();
        render.stand_in_blender().input(&scene).args("-f 3").run().exits(0);
    }

    /// Writes a report. The newest report has the last name.
    fn report(&self, name: &str, content: &str) {
        let folder = self.out().join("reports");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), content).unwrap();
    }

    fn stitch(&self) -> Worker {
        worker("stitch").input(self.out()).output(self.out())
    }
}

fn rate(video: &Path) -> String {
    probe(video)["streams"][0]["avg_frame_rate"].as_str().unwrap().to_owned()
}

#[test]
fn an_invalid_report_is_ignored_in_favour_of_the_previous_one() {
    let scene = |fps: u32, base: f64| {
        json!({"scene": {
            "blender": "4.3.2", "fps": fps, "fps_base": base, "width": 64, "height": 48,
            "frame_start": 1, "frame_end": 3, "frame_step": 1, "file_format": "PNG",
            "extension": ".png", "engine": "CYCLES", "warnings": [],
        }})
        .to_string()
    };
    let absurd = [scene(1, 999_999.0), scene(32_767, 0.001), scene(0, 1.0)];
    for invalid in [&absurd[..], &["{".to_owned(), String::new(), "[]".to_owned()]].concat() {
        let shot = Shot::rendered();
        shot.report("render-later.json", &invalid);
        shot.stitch().run().exits(0).logs(&["skipping the report render-later.json: "]);
        assert_eq!(rate(&shot.out().join("output.mp4")), "30/1", "{invalid}");
    }
}

#[test]
fn rendered_frames_without_a_frame_rate_in_any_report_need_the_flag() {
    let shot = Shot::new();
    write(&shot.out().join("frames"), 1..=3);
    shot.report("render-of-a-child-past-the-end.json", "{}");
    let run = shot.stitch().run().exits(66);
    let error = run.final_error();
    for text in ["reports", "frame rate", "--fps (FPS)"] {
        assert!(error.contains(text), "{text:?} is not in {error}");
    }
    assert!(!shot.out().join("output.mp4").exists());
    shot.stitch().args("--fps 12").run().exits(0).logs_no_warnings();
    assert_eq!(rate(&shot.out().join("output.mp4")), "12/1");
}

#[test]
fn other_images_default_to_25_frames_per_second_with_a_warning() {
    let (plain, named) = (Shot::new(), Shot::new());
    write(&plain.out(), 1..=3);
    write(&plain.out().join("frames"), 1..=3);
    named.report("render-of-something-else.json", "{}");
    fs::create_dir_all(named.out().join("frames")).unwrap();
    for number in 1..=3 {
        fs::write(named.out().join("frames").join(format!("dsc-{number}.png")), frame(number))
            .unwrap();
    }
    for shot in [plain, named] {
        // The second run finds the report of the first one.
        for _ in 0..2 {
            shot.stitch().run().exits(0).logs(&["taking 25 frames a second (--fps, FPS)"]);
            assert_eq!(rate(&shot.out().join("output.mp4")), "25/1");
        }
    }
}

#[test]
fn an_unreadable_report_is_an_error_and_not_a_reason_for_the_default() {
    for (status, code, exit) in [(403, "AccessDenied", 77), (503, "SlowDown", 75)] {
        let (server, shot) = (S3Server::start(), Shot::new());
        shot.render(worker("render").output(server.uri("out")).s3(&server));
        assert!(server.get(&format!("out/frames/{}", name(3))).is_some());
        let reports = Fault::on(Operation::GetObject).key("out/reports/");
        server.inject(reports.respond(status, code));
        let uri = server.uri("out");
        let run = worker("stitch").s3(&server).input(&uri).output(&uri).run().exits(exit);
        assert!(run.final_error().contains("out/reports/"), "{}", run.final_error());
        assert!(server.get("out/output.mp4").is_none());
    }
}

#[test]
fn high_rates_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("in"), 1..=4);
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    for fps in ["120000/1001", "240000/1001", "24000/1001", "144/1", "1/3"] {
        let stitch = worker("stitch").input(&input).output(&output).args("--fps").arg(fps);
        stitch.run().exits(0);
        assert_eq!(rate(&output.join("output.mp4")), fps);
    }
}
