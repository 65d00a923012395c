//! The log, as JSON and as text. Nothing that Blender prints can break either format.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Run, Worker, fixture, names, ordered_scene, wait_until, worker};

/// The longest line that every log driver of Docker stores in one piece.
const LONGEST: usize = 16 * 1024;

/// A folder with a scene for the stand-in.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new(frames: i32, orders: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("scene.blend"), ordered_scene(1, frames, orders)).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn worker(&self, arguments: &str) -> Worker {
        worker("render")
            .input(self.path("scene.blend"))
            .output(self.path("out"))
            .stand_in_blender()
            .args(arguments)
    }
}

/// Makes the stand-in print a line in frame 1.
fn say(text: &str) -> Value {
    json!([{"at": 1, "do": "say", "text": text}])
}

#[test]
fn without_a_terminal_every_line_is_json_with_time_level_and_message() {
    let run = Stage::new(1, &say("from Blender")).worker("-f 1").run().exits(0);
    let lines = run.json();
    assert!(lines.len() > 3, "{}", run.text());
    for line in &lines {
        let time = line["timestamp"].as_str().unwrap();
        assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
        assert!(["WARN", "INFO"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert!(!line["message"].as_str().unwrap().is_empty(), "{line}");
    }
    let line = lines.iter().find(|line| line["message"] == "from Blender").unwrap();
    assert_eq!(line["program"], "blender");
}

#[test]
fn on_a_terminal_the_log_is_text() {
    let stage = Stage::new(1, &say("from Blender"));
    let text = stage.worker("-f 1").run_on_a_terminal(0);
    assert!(is_text(text.lines().map(str::trim_end)), "{text}");
    assert!(text.contains("INFO  blender: from Blender"), "{text}");
}

#[test]
fn the_format_can_be_chosen() {
    let stage = Stage::new(1, &say("from Blender"));
    let run = stage.worker("-f 1 --log-format text").run().exits(0);
    assert!(is_text(run.lines.iter().map(String::as_str)), "{}", run.text());
    assert!(run.text().contains("INFO  blender: from Blender"), "{}", run.text());
    let run = stage.worker("-f 1").env("LOG_FORMAT", "text").run().exits(0);
    assert!(is_text(run.lines.iter().map(String::as_str)), "{}", run.text());
    assert!(!stage.worker("-f 1").env("LOG_FORMAT", "json").run().exits(0).json().is_empty());
}

/// Returns whether every line starts like `12:34:56 INFO  …`.
fn is_text<'a>(mut lines: impl Iterator<Item = &'a str>) -> bool {
    lines.all(|line| {
        let mut words = line.split_whitespace();
        let time = words.next().unwrap_or_default();
        let clock = time.len() == 8 && time.split(':').all(|part| part.parse::<u8>().is_ok());
        clock && matches!(words.next(), Some("INFO" | "WARN" | "ERROR"))
    })
}

#[test]
fn line_breaks_in_names_and_values_cannot_forge_a_line() {
    const FORGED: &str = "\n16:00:00 INFO  all 2 frames are stored";
    let folder = tempfile::tempdir().unwrap();
    let frames = folder.path().join("frames");
    fs::create_dir(&frames).unwrap();
    for name in ["0001.png", &format!("a{FORGED} 0004.png")] {
        fs::copy(fixture("frames/blender-rgb-8.png"), frames.join(name)).unwrap();
    }
    let stitch = || worker("stitch").env("LOG_FORMAT", "text");
    let named = stitch().input(folder.path()).output(folder.path().join("out"));
    let elsewhere = |output: &str| stitch().input(folder.path()).output(output);
    let forged_path = folder.path().join(format!("x{FORGED}"));
    for (run, exit) in [
        (named, 65),
        (elsewhere(&format!("s3://bkt/{FORGED} ")), 2),
        (elsewhere("out").arg("--output-name").arg(format!("a{FORGED}.mp4")), 2),
        (elsewhere("out").arg(format!("--no{FORGED}")), 2),
        (stitch().input(&forged_path).output("out"), 66),
        (elsewhere("out").arg("--ffmpeg").arg(&forged_path), 69),
        (elsewhere("out").env("AWS_BATCH_JOB_ARRAY_INDEX", FORGED), 2),
        (elsewhere("out").arg("--unheard-of"), 2),
    ] {
        let run = run.with(|command| _ = command.current_dir(folder.path())).run().exits(exit);
        assert!(is_text(run.lines.iter().map(String::as_str)), "{}", run.text());
        assert!(run.lines.iter().all(|line| !line.starts_with("16:00:00")), "{}", run.text());
    }
}

#[test]
fn every_line_has_the_batch_job_attempt_and_index() {
    let stage = Stage::new(4, &json!([]));
    let run = stage
        .worker("-f 2")
        .env("AWS_BATCH_JOB_ID", "0a1b:1")
        .env("AWS_BATCH_JOB_ATTEMPT", "2")
        .env("AWS_BATCH_JOB_ARRAY_INDEX", "1")
        .env("AWS_BATCH_JOB_ARRAY_SIZE", "2")
        .run()
        .exits(0);
    for line in run.json() {
        assert_eq!(line["job_id"], "0a1b:1", "{line}");
        assert_eq!((&line["attempt"], &line["array_index"]), (&json!(2), &json!(1)), "{line}");
    }
    for line in stage.worker("-f 2").run().exits(0).json() {
        for field in ["job_id", "attempt", "array_index"] {
            assert!(line.get(field).is_none(), "{line}");
        }
    }
}

#[test]
fn every_stored_frame_has_a_line_with_its_number_size_and_duration() {
    let stage = Stage::new(3, &json!([]));
    let run = stage.worker("-f 3").run().exits(0);
    for frame in 1..=3 {
        let lines = run.json();
        let stored = format!("frame {frame} stored");
        let message = |line: &&Value| line["message"].as_str().unwrap().starts_with(&stored);
        let line = lines.iter().find(message).unwrap_or_else(|| panic!("{}", run.text()));
        let file = stage.path("out/frames").join(format!("{frame:04}.png"));
        assert_eq!(line["frame"], frame);
        assert_eq!(line["bytes"], fs::metadata(file).unwrap().len());
        assert!(line["seconds"].as_f64().unwrap() >= 0.0);
    }
}

#[test]
fn progress_lines_have_the_count_the_time_per_frame_and_the_time_left() {
    // Frames take half a second, so that the time left is more than 0.
    let stage = Stage::new(4, &json!([{"at": "every", "do": "delay", "seconds": 0.5}]));
    let run = stage.worker("-f 4").run().exits(0).logs(&["all 4 frames are stored"]);
    let lines: Vec<_> = run
        .messages()
        .into_iter()
        .filter_map(|message| Some(message.split_once(" stored: ")?.1.to_owned()))
        .collect();
    assert_eq!(lines.len(), 4, "{}", run.text());
    for (n, line) in (1..).zip(&lines) {
        let rest = line.strip_prefix(&format!("{n} of 4, ")).unwrap_or_else(|| panic!("{line}"));
        let (seconds, rest) = rest.split_once(" s a frame").unwrap();
        assert!(seconds.parse::<f64>().unwrap() >= 0.5, "{line}");
        match rest.strip_prefix(", about ") {
            Some(left) => {
                let left = humantime::parse_duration(left.strip_suffix(" left").unwrap()).unwrap();
                let expected = seconds.parse::<f64>().unwrap() * f64::from(4 - n);
                // The line has whole seconds.
                assert!((left.as_secs_f64() - expected).abs() <= 1.1, "{line}");
            }
            None => assert_eq!((n, rest), (4, ""), "{line}"),
        }
    }
}

#[test]
fn the_log_level_selects_the_lines() {
    let steps = json!([
        {"at": 1, "do": "say", "text": "Error: something", "to": "stderr"},
        {"at": 1, "do": "say", "text": "by the way"},
    ]);
    let stage = Stage::new(1, &json!({"steps": steps, "scene": {"warnings": ["take care"]}}));
    let levels = |level: &str| {
        let run = stage.worker("-f 1 --no-resume --log-level").arg(level).run().exits(0);
        let lines = run.json();
        let levels = lines.iter().map(|line| line["level"].as_str().unwrap().to_owned());
        let mut levels: Vec<String> = levels.collect();
        levels.sort();
        levels.dedup();
        levels
    };
    assert_eq!(levels("error"), ["ERROR"]);
    assert_eq!(levels("warn"), ["ERROR", "WARN"]);
    assert_eq!(levels("info"), ["ERROR", "INFO", "WARN"]);
    assert_eq!(levels("debug"), ["DEBUG", "ERROR", "INFO", "WARN"]);
    let run = stage.worker("-f 1 --no-resume").env("LOG_LEVEL", "error").run().exits(0);
    assert_eq!(run.messages(), ["Error: something"]);
}

/// Asserts that every line is a complete JSON object and short enough.
#[track_caller]
fn assert_well_formed(run: &Run) {
    for (line, text) in run.json().iter().zip(&run.lines) {
        assert!(line.is_object());
        assert!(text.len() < LONGEST, "{} bytes: {}…", text.len(), &text[..300]);
    }
}

#[test]
fn lines_stay_short_whatever_blender_prints() {
    let base64 = |byte: &str| byte.repeat(10_000);
    let steps = json!([
        // Megabytes without a line break: text, invalid UTF-8 (0xff), characters that JSON escapes.
        {"at": 1, "do": "say", "text": "x".repeat(10_000), "newline": false, "repeat": 300},
        {"at": 1, "do": "say", "text": ""},
        {"at": 1, "do": "say", "base64": base64("////"), "newline": false, "repeat": 100},
        {"at": 1, "do": "say", "text": ""},
        {"at": 1, "do": "say", "text": "\"\\".repeat(10_000), "newline": false, "repeat": 100},
        {"at": 1, "do": "say", "text": "the end"},
        {"at": 1, "do": "say", "text": "\u{0}".repeat(20_000)},
    ]);
    let long_id = "j".repeat(300);
    let run = Stage::new(1, &steps)
        .worker("-f 1")
        .env("AWS_BATCH_JOB_ID", long_id)
        .run()
        .exits(0)
        .logs(&["xxxx", "bytes more]"]);
    assert_well_formed(&run);
}

#[test]
fn the_final_error_is_short_and_ends_with_advice_and_exit_code() {
    let mut steps: Vec<_> = (0..20)
        .map(|n| json!({"at": 0, "do": "say", "text": format!("Error: {n} {}", "\"".repeat(9000))}))
        .collect();
    steps.push(json!({"at": 0, "do": "exit", "code": 1}));
    // A list of frames that is longer than a line may be.
    let frames: Vec<_> = (0..4000).map(|n| (n * 250 + n * n % 97).to_string()).collect();
    let stage = Stage::new(1, &json!([]));
    fs::write(stage.path("scene.blend"), ordered_scene(0, 1, &json!(steps))).unwrap();
    let run = stage.worker("--frames").arg(frames.join(",")).run().exits(70);
    assert_well_formed(&run);
    let error = run.final_error();
    assert!(error.contains("what to do: "), "{error}");
    assert!(error.ends_with("(exit code 70)"), "{error}");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let controls = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{7f}\u{8}";
    let steps = json!([
        {"at": 1, "do": "say", "text": format!("one {controls} two")},
        {"at": 1, "do": "say", "text": format!("Error: three {controls} four"), "to": "stderr"},
    ]);
    let orders = json!({"steps": steps, "scene": {"warnings": [format!("five {controls} six")]}});
    for format in ["text", "json"] {
        let stage = Stage::new(1, &orders);
        // File names can have control characters, too.
        let named = stage.path(&format!("seven {controls}.blend"));
        fs::rename(stage.path("scene.blend"), &named).unwrap();
        let run = worker("render")
            .input(&named)
            .output(stage.path("out"))
            .args("-f 1 --log-format")
            .arg(format)
            .stand_in_blender()
            .run()
            .exits(0);
        for word in ["one ", " two", "three ", " four", "five ", " six", "seven "] {
            assert!(run.text().contains(word), "{word:?} is not in {}", run.text());
        }
        let control = run.text().chars().find(|c| c.is_control() && !"\n\t".contains(*c));
        assert_eq!(control, None, "{:?}", run.text());
    }
}

#[test]
fn the_logged_command_line_of_blender_can_be_pasted_into_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let scene = path("it's \"a\" $HOME `scene` \\ *.blend");
    fs::write(&scene, ordered_scene(-9, 9, &json!({"record": path("launch")}))).unwrap();
    let run = worker("render")
        .input(&scene)
        .output(path("out"))
        .args("--frames -5,1-3 --log-format text --log-level debug")
        .stand_in_blender()
        .run()
        .exits(0);
    let lines = run.lines.iter().filter_map(|line| line.split_once("INFO  starting "));
    let [line] = lines.map(|(_, line)| line).collect::<Vec<_>>()[..] else {
        panic!("not one command line: {}", run.text());
    };
    let output = Command::new("sh").args(["-c", &format!("printf '%s\\n' {line}")]).output();
    let pasted = String::from_utf8(output.expect("sh runs").stdout).unwrap();
    let launch: Value = serde_json::from_slice(&fs::read(path("launch")).unwrap()).unwrap();
    let argv: Vec<_> = launch["argv"].as_array().unwrap().iter().map(|a| a.as_str()).collect();
    assert!(argv.contains(&scene.to_str()), "{argv:?}");
    assert_eq!(pasted.lines().map(Some).collect::<Vec<_>>(), argv);
}

