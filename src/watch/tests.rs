use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::activity::Activity;
use super::attempt::Attempt;
use super::frame::{Preview, Standing};
use super::state::State;
use super::{Listing, Watched, millis};
use crate::request::{Location, Transfers};
use crate::storage::{Entry, Storage};

/// A time of day, in milliseconds since 1970.
fn at(minutes: u64, seconds: u64) -> u64 {
    (29_000_000 + minutes) * 60_000 + seconds * 1000
}

fn time(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

fn text(millis: u64) -> String {
    humantime::format_rfc3339_millis(time(millis)).to_string()
}

fn file(name: &str, modified: u64) -> Entry {
    Entry { name: name.to_owned(), size: 1000, modified: time(modified) }
}

fn frame_files(numbers: impl IntoIterator<Item = (u32, u64)>) -> Listing {
    let frames = numbers.into_iter().map(|(n, time)| file(&format!("{n:04}.png"), time));
    Listing { frames: frames.collect(), ..Listing::default() }
}

/// An attempt of the array child `index`; `more` are further fields of its report.
fn attempt(index: u32, asked: &str, started: u64, more: &Value) -> Arc<Attempt> {
    let mut report = json!({
        "schema": 1, "action": "render", "status": "running", "array_index": index,
        "started": text(started), "frames_asked": asked,
    });
    for (name, value) in more.as_object().unwrap() {
        report[name] = value.clone();
    }
    let name = format!("render-{index}-{started}.json");
    Arc::new(Attempt::parse(&name, report.to_string().as_bytes()).unwrap())
}

fn ended(status: &str, finished: u64, seconds: &[(u32, f64)]) -> Value {
    let frames: serde_json::Map<_, _> = seconds
        .iter()
        .map(|(n, seconds)| (n.to_string(), json!({"state": "rendered", "seconds": seconds})))
        .collect();
    json!({"status": status, "finished": text(finished), "frames": frames})
}

fn standings(state: &State) -> Vec<(i32, Standing)> {
    state.frames.iter().map(|frame| (frame.number, frame.standing.clone())).collect()
}

#[test]
fn an_output_without_reports_has_frames_and_nothing_more_is_known() {
    let mut listing = frame_files((1..=5).map(|n| (n, at(0, u64::from(n) * 10))));
    listing.frames.push(file("Thumbs.db", at(0, 0)));
    listing.frames.push(file("0003.exr", at(0, 1)));
    listing.top =
        vec![file("output.mp4", at(1, 0)), file("old.mp4", at(0, 0)), file("a", at(2, 0))];
    let state = State::of(&listing, Vec::new(), 0, at(1, 0));
    let figures = &state.figures;
    assert_eq!((figures.stored, figures.total, figures.missing, state.others), (5, None, 0, 2));
    // Four frames after the first one, in 50 seconds.
    assert!((figures.rate.unwrap() - 4.8).abs() < 0.01, "{figures:?}");
    assert_eq!((figures.left, figures.median), (None, None));
    assert_eq!(state.video.unwrap().name, "output.mp4");
    assert_eq!(state.frames[2].file.as_ref().unwrap().name.as_ref(), "0003.png");
    // Nothing has come for an hour.
    assert_eq!(State::of(&listing, Vec::new(), 0, at(61, 0)).figures.rate, None);
}

#[test]
fn missing_frames_are_pending_failed_or_nobody_s() {
    let failed = json!({
        "status": "failed", "finished": text(at(4, 0)), "exit_code": 70, "cause": "frames 3-4 failed",
        "set_aside": {"3": "Blender crashed at frame 3", "4": "Blender crashed at frame 4"},
    });
    let attempts = vec![
        attempt(0, "1-5", at(0, 0), &failed),
        attempt(1, "6-7", at(3, 0), &json!({})),
        attempt(2, "", at(3, 0), &ended("succeeded", at(3, 1), &[])),
    ];
    let listing = frame_files([(1, at(1, 0)), (2, at(2, 0)), (6, at(4, 0))]);
    let state = State::of(&listing, attempts, 0, at(4, 30));
    let cause = |n: u32| Standing::Failed(format!("Blender crashed at frame {n}").into());
    assert_eq!(
        standings(&state),
        [
            (1, Standing::Stored),
            (2, Standing::Stored),
            (3, cause(3)),
            (4, cause(4)),
            (5, Standing::Missing),
            (6, Standing::Stored),
            (7, Standing::Pending),
        ]
    );
    let figures = &state.figures;
    assert_eq!(
        (figures.stored, figures.total, figures.pending, figures.failed, figures.missing),
        (3, Some(7), 1, 2, 1)
    );
    let groups: Vec<_> = figures
        .failures
        .iter()
        .map(|group| (group.cause.as_str(), group.attempts, group.frames.to_string()))
        .collect();
    assert_eq!(
        groups,
        [
            ("Blender crashed at frame 3", 0, "3-4".to_owned()),
            ("frames 3-4 failed", 1, String::new())
        ]
    );
    let done: Vec<_> = state.attempts.iter().map(|work| (work.activity, work.done)).collect();
    assert_eq!(done, [(Activity::Failed, 0), (Activity::Running, 1), (Activity::Succeeded, 0)]);
}

#[test]
fn a_later_attempt_knows_better() {
    let first = json!({
        "status": "failed", "finished": text(at(1, 0)), "set_aside": {"2": "crashed"},
        "frames": {"1": {"state": "rendered", "seconds": 9.0}}, "peak_memory_bytes": 100,
    });
    let mut second = ended("succeeded", at(3, 0), &[(1, 4.0), (2, 5.0)]);
    second["peak_memory_bytes"] = json!(200);
    let listing = frame_files([(1, at(2, 0)), (2, at(2, 30))]);
    let attempts = vec![attempt(0, "1-2", at(0, 0), &first), attempt(0, "1-2", at(1, 30), &second)];
    let state = State::of(&listing, attempts.clone(), 0, at(4, 0));
    let frames: Vec<_> =
        state.frames.iter().map(|it| (it.seconds, it.memory, it.renders)).collect();
    assert_eq!(frames, [(Some(4.0), Some(200), 2), (Some(5.0), Some(200), 1)]);
    assert_eq!((state.figures.rate, state.figures.left), (None, None), "all have ended");

    // A third one runs and has stored frame 1: how long that took is not known yet.
    let attempts = [attempts, vec![attempt(0, "1-2", at(4, 0), &json!({}))]].concat();
    let listing = frame_files([(1, at(4, 10)), (2, at(2, 30))]);
    let state = State::of(&listing, attempts, 0, at(4, 20));
    let frames: Vec<_> = state.frames.iter().map(|it| (it.seconds, it.renders)).collect();
    assert_eq!(frames, [(None, 3), (Some(5.0), 1)]);
    assert_eq!((state.attempts[2].done, state.attempts[2].last_frame), (1, Some(at(4, 10))));
}

#[test]
fn an_attempt_that_was_killed_is_lost_and_one_that_is_silent_is_stuck() {
    use Activity::{Lost, Running, Stuck, Succeeded};

    let done = ended("succeeded", at(2, 0), &[(1, 20.0), (2, 30.0), (3, 40.0)]);
    let of_job = |job: &str, number: u32| json!({"job_id": job, "attempt": number});
    let attempts = vec![
        attempt(0, "1-3", at(0, 0), &done),
        attempt(1, "4-6", at(0, 0), &of_job("0a:1", 1)),
        attempt(2, "7-9", at(0, 0), &of_job("0a:2", 1)),
        attempt(3, "10-12", at(0, 0), &json!({})),
        attempt(1, "4-6", at(3, 0), &of_job("0a:1", 2)),
        attempt(3, "10-12", at(3, 0), &json!({})),
    ];
    let listing = frame_files([(1, at(1, 0)), (2, at(1, 0)), (3, at(2, 0)), (7, at(3, 10))]);
    let activities = |now| {
        let state = State::of(&listing, attempts.clone(), 0, now);
        let activities: Vec<_> = state.attempts.iter().map(|work| work.activity).collect();
        (activities, state.figures.running, state.figures.stuck)
    };
    // The median is 30 seconds, so 90 seconds without a frame are too many.
    let all = vec![Succeeded, Lost, Running, Lost, Running, Running];
    assert_eq!(activities(at(4, 0)), (all, 3, 0));
    let all = vec![Succeeded, Lost, Stuck, Lost, Stuck, Stuck];
    assert_eq!(activities(at(4, 50)), (all, 3, 3));
}

#[test]
fn rate_and_time_left_follow_from_the_last_minutes() {
    let earlier = ended("succeeded", at(0, 0), &[(1, 10.0)]);
    let attempts =
        vec![attempt(0, "1", at(0, 0), &earlier), attempt(1, "2-101", at(100, 0), &json!({}))];
    let stored = (2..=21).map(|n| (n, at(110, u64::from(n) * 15)));
    let listing = frame_files(stored.chain([(1, at(0, 0))]));
    let figures = State::of(&listing, attempts, 0, at(116, 0)).figures;
    // Twenty in the ten minutes before.
    assert!((figures.rate.unwrap() - 2.0).abs() < 0.01, "{figures:?}");
    assert_eq!((figures.pending, figures.left), (80, Some(2400)));
    assert_eq!(figures.last_frame, Some(at(115, 15)));
}

#[test]
fn the_slowest_frames_are_named() {
    let seconds: Vec<_> = (1..=30).map(|n| (n, f64::from(n % 15))).collect();
    let report = ended("succeeded", at(9, 0), &seconds);
    let listing = frame_files((1..=30).map(|n| (n, at(1, 0))));
    let state = State::of(&listing, vec![attempt(0, "1-30", at(0, 0), &report)], 0, at(10, 0));
    assert_eq!(state.figures.slowest, [14, 29, 13, 28, 12, 27, 11, 26, 10, 25]);
    assert_eq!(state.figures.median, Some(7.0));
}

#[test]
fn a_preview_that_is_older_than_its_frame_shows_another_version() {
    let mut listing = frame_files((1..=5).map(|n| (n, at(10, 0))));
    listing.previews = vec![
        file("0001.jpg", at(10, 1)),
        file("0002.jpg", at(9, 59)),
        file("0003.jpg", at(5, 0)),
        file("0004.png", at(10, 1)),
        file("contact-sheet.jpg", at(11, 0)),
    ];
    let previews = |now| {
        let state = State::of(&listing, Vec::new(), 0, now);
        state.frames.iter().map(|frame| frame.preview).collect::<Vec<_>>()
    };
    let stored = [Preview::Stored(at(10, 1)), Preview::Stored(at(9, 59))];
    let with = |other| [&stored[..], &[other; 3]].concat();
    assert_eq!(previews(at(10, 5)), with(Preview::Expected));
    assert_eq!(previews(at(10, 11)), with(Preview::None));
}

#[test]
fn thousands_of_frames_and_reports_are_quick() {
    let child = |index: u32| {
        let first = index * 10 + 1;
        let seconds: Vec<_> = (first..first + 10).map(|n| (n, 1.0)).collect();
        let asked = format!("{first}-{}", first + 9);
        attempt(index, &asked, at(0, 0), &ended("succeeded", at(1, 0), &seconds))
    };
    let listing = frame_files((1..=10_000).map(|n| (n, at(0, 30))));
    let attempts: Vec<_> = (0..1000).map(child).collect();
    let state = State::of(&listing, attempts, 0, at(2, 0));
    assert_eq!((state.figures.stored, state.figures.total), (10_000, Some(10_000)));
    assert!(state.frames.iter().all(|frame| frame.seconds == Some(1.0) && frame.renders == 1));
    assert!(state.attempts.iter().all(|work| work.done == 10));
}

#[tokio::test]
async fn an_output_is_looked_at_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::new(Transfers::default());
    let path = |name: &str| folder.path().join(name);
    let mut watched = Watched::new(Location::Local(folder.path().to_owned()));
    let look =
        async |watched: &mut Watched| watched.look(&storage, SystemTime::now()).await.unwrap();
    assert_eq!(look(&mut watched).await, State::default(), "nothing is there yet");

    for part in ["frames", "reports"] {
        std::fs::create_dir(path(part)).unwrap();
    }
    std::fs::write(path("frames/0001.png"), "a").unwrap();
    let report = |status: &str| {
        let report = json!({
            "schema": 1, "action": "render", "status": status, "frames_asked": "1-2",
            "started": text(millis(SystemTime::now()) - 60_000),
        });
        report.to_string()
    };
    std::fs::write(path("reports/render-1.json"), report("running")).unwrap();
    std::fs::write(path("reports/render-2.json"), "{").unwrap();
    std::fs::write(path("reports/notes.json"), "{}").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", path("reports/render-3.json")).unwrap();
    let state = look(&mut watched).await;
    assert_eq!((state.frames.len(), state.attempts.len(), state.skipped), (2, 1, 2));
    assert_eq!(state.frames[1].standing, Standing::Pending);

    // A report of the same size and time is not read again.
    let modified = std::fs::metadata(path("reports/render-1.json")).unwrap().modified().unwrap();
    let rewrite = |content: String, at: SystemTime| {
        std::fs::write(path("reports/render-1.json"), content).unwrap();
        let file = std::fs::File::options().write(true).open(path("reports/render-1.json"));
        file.unwrap().set_modified(at).unwrap();
    };
    rewrite("x".repeat(report("running").len()), modified);
    assert_eq!(look(&mut watched).await.attempts.len(), 1);
    rewrite(report("failed"), modified + Duration::from_secs(1));
    assert_eq!(look(&mut watched).await.attempts[0].activity, Activity::Failed);

    // A frame that is replaced was rendered again.
    assert_eq!(look(&mut watched).await.frames[0].renders, 1);
    let file = std::fs::File::options().write(true).open(path("frames/0001.png")).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(5)).unwrap();
    assert_eq!(look(&mut watched).await.frames[0].renders, 2);
    std::fs::remove_file(path("reports/render-1.json")).unwrap();
    assert_eq!(look(&mut watched).await.attempts.len(), 0);
}
