//! `run`: a whole scene on one machine, from the scene file to the video.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Run, Worker, names, ordered_scene, pixel_hashes, probe, report, scene, wait_until, worker,
};

struct Shot(TempDir);

impl Shot {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Frames 2 to 4, rendered by the stand-in.
    fn ordered() -> Self {
        let shot = Self::new();
        let orders = json!({ "size": [32, 24], "record": shot.path("launches") });
        fs::write(shot.path("scene.blend"), ordered_scene(2, 4, &orders)).unwrap();
        shot
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn output(&self) -> PathBuf {
        self.path("out")
    }

    fn frames(&self) -> Vec<String> {
        names(&self.path("out/frames"))
    }

    fn launches(&self) -> usize {
        fs::read_to_string(self.path("launches")).unwrap_or_default().lines().count()
    }

    fn worker(&self, action: &str, arguments: &str) -> Worker {
        let worker = worker(action).input(self.path("scene.blend")).output(self.output());
        worker.stand_in_blender().args(arguments)
    }

    fn run(&self, arguments: &str) -> Run {
        self.worker("run", arguments).run()
    }

    #[track_caller]
    fn video_has(&self, video: &str, frames: u64) {
        let found = probe(&self.path(video))["streams"][0]["nb_read_frames"].clone();
        assert_eq!(found, json!(frames.to_string()));
    }
}

/// Renders one of the test scenes with the real Blender.
fn really(action: &str, name: &str, output: &Path, arguments: &str) -> Run {
    worker(action).input(scene(name)).output(output).args(arguments).run().exits(0)
}

fn scene_report(output: &Path, field: &str) -> Value {
    report(output, "render")["scene"][field].clone()
}

#[test]
fn a_scene_becomes_frames_and_a_video_with_its_own_engine() {
    let shot = Shot::new();
    let run = really("run", "workbench", &shot.output(), "--codec h265");
    assert_eq!(run.warnings(), [""; 0]);
    assert_eq!(shot.frames().len(), 12);
    shot.video_has("out/output.mp4", 12);
    assert_eq!(scene_report(&shot.output(), "engine"), json!("BLENDER_WORKBENCH"));
    assert_eq!(report(&shot.output(), "stitch")["video"]["codec"], json!("hevc"));
}

#[test]
fn it_goes_on_where_it_was_and_counts_what_is_there() {
    let shot = Shot::ordered();
    shot.run("").exits(0);
    assert_eq!(shot.frames(), ["0002.png", "0003.png", "0004.png"]);
    fs::remove_file(shot.path("out/frames/0003.png")).unwrap();
    fs::remove_file(shot.path("out/output.mp4")).unwrap();
    shot.run("").exits(0).logs(&["frame 3 stored: 3 of 3", "all 3 frames are stored"]);
    shot.video_has("out/output.mp4", 3);
    assert_eq!(shot.launches(), 2);
    // Nothing is left to render, and the video is made all the same.
    fs::remove_file(shot.path("out/output.mp4")).unwrap();
    shot.run("").exits(0);
    shot.video_has("out/output.mp4", 3);
    assert_eq!(shot.launches(), 2);
}

#[test]
fn the_video_has_exactly_the_requested_frames() {
    let shot = Shot::ordered();
    shot.run("").exits(0);
    shot.run("--frames 3-4").exits(0);
    shot.video_has("out/output.mp4", 2);
    assert_eq!(shot.frames().len(), 3);
    // The first frames are those of the scene, which begins at frame 2.
    for (output, arguments) in [("few", "-f 2"), ("total", "-t 2")] {
        let worker = worker("run").input(shot.path("scene.blend")).output(shot.path(output));
        worker.stand_in_blender().args(arguments).run().exits(0).logs_no_warnings();
        assert_eq!(names(&shot.path(output).join("frames")), ["0002.png", "0003.png"]);
    }
}

#[test]
fn without_ffmpeg_nothing_is_rendered() {
    let shot = Shot::ordered();
    let run = shot.run("--ffmpeg no-such-program").exits(69);
    assert!(run.final_error().contains("--ffmpeg"), "{}", run.text());
    assert_eq!(shot.launches(), 0);
}

#[test]
fn a_child_of_an_array_job_renders_instead() {
    let shot = Shot::ordered();
    shot.worker("run", "").env("AWS_BATCH_JOB_ARRAY_INDEX", "0").run().exits(2);
    assert_eq!(shot.launches(), 0);
}

#[test]
fn render_without_a_number_of_frames_renders_the_scenes_range() {
    let shot = Shot::ordered();
    let run = shot.worker("render", "").run().exits(0);
    assert_eq!(shot.frames(), ["0002.png", "0003.png", "0004.png"]);
    let output = shot.output();
    let command = format!("render-worker stitch -i {0} -o {0}", output.display());
    run.logs(&["all 3 frames of the scene are in ", &command]);
}

#[test]
fn the_last_line_counts_the_frames_of_the_scene() {
    let shot = Shot::ordered();
    let run = shot.worker("render", "-f 3").run().exits(0);
    // Frame 1 is outside of the scene's range.
    run.logs(&["2 of the scene's 3 frames are, and 1 outside of its range 2-4, in "]);
    let child = shot.worker("render", "-f 1").env("AWS_BATCH_JOB_ARRAY_INDEX", "3");
    child.run().exits(0).never_logs(&["of the scene"]);
}

#[test]
fn stitch_says_how_the_frames_differ_from_those_of_the_scene() {
    let shot = Shot::ordered();
    shot.worker("render", "--frames 1-3").run().exits(0);
    let stitch = |arguments: &str| {
        worker("stitch").input(shot.output()).output(shot.output()).args(arguments).run()
    };
    let warnings = stitch("").exits(0).warnings();
    assert!(
        matches!(&warnings[..], [outside, missing]
            if outside.contains("frame 1 is outside of the scene's own range, 2-4")
                && missing.contains("2 of the scene's 3 frames: frame 4 is not there")),
        "{warnings:?}"
    );
    // Where the command says which frames are wanted, there is nothing to warn of.
    let warnings = stitch("--frames 1-2").exits(0).warnings();
    let left_out = "1 other frame is in ";
    assert!(matches!(&warnings[..], [one] if one.contains(left_out)), "{warnings:?}");
    stitch("--first-frame scene -t scene").exits(66).logs(&["frame 4 is missing"]);
}

#[test]
fn a_preview_is_small_and_leaves_the_frames_alone() {
    let shot = Shot::new();
    let output = shot.output();
    really("render", "tiny", &output, "-f 1");
    let frame = fs::read(shot.path("out/frames/0001.png")).unwrap();
    really("run", "tiny", &output, "--preview");
    assert_eq!(fs::read(shot.path("out/frames/0001.png")).unwrap(), frame);
    let preview = shot.path("out/preview");
    assert_eq!(names(&preview.join("frames")).len(), 12);
    shot.video_has("out/preview/output.mp4", 12);
    for field in ["width", "height"] {
        let whole = scene_report(&output, field).as_u64().unwrap();
        assert_eq!(scene_report(&preview, field), json!(whole / 4));
    }
}

#[test]
fn samples_and_resolution_replace_those_of_the_scene() {
    let shot = Shot::new();
    let rendered = |name: &str, arguments: &str| {
        let output = shot.path(name);
        really("render", "tiny", &output, &format!("-f 1 --denoise off {arguments}"));
        let pixels = pixel_hashes(&output.join("frames/0001.png"));
        let size = ["width", "height"].map(|field| scene_report(&output, field).as_u64().unwrap());
        (pixels, size)
    };
    let (pixels, size) = rendered("own", "");
    let (many, same_size) = rendered("many", "--samples 8");
    assert_eq!(size, same_size);
    assert_ne!(pixels, many, "--samples changed nothing");
    let overrides = report(&shot.path("many"), "render")["overrides"].clone();
    assert_eq!(overrides, json!({ "engine": "CYCLES", "denoise": "off", "samples": 8 }));
    assert_eq!(rendered("half", "--resolution 50%").1, size.map(|side| side / 2));
    assert_eq!(rendered("pixels", "--resolution 20x12").1, [20, 12]);
    // Other samples are other pictures: the frame is rendered again.
    let again = really("render", "tiny", &shot.path("many"), "-f 1 --denoise off --samples 2");
    again.logs(&["frame 1 stored"]);
}

#[test]
fn another_engine_than_the_scenes_is_a_warning() {
    let shot = Shot::new();
    let run = really("render", "workbench", &shot.output(), "-f 1 --samples 1");
    let warnings = run.warnings();
    let names_both = |warning: &String| {
        ["BLENDER_WORKBENCH", "CYCLES", "--engine scene"].iter().all(|name| warning.contains(name))
    };
    assert!(matches!(&warnings[..], [one] if names_both(one)), "{warnings:?}");
    let other = shot.path("other");
    let run = really("render", "workbench", &other, "-f 1 --engine scene --samples 1");
    let warnings = run.warnings();
    assert!(matches!(&warnings[..], [one] if one.contains("--samples")), "{warnings:?}");
}

/// Sends a request with a token, and returns the status and the body.
fn get(authority: &str, method: &str, path: &str, token: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(authority).unwrap();
    let bearer = format!("Authorization: Bearer {token}");
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\n{bearer}");
    write!(stream, "{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn a_page_shows_the_output_while_it_is_made() {
    let shot = Shot::new();
    let seen = shot.path("seen");
    let steps = json!([{"at": 4, "do": "wait_for_file", "path": seen}]);
    fs::write(shot.path("scene.blend"), ordered_scene(2, 4, &steps)).unwrap();
    let running = shot.worker("run", "--watch").start();
    let logged = running.wait_for_log("watch the run at http://127.0.0.1:");
    let link = logged.split("http://").nth(1).unwrap();
    let link: String = link.chars().take_while(|c| !"\" ,".contains(*c)).collect();
    let (address, token) = link.split_once("?token=").unwrap();
    let (authority, page) = address.split_once('/').unwrap();
    let page = format!("/{page}");
    wait_until("two frames are there", || shot.path("out/frames/0003.png").exists());
    let (status, body) = get(authority, "GET", &format!("/api{page}"), token);
    let shown: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &shown["uri"]), (200, &json!(shot.output())));
    assert_eq!(shown["stored"], 2);
    let (status, body) = get(authority, "GET", &page, token);
    assert_eq!((status, body.contains("<html")), (200, true));
    // Nobody else gets in, and nothing is changed.
    assert_eq!(get(authority, "GET", &page, "guessed").0, 401);
    assert_eq!(get(authority, "DELETE", &format!("/api{page}"), token).0, 405);
    assert_eq!(get(authority, "POST", "/api/renders", token).0, 404);
    fs::write(&seen, "").unwrap();
    running.finish().exits(0);
    assert_eq!(shot.frames(), ["0002.png", "0003.png", "0004.png"]);
    assert!(TcpStream::connect(authority).is_err(), "the page ends with the run");
}