#[test]
fn a_text_log_has_no_command_lines_unless_details_are_wanted() {
    let stage = Stage::new(1, &json!([]));
    let is_command = |line: &String| line.contains("--python-exit-code");
    for (arguments, expected) in [
        ("-f 1 --log-format text", false),
        ("-f 1 --log-format text --log-level debug", true),
        ("-f 1 --log-format json", true),
        ("-f 1 --log-format json --log-level warn", false),
    ] {
        let run = stage.worker(arguments).args("--no-resume").run().exits(0);
        assert_eq!(run.lines.iter().any(is_command), expected, "{arguments}: {}", run.text());
    }
}

#[test]
fn a_log_that_cannot_be_written_does_not_affect_the_job() {
    // A pipe without a reader, and a closed standard error.
    let closed: [fn(&mut Command); 2] = [
        |command| {
            let (_, writer) = std::io::pipe().unwrap();
            command.stderr(writer);
        },
        |command| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "exec \"$@\" 2>&-", "sh"]).arg(command.get_program());
            shell
                .args(command.get_args())
                .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            *command = shell;
        },
    ];
    for close in closed {
        let stage = Stage::new(3, &say("from Blender"));
        let (mut command, scratch) = stage.worker("-f 3").into_command();
        close(&mut command);
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let mut code = None;
        wait_until("the worker ends", || {
            code = child.try_wait().unwrap().map(|status| status.code());
            code.is_some()
        });
        assert_eq!(code, Some(Some(0)));
        assert_eq!(frames_of(&stage.path("out")), ["0001.png", "0002.png", "0003.png"]);
        assert!(names(scratch.path()).is_empty());
    }
}

fn frames_of(output: &Path) -> Vec<String> {
    names(&output.join("frames"))
}
