//! FFmpeg and `FFprobe` that are missing, fail, lie or hang. No incomplete video is ever stored,
//! and the error always names the cause.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::frames::{self, noise};
use crate::support::{Run, Worker, fixture, names, report, worker};

/// Ten frames, a stand-in for FFmpeg with orders, and an output folder.
struct Shot(TempDir);

impl Shot {
    fn new(orders: &Value) -> Self {
        let shot = Self(tempfile::tempdir().unwrap());
        frames::write(&shot.input().join("frames"), 1..=10);
        // A link, not a copy: a process that another test starts during the copy would inherit the
        // file open for writing, and the kernel does not execute such a file.
        symlink(fixture("stand-ins/ffmpeg"), shot.ffmpeg()).unwrap();
        fs::write(shot.0.path().join("ffmpeg.orders"), orders.to_string()).unwrap();
        shot
    }

    fn input(&self) -> PathBuf {
        self.0.path().join("in")
    }

    fn output(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn ffmpeg(&self) -> PathBuf {
        self.0.path().join("ffmpeg")
    }

    /// A command line of `stitch` with the real FFmpeg.
    fn worker(&self) -> Worker {
        worker("stitch").input(self.input()).output(self.output())
    }

    /// A command line of `stitch` with the stand-in for FFmpeg.
    fn ordered(&self) -> Worker {
        self.worker().arg("--ffmpeg").arg(self.ffmpeg())
    }

    /// Asserts the exit code, the texts of the final error, that there is no video, and that the
    /// report agrees.
    #[track_caller]
    fn failed(&self, run: Run, code: i32, texts: &[&str]) -> Run {
        let run = run.exits(code);
        let error = run.final_error();
        for text in texts {
            assert!(error.contains(text), "{text:?} is not in: {error}\n{}", run.text());
        }
        let mut left = names(&self.output());
        // Frames that were decoded before the failure have previews.
        left.retain(|name| name != "previews");
        assert_eq!(left, ["reports"]);
        let report = report(&self.output(), "stitch");
        assert_eq!((&report["status"], &report["exit_code"]), (&json!("failed"), &json!(code)));
        run
    }
}

#[test]
fn programs_that_cannot_be_started_are_named_with_their_flag_and_variable() {
    let shot = Shot::new(&json!({}));
    let plain = shot.0.path().join("plain");
    fs::write(&plain, "not executable").unwrap();
    let plain = plain.to_str().unwrap();
    // Elsewhere than on AWS Batch, such an attempt leaves no report.
    let worker = || shot.worker().env("AWS_BATCH_JOB_ID", "1a-2b");
    for (flag, variable) in [("--ffmpeg", "FFMPEG"), ("--ffprobe", "FFPROBE")] {
        for program in ["no-such-program", "/no/such/program", plain] {
            let run = worker().arg(flag).arg(program).run();
            shot.failed(run, 69, &[program, flag, variable]);
            fs::remove_dir_all(shot.output()).unwrap();
        }
    }
    let run = worker().env("PATH", "/no/such/folder").run();
    shot.failed(run, 69, &["cannot start ffmpeg", "--ffmpeg, FFMPEG"]);
}

#[test]
fn a_failure_is_reported_with_its_frames_and_its_video() {
    for (orders, code, texts) in [
        (
            json!({ "output": "none", "stderr": "libfoo: the sky falls\n", "exit": 1 }),
            70,
            &["exit status 1", "libfoo: the sky falls"][..],
        ),
        // FFmpeg's exit status never becomes the worker's exit code.
        (json!({ "output": "none", "exit": 75 }), 70, &["exit status 75"]),
        // A shell reports the death of its child by a signal as 128 plus the signal.
        (json!({ "output": "none", "exit": 139 }), 70, &["FFmpeg crashed (signal 11)"]),
        (json!({ "output": "none", "exit": 137 }), 137, &["SIGKILL", "memory"]),
        (json!({ "output": "none", "kill": true }), 137, &["SIGKILL", "memory"]),
        (
            json!({ "output": "none", "stdin": "none", "exit": 1,
                "stderr": "[fatal] Unknown encoder 'libx264'\n" }),
            69,
            &["lacks", "Unknown encoder 'libx264'"],
        ),
        (
            json!({ "output": "empty", "exit": 1,
                "stderr": "[fatal] av_interleaved_write_frame(): No space left on device\n" }),
            74,
            &["scratch disk is full", "--scratch-dir"],
        ),
        // A complete video does not count if FFmpeg fails.
        (json!({ "output": "real", "exit": 3 }), 70, &["exit status 3"]),
    ] {
        let shot = Shot::new(&orders);
        let video = shot.output().join("output.mp4");
        let run = shot.failed(shot.ordered().run(), code, texts);
        let error = run.final_error();
        assert!(error.contains("1-10") && error.contains(video.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_wrong_video_is_an_error_even_if_ffmpeg_reports_success() {
    for (orders, texts) in [
        // The video is too short: the worker counts its frames.
        (json!({ "frames": 7 }), &["10 frames", "7 frames, h264"][..]),
        (json!({ "output": "junk" }), &["10 frames", "no video"]),
        (json!({ "output": "empty" }), &["10 frames", "no video"]),
        (json!({ "output": "none" }), &["10 frames", "no video"]),
        (json!({ "output": "none", "stdin": "none" }), &["10 frames", "no video"]),
        (json!({ "output": "none", "stdin": 1000 }), &["10 frames", "no video"]),
        // FFmpeg reports that it duplicated or dropped frames to keep the rate.
        (json!({ "stdout": "dup_frames=1\nprogress=end\n" }), &["duplicated 1"]),
        (json!({ "stdout": "drop_frames=2\nprogress=end\n" }), &["dropped 2"]),
    ] {
        let shot = Shot::new(&orders);
        let video = shot.output().join("output.mp4");
        let run = shot.failed(shot.ordered().run(), 70, texts);
        let error = run.final_error();
        assert!(error.contains("1-10") && error.contains(video.to_str().unwrap()), "{error}");
    }
}

#[test]
fn an_ffprobe_that_fails_is_named() {
    let shot = Shot::new(&json!({}));
    let run = shot.worker().args("--ffprobe false").run();
    shot.failed(run, 70, &["FFprobe", "exit status 1", "output.mp4"]);
}

#[test]
fn an_ffmpeg_that_does_not_read_its_input_is_reported_with_its_exit_status() {
    // The frames are larger than a pipe.
    let shot = Shot::new(&json!({ "output": "none", "stdin": "none", "exit": 1 }));
    for number in 1..=10u32 {
        let name = format!("in/frames/{number:04}.png");
        fs::write(shot.0.path().join(name), noise((200, 200), number)).unwrap();
    }
    shot.failed(shot.ordered().run(), 70, &["exit status 1", "1-10"]);
}

#[test]
fn a_frame_that_cannot_be_decoded_is_unusable_input() {
    // The structure of the PNG is valid, its compressed data is not.
    let shot = Shot::new(&json!({}));
    let frame = shot.input().join("frames/0004.png");
    fs::write(&frame, undecodable()).unwrap();
    shot.failed(shot.worker().run(), 65, &["frame 4: 0004.png cannot be decoded"]);
}

/// Creates a PNG with invalid zlib data and valid checksums.
fn undecodable() -> Vec<u8> {
    let mut file = frames::frame(4);
    let start = file.windows(4).position(|kind| kind == b"IDAT").unwrap();
    let end = file.windows(4).position(|kind| kind == b"IEND").unwrap() - 8;
    file[start + 4..end].fill(0xAA);
    let checksum = crc32fast::hash(&file[start..end]);
    file[end..end + 4].copy_from_slice(&checksum.to_be_bytes());
    file
}

/// Mounts a small disk on the program's `TMPDIR`, and prints the files that it leaves there.
fn on_small_disk(worker: Worker, size: &str) -> Worker {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=$0 tmpfs "$TMPDIR" || exit 99
        "$@"; code=$?
        ls -A "$TMPDIR"; exit $code"#;
    worker.wrapped_in(["unshare", "-rm", "sh", "-c", SCRIPT, size])
}

#[test]
fn a_full_scratch_disk_is_not_blamed_on_ffmpeg() {
    let shot = Shot::new(&json!({}));
    for number in 1..=60u32 {
        let name = format!("in/frames/{number:04}.png");
        fs::write(shot.0.path().join(name), noise(frames::SIZE, number)).unwrap();
    }
    let run = on_small_disk(shot.worker().args("--crf 0"), "16m").run().exits(0);
    assert_eq!(run.stdout, "", "files are left in scratch");
    let needed = fs::metadata(shot.output().join("output.mp4")).unwrap().len();
    fs::remove_dir_all(shot.output()).unwrap();

    // The disk is full before the first picture is written, in the middle, and at the end, when
    // FFmpeg writes the index.
    for size in [4096, needed / 2, needed - 1] {
        let size = (size / 4096 * 4096).to_string();
        let run = on_small_disk(shot.worker().args("--crf 0"), &size).run();
        let run = shot.failed(run, 74, &["scratch disk is full", "frames 1-60", "output.mp4"]);
        assert_eq!(run.stdout, "", "files are left in scratch");
        fs::remove_dir_all(shot.output()).unwrap();
    }
}

#[test]
fn a_signal_before_ffmpeg_has_exited_leaves_no_video() {
    // The video is complete, but FFmpeg has not exited.
    let shot = Shot::new(&json!({ "output": "real", "stderr": "waiting\n", "hang": true }));
    for (signal, code, name) in [(Signal::SIGTERM, 143, "SIGTERM"), (Signal::SIGINT, 130, "SIGINT")]
    {
        let running = shot.ordered().start();
        running.wait_for_log("waiting");
        running.signal(signal);
        shot.failed(running.finish(), code, &[name, "output.mp4"]);
        fs::remove_dir_all(shot.output()).unwrap();
    }
}

#[test]
fn a_real_ffmpeg_that_is_stopped_while_it_encodes_leaves_no_video() {
    let shot = Shot::new(&json!({}));
    let frame = noise((640, 360), 1);
    for number in 1..=100 {
        fs::write(shot.input().join("frames").join(frames::name(number)), &frame).unwrap();
    }
    let running = shot.worker().args("--preset placebo --crf 1").start();
    running.wait_for_log("starting");
    running.signal(Signal::SIGTERM);
    shot.failed(running.finish(), 143, &["SIGTERM", "output.mp4"]);
}

#[test]
fn an_ffmpeg_that_ignores_sigterm_is_killed() {
    let orders =
        json!({ "output": "none", "ignore_term": true, "stderr": "waiting\n", "hang": true });
    let shot = Shot::new(&orders);
    let running = shot.ordered().args("--stop-grace 2h").start();
    running.wait_for_log("waiting");
    running.signal(Signal::SIGTERM);
    shot.failed(running.finish(), 143, &["SIGTERM", "output.mp4"]);
}
