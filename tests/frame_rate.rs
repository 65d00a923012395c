//! How many frames a second the video has: what the reports say, and no guess where they
//! cannot be read. Of images from anywhere it is 25.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use crate::support::frames::{SIZE, frame, name, write};
use crate::support::s3_server::{Fault, Operation, S3Server};
use crate::support::{Worker, ordered_scene, probe, worker};

/// A folder with a scene of 30 frames a second in it, and what is made of it.
struct Shot(TempDir);

impl Shot {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One of which three frames are rendered.
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

    /// The reports, the latest one last.
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
fn a_report_whose_content_makes_no_sense_is_passed_over_for_the_one_before() {
    let scene = |fps: u32, base: f64| {
        json!({"scene": {
            "blender": "4.3.2", "fps": fps, "fps_base": base, "width": 64, "height": 48,
            "frame_start": 1, "frame_end": 3, "frame_step": 1, "file_format": "PNG",
            "extension": ".png", "engine": "CYCLES", "warnings": [],
        }})
        .to_string()
    };
    let absurd = [scene(1, 999_999.0), scene(32_767, 0.001), scene(0, 1.0)];
    for nonsense in [&absurd[..], &["{".to_owned(), String::new(), "[]".to_owned()]].concat() {
        let shot = Shot::rendered();
        shot.report("render-later.json", &nonsense);
        shot.stitch().run().exits(0).says(&["passing over the report render-later.json: "]);
        assert_eq!(rate(&shot.out().join("output.mp4")), "30/1", "{nonsense}");
    }
}

#[test]
fn frames_that_we_rendered_and_whose_rate_no_report_tells_make_no_video_without_a_flag() {
    let shot = Shot::new();
    write(&shot.out().join("frames"), 1..=3);
    shot.report("render-of-a-child-past-the-end.json", "{}");
    let run = shot.stitch().run().exits(66);
    let last = run.last_words();
    for words in ["reports", "tells the frame rate", "--fps (FPS)"] {
        assert!(last.contains(words), "{words:?} is not in {last}");
    }
    assert!(!shot.out().join("output.mp4").exists());
    shot.stitch().args("--fps 12").run().exits(0).never_says(&["WARN"]);
    assert_eq!(rate(&shot.out().join("output.mp4")), "12/1");
}

#[test]
fn of_other_images_it_is_25_with_a_warning() {
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
        // The second time, the report of the first one lies there.
        for _ in 0..2 {
            shot.stitch().run().exits(0).says(&["taking 25 frames a second (--fps, FPS)"]);
            assert_eq!(rate(&shot.out().join("output.mp4")), "25/1");
        }
    }
}

#[test]
fn a_report_that_cannot_be_read_is_no_reason_to_guess() {
    for (status, code, exit) in [(403, "AccessDenied", 77), (503, "SlowDown", 75)] {
        let (server, shot) = (S3Server::start(), Shot::new());
        shot.render(worker("render").output(server.uri("out")).s3(&server));
        assert!(server.get(&format!("out/frames/{}", name(3))).is_some());
        let reports = Fault::on(Operation::GetObject).key("out/reports/");
        server.inject(reports.respond(status, code));
        let uri = server.uri("out");
        let run = worker("stitch").s3(&server).input(&uri).output(&uri).run().exits(exit);
        assert!(run.last_words().contains("out/reports/"), "{}", run.last_words());
        assert!(server.get("out/output.mp4").is_none());
    }
}
