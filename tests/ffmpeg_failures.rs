//! FFmpeg and FFprobe that are missing, fail, lie or hang: never a video that is not
//! whole, always a cause in words.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::frames::{self, noise};
use crate::support::{Run, Worker, fixture, names, report, worker};

/// Ten frames, an FFmpeg that does as it is told, and where the video would go.
struct Shot(TempDir);

impl Shot {
    fn new(orders: &Value) -> Self {
        let shot = Self(tempfile::tempdir().unwrap());
        frames::write(&shot.input().join("frames"), 1..=10);
        // Linked and not copied: what another test starts at this moment would inherit
        // a file that is open for writing, and such a file cannot be executed.
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

    /// `stitch`, with the real FFmpeg.
    fn worker(&self) -> Worker {
        worker("stitch").input(self.input()).output(self.output())
    }

    /// `stitch`, with the FFmpeg that does as it is told.
    fn ordered(&self) -> Worker {
        self.worker().arg("--ffmpeg").arg(self.ffmpeg())
    }

    /// Asserts how a run has failed: the exit code, these last words, no video, and a
    /// report that says the same.
    #[track_caller]
    fn failed(&self, run: Run, code: i32, words: &[&str]) -> Run {
        let run = run.exits(code);
        let last = run.last_words();
        for word in words {
            assert!(last.contains(word), "{word:?} is not in: {last}\n{}", run.text());
        }
        assert_eq!(names(&self.output()), ["reports"]);
        let report = report(&self.output(), "stitch");
        assert_eq!((&report["status"], &report["exit_code"]), (&json!("failed"), &json!(code)));
        run
    }
}

#[test]
fn programs_that_are_missing_or_no_programs_are_named_with_their_setting() {
    let shot = Shot::new(&json!({}));
    let plain = shot.0.path().join("plain");
    fs::write(&plain, "not executable").unwrap();
    let plain = plain.to_str().unwrap();
    for (flag, variable) in [("--ffmpeg", "FFMPEG"), ("--ffprobe", "FFPROBE")] {
        for program in ["no-such-program", "/no/such/program", plain] {
            let run = shot.worker().arg(flag).arg(program).run();
            shot.failed(run, 69, &[program, flag, variable]);
            fs::remove_dir_all(shot.output()).unwrap();
        }
    }
    let run = shot.worker().env("PATH", "/no/such/folder").run();
    shot.failed(run, 69, &["cannot start ffmpeg", "--ffmpeg, FFMPEG"]);
}

#[test]
fn a_failure_is_told_with_the_frames_and_the_video_it_was_about() {
    for (orders, code, words) in [
        (
            json!({ "output": "none", "stderr": "libfoo: the sky falls\n", "exit": 1 }),
            70,
            &["exit status 1", "libfoo: the sky falls"][..],
        ),
        // Its exit status never becomes ours.
        (json!({ "output": "none", "exit": 75 }), 70, &["exit status 75"]),
        // A wrapper script passes on what killed the program in it.
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
        // A whole video is worth nothing if FFmpeg has failed after all.
        (json!({ "output": "real", "exit": 3 }), 70, &["exit status 3"]),
    ] {
        let shot = Shot::new(&orders);
        let video = shot.output().join("output.mp4");
        let run = shot.failed(shot.ordered().run(), code, words);
        let last = run.last_words();
        assert!(last.contains("1-10") && last.contains(video.to_str().unwrap()), "{last}");
    }
}

#[test]
fn an_ffmpeg_that_says_all_is_well_is_not_believed() {
    for (orders, words) in [
        // Exit 0, and the video ends early: frames are counted.
        (json!({ "frames": 7 }), &["10 frames", "7 frames, h264"][..]),
        (json!({ "output": "junk" }), &["10 frames", "no video"]),
        (json!({ "output": "empty" }), &["10 frames", "no video"]),
        (json!({ "output": "none" }), &["10 frames", "no video"]),
        (json!({ "output": "none", "stdin": "none" }), &["10 frames", "no video"]),
        (json!({ "output": "none", "stdin": 1000 }), &["10 frames", "no video"]),
        // It tells that it invented a frame to keep the rate.
        (json!({ "stdout": "dup_frames=1\nprogress=end\n" }), &["duplicated 1"]),
        (json!({ "stdout": "drop_frames=2\nprogress=end\n" }), &["dropped 2"]),
    ] {
        let shot = Shot::new(&orders);
        let video = shot.output().join("output.mp4");
        let run = shot.failed(shot.ordered().run(), 70, words);
        let last = run.last_words();
        assert!(last.contains("1-10") && last.contains(video.to_str().unwrap()), "{last}");
    }
}

#[test]
fn an_ffprobe_that_fails_is_not_taken_for_ffmpeg() {
    let shot = Shot::new(&json!({}));
    let run = shot.worker().args("--ffprobe false").run();
    shot.failed(run, 70, &["FFprobe", "exit status 1", "output.mp4"]);
}

#[test]
fn an_ffmpeg_that_does_not_read_is_waited_for_and_not_written_to_in_vain() {
    // More than a pipe holds.
    let shot = Shot::new(&json!({ "output": "none", "stdin": "none", "exit": 1 }));
    for number in 1..=10u32 {
        let name = format!("in/frames/{number:04}.png");
        fs::write(shot.0.path().join(name), noise((200, 200), number)).unwrap();
    }
    shot.failed(shot.ordered().run(), 70, &["exit status 1", "1-10"]);
}

#[test]
fn what_the_decoder_cannot_read_is_the_frames_fault() {
    // All chunks are in order; what they hold is no picture.
    let shot = Shot::new(&json!({}));
    let frame = shot.input().join("frames/0004.png");
    fs::write(&frame, undecodable()).unwrap();
    shot.failed(shot.worker().run(), 65, &["cannot decode a frame", "1-10"]);
}

/// A PNG whose pixels are no zlib stream, though every checksum is right.
fn undecodable() -> Vec<u8> {
    let mut file = frames::frame(4);
    let start = file.windows(4).position(|kind| kind == b"IDAT").unwrap();
    let end = file.windows(4).position(|kind| kind == b"IEND").unwrap() - 8;
    file[start + 4..end].fill(0xAA);
    let sum = crc32fast::hash(&file[start..end]);
    file[end..end + 4].copy_from_slice(&sum.to_be_bytes());
    file
}

/// Runs the program with a disk of its own below `TMPDIR`, and prints what it leaves
/// there.
fn on_small_disk(worker: Worker, size: &str) -> Worker {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=$0 tmpfs "$TMPDIR" || exit 99
        "$@"; code=$?
        ls -A "$TMPDIR"; exit $code"#;
    worker.with(|command| {
        let mut wrapped = Command::new("unshare");
        wrapped.args(["-rm", "sh", "-c", SCRIPT, size]);
        wrapped.arg(command.get_program()).args(command.get_args()).env_clear();
        wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        *command = wrapped;
        command.stdin(Stdio::null());
    })
}

#[test]
fn a_full_scratch_disk_is_told_from_a_broken_ffmpeg() {
    let shot = Shot::new(&json!({}));
    for number in 1..=60u32 {
        let name = format!("in/frames/{number:04}.png");
        fs::write(shot.0.path().join(name), noise(frames::SIZE, number)).unwrap();
    }
    let run = on_small_disk(shot.worker().args("--crf 0"), "16m").run().exits(0);
    assert_eq!(run.stdout, "", "left in scratch");
    let needed = fs::metadata(shot.output().join("output.mp4")).unwrap().len();
    fs::remove_dir_all(shot.output()).unwrap();

    // Full before the first picture is out, in the middle, and at the very end, when
    // the index is written.
    for size in [4096, needed / 2, needed - 1] {
        let size = (size / 4096 * 4096).to_string();
        let run = on_small_disk(shot.worker().args("--crf 0"), &size).run();
        let run = shot.failed(run, 74, &["scratch disk is full", "frames 1-60", "output.mp4"]);
        assert_eq!(run.stdout, "", "left in scratch");
        fs::remove_dir_all(shot.output()).unwrap();
    }
}

#[test]
fn told_to_stop_it_leaves_no_video_not_even_a_whole_one() {
    // The real FFmpeg has ended its work, but not itself.
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
fn a_real_ffmpeg_in_the_middle_of_its_work_is_stopped_without_a_short_video() {
    let shot = Shot::new(&json!({}));
    let frame = noise((640, 360), 1);
    for number in 1..=100 {
        fs::write(shot.input().join("frames").join(frames::name(number)), &frame).unwrap();
    }
    let running = shot.worker().args("--preset placebo --crf 1").start();
    running.wait_for_log("starting");
    running.signal(Signal::SIGTERM);
    let run = shot.failed(running.finish(), 143, &["SIGTERM", "output.mp4"]);
    assert!(run.took < Duration::from_secs(20), "{:?}", run.took);
}

#[test]
fn an_ffmpeg_that_ignores_being_told_is_killed_after_its_grace() {
    let orders =
        json!({ "output": "none", "ignore_term": true, "stderr": "waiting\n", "hang": true });
    let shot = Shot::new(&orders);
    let running = shot.ordered().start();
    running.wait_for_log("waiting");
    running.signal(Signal::SIGTERM);
    let run = shot.failed(running.finish(), 143, &["SIGTERM", "output.mp4"]);
    assert!(run.took >= Duration::from_secs(5), "no grace: {:?}", run.took);
}
