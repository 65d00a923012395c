//! Outputs that are watched: from the first frame to a comparison with the version before, and ten
//! thousand frames.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::browser::{Browser, DESKTOP, Window, with_browser};
use crate::support::frames::{self, frame};
use crate::support::server::Server;

/// A server that may watch the outputs in `folder`.
fn server(folder: &Path) -> Server {
    let data = folder.join("server-data");
    Server::start_with(&data, |worker| worker.env("WATCH_DIR", folder))
}

fn add(server: &Server, output: &Path) -> String {
    let output = server.json("POST", "/api/outputs", &json!({"uri": output}));
    format!("{}outputs/{}", server.link, output["id"].as_str().unwrap())
}

fn timestamp(ago: u64) -> String {
    let time = SystemTime::now() - Duration::from_secs(ago);
    humantime::format_rfc3339_millis(time).to_string()
}

/// Writes the report of an attempt that began so many seconds ago.
fn write_report(output: &Path, index: u32, ago: u64, more: &Value) {
    let mut report = json!({
        "schema": 1, "action": "render", "status": "running", "array_index": index, "attempt": 1,
        "started": timestamp(ago),
    });
    for (field, value) in more.as_object().unwrap() {
        report[field] = value.clone();
    }
    let folder = output.join("reports");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("render-{index}-{ago}.json")), report.to_string()).unwrap();
}

/// The part of a report about frames that were rendered in these seconds.
fn rendered(seconds: impl IntoIterator<Item = (u32, f64)>) -> Value {
    let frame = |(n, seconds): (u32, f64)| {
        let file = format!("{n:04}.png");
        (n.to_string(), json!({"state": "rendered", "file": file, "bytes": 1, "seconds": seconds}))
    };
    Value::Object(seconds.into_iter().map(frame).collect())
}

/// The names of the frames whose pictures are seen.
const LOADED: &str = "return document.querySelectorAll('.cell.loaded').length";

#[test]
fn frames_appear_as_they_are_stored() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shot");
    frames::write(&out.join("frames"), 1..=2);
    write_report(&out, 0, 30, &json!({"frames_asked": "1-12"}));
    let server = server(folder.path());
    with_browser(DESKTOP, async |page| {
        page.goto(&server.link).await;
        page.find("#uri").await.send_keys(out.to_str().unwrap()).await.unwrap();
        page.click(".watch-form button").await;
        page.until("return document.querySelectorAll('.cell').length === 12").await;
        page.until(&format!("{LOADED} === 2")).await;
        page.until(
            "return document.querySelector('.counts').textContent.includes('2 of 12 frames')",
        )
        .await;
        page.run(
            "window.shift = 0;
             new PerformanceObserver((list) => list.getEntries().forEach((e) => { window.shift += e.value; }))
                 .observe({ type: 'layout-shift' });",
        )
        .await;
        frames::write(&out.join("frames"), 3..=5);
        page.until(&format!("{LOADED} === 5")).await;
        page.until("return document.querySelector('.attempts').textContent.includes('5 of 12')")
            .await;
        let shift = page.run("return window.shift").await;
        assert!(shift.as_f64().unwrap() < 0.01, "{shift}");
        write_report(
            &out,
            0,
            30,
            &json!({
                "frames_asked": "1-12", "status": "failed", "exit_code": 70, "finished": timestamp(0),
                "cause": "Blender crashed", "set_aside": {"6": "Blender crashed at frame 6"},
                "said": ["Writing: /tmp/scene.crash.txt"],
                "frames": rendered([(1, 1.0), (2, 1.0), (3, 1.0), (4, 9.0), (5, 1.0)]),
            }),
        );
        page.find("#frame-6[data-standing=failed]").await;
        page.find("#frame-7[data-standing=missing]").await;
        page.find("#frame-4.slow").await;
        page.find(".attempts tr.failed").await;
        page.until("return document.querySelector('.attempts .words').textContent.includes('Blender crashed')").await;
        // Told by words, not by colours alone.
        let marks = page
            .run("return [4, 6, 7].map((n) => document.querySelector(`#frame-${n} .mark`).textContent)")
            .await;
        assert_eq!(marks, json!(["slow", "✕ failed", "missing"]));
        let label = page.run("return document.querySelector('#frame-6').ariaLabel").await;
        assert!(label.as_str().unwrap().contains("Blender crashed at frame 6"), "{label}");
        page.run("const filter = document.querySelector('.tools select'); filter.value = 'absent'; filter.dispatchEvent(new Event('change'))").await;
        page.until("return document.querySelectorAll('.cell').length === 7").await;
        server.json("GET", "/api/outputs", &Value::Null);
    });
}

#[test]
fn a_frame_is_seen_in_full_and_compared_with_the_version_before() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shot");
    frames::write(&out.join("frames"), 1..=3);
    let server = server(folder.path());
    let link = add(&server, &out);
    with_browser(DESKTOP, async |page| {
        page.goto(&link).await;
        page.until(&format!("{LOADED} === 3")).await;
        // By keyboard alone.
        page.run("document.querySelector('.sheet-list').focus()").await;
        page.press(&["\u{e014}"]).await;
        page.press(&["\u{e007}"]).await;
        let title = "return document.querySelector('dialog[open] .viewer-title')?.textContent";
        page.until(&format!("{title} === 'Frame 2'")).await;
        page.until("return document.querySelector('.full').src.includes('/frames/0002.png') && document.querySelector('.full').naturalWidth === 64").await;
        page.press(&["\u{e014}"]).await;
        page.until(&format!("{title} === 'Frame 3'")).await;
        page.press(&["\u{e00c}"]).await;
        page.until("return !document.querySelector('dialog').open").await;
        // The browser tells the page after that.
        let active = "return document.activeElement.getAttribute('aria-activedescendant')";
        page.until(&format!("{active} === 'frame-3'")).await;

        let before = page.run("return document.querySelector('#frame-3 img').src").await;
        let file = out.join("frames/0003.png");
        fs::write(&file, frame(77)).unwrap();
        let file = fs::File::options().write(true).open(file).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_mins(1)).unwrap();
        let changed = format!("return document.querySelector('#frame-3 img').src !== {before}");
        page.until(&changed).await;
        page.until("return document.querySelector('#frame-3 .mark').textContent === '2× rendered'")
            .await;
        page.click("#frame-3").await;
        page.until("return document.querySelector('.full').src.includes('/frames/0003.png')").await;
        page.click(".viewer-bar button[aria-pressed]").await;
        page.until("return !document.querySelector('.old').hidden && document.querySelector('.old').naturalWidth").await;
        page.press(&["\u{e012}"]).await;
        page.until("return document.querySelector('.old').style.clipPath.includes('51%')").await;
    });
}

#[test]
fn ten_thousand_frames_stay_fluid() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shot");
    for part in ["frames", "previews"] {
        fs::create_dir_all(out.join(part)).unwrap();
    }
    for n in 1..=10_000 {
        fs::write(out.join(format!("frames/{n:04}.png")), frame(n)).unwrap();
    }
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=1:duration=20"])
        .arg(folder.path().join("p%02d.jpg"))
        .status();
    assert!(status.unwrap().success());
    for n in 1..=10_000_u32 {
        let source = folder.path().join(format!("p{:02}.jpg", n % 20 + 1));
        fs::hard_link(source, out.join(format!("previews/{n:04}.jpg"))).unwrap();
    }
    // As old as the frames, or they would show an earlier version.
    for n in 1..=20 {
        let file = fs::File::options().write(true).open(folder.path().join(format!("p{n:02}.jpg")));
        file.unwrap().set_modified(SystemTime::now()).unwrap();
    }
    for index in 0..1000_u32 {
        let first = index * 10 + 1;
        let seconds = (first..first + 10).map(|n| (n, f64::from(n % 97) + 5.0));
        let report = json!({
            "frames_asked": format!("{first}-{}", first + 9), "status": "succeeded", "exit_code": 0,
            "finished": timestamp(0), "frames": rendered(seconds), "peak_memory_bytes": 3_000_000_000_u64 + u64::from(index) * 1_000_000,
        });
        write_report(&out, index, 600, &report);
    }
    let server = server(folder.path());
    let link = add(&server, &out);
    with_browser(DESKTOP, async |page| {
        page.goto(&link).await;
        page.until("return document.querySelectorAll('.cell.loaded').length > 10").await;
        let cells = page.run("return document.querySelectorAll('.cell').length").await;
        assert!(cells.as_u64().unwrap() < 150, "{cells}");
        page.run(
            "window.long = []; window.shift = 0;
             new PerformanceObserver((list) => window.long.push(...list.getEntries().map((e) => e.duration)))
                 .observe({ type: 'longtask' });
             new PerformanceObserver((list) => list.getEntries().forEach((e) => { window.shift += e.value; }))
                 .observe({ type: 'layout-shift' });
             const scroller = document.querySelector('.sheet'); window.frames = 0;
             const step = () => {
                 scroller.scrollTop += 600;
                 window.frames += 1;
                 if (scroller.scrollTop + scroller.clientHeight < scroller.scrollHeight - 1) requestAnimationFrame(step);
                 else window.scrolled = true;
             };
             step();",
        )
        .await;
        page.until("return window.scrolled").await;
        page.find("#frame-10000.loaded").await;
        let bytes = page
            .run(
                "return performance.getEntriesByType('resource').filter((e) => /\\/api\\/outputs\\/[0-9a-f]+$/.test(e.name)).map((e) => e.decodedBodySize)",
            )
            .await;
        for bytes in bytes.as_array().unwrap() {
            assert!(bytes.as_u64().unwrap() < 1_000_000, "{bytes}");
        }
        let found = page.run("return { long: Math.max(0, ...window.long), shift: window.shift, frames: window.frames, heap: performance.memory?.usedJSHeapSize }").await;
        println!("ten thousand frames: {found}, state {bytes}, {}", memory_of(&server));
        assert!(found["shift"].as_f64().unwrap() < 0.01, "{found}");
    });
}

/// What the server takes of the memory, as the system tells it.
fn memory_of(server: &Server) -> String {
    let pid = server.running().pid();
    // The first process is the guard.
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let pid = children.split_whitespace().next().map_or(pid.to_string(), str::to_owned);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().filter(|line| line.starts_with("VmRSS")).collect()
}

/// An output in the middle of its work: two hundred pictures, some of them failed, missing or slow.
fn busy(folder: &Path) {
    for part in ["frames", "previews"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    let source = "mandelbrot=size=960x540:rate=24:end_scale=0.02:start_scale=1.6:inner=convergence:end_pts=200";
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "150", "-q:v", "4"])
        .arg(folder.join("frames/%04d.jpg"))
        .args(["-vf", "scale=320:180", "-frames:v", "150", "-q:v", "4"])
        .arg(folder.join("previews/%04d.jpg"))
        .status();
    assert!(status.unwrap().success());
    for n in [31, 32, 33, 34, 77, 118] {
        fs::remove_file(folder.join(format!("frames/{n:04}.jpg"))).unwrap();
    }
    let seconds = |range: std::ops::RangeInclusive<u32>| {
        let stored = range.filter(|n| ![31, 32, 33, 34, 77, 118].contains(n));
        rendered(stored.map(|n| {
            let wave = f64::from(n * 37 % 23) / 10.0 + f64::from(n) / 40.0;
            (n, if n == 52 || n == 96 { 19.5 } else { 4.0 + wave })
        }))
    };
    for (index, range) in [(0, 1..=50), (1, 51..=100)] {
        let asked = format!("{}-{}", range.start(), range.end());
        let crashed = if index == 0 {
            json!({"31": "Blender crashed at frame 31", "32": "Blender crashed at frame 32"})
        } else {
            json!({"77": "Blender crashed at frame 77"})
        };
        let report = json!({
            "frames_asked": asked, "status": "failed", "exit_code": 70, "finished": timestamp(700),
            "cause": "Blender was killed by SIGSEGV 3 times", "set_aside": crashed,
            "said": ["Writing: /tmp/shot.crash.txt", "Segmentation fault (core dumped)"],
            "frames": seconds(range), "peak_memory_bytes": 3_400_000_000_u64 + index * 700_000_000,
            "memory_limit_bytes": 8_000_000_000_u64,
        });
        write_report(folder, u32::try_from(index).unwrap(), 1900, &report);
    }
    write_report(folder, 2, 600, &json!({"frames_asked": "101-150"}));
    write_report(folder, 3, 500, &json!({"frames_asked": "151-200"}));
    let now = SystemTime::now();
    for n in 1..=150_u64 {
        let path = folder.join(format!("frames/{n:04}.jpg"));
        let Ok(file) = fs::File::options().write(true).open(path) else { continue };
        let ago = if n <= 100 { 1900 - n * 11 } else { 580 - (n - 101) * 11 };
        file.set_modified(now - Duration::from_secs(ago)).unwrap();
    }
}

#[test]
fn every_page_of_an_output_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("shot_010");
    busy(&out);
    let server = server(folder.path());
    let link = add(&server, &out);
    let loaded = "const cells = [...document.querySelectorAll('.cell[data-standing=stored]')];
                  return cells.length > 0 && cells.every((cell) => cell.classList.contains('loaded'))";
    let phone = Window { width: 360, height: 740, dark: false };
    for (name, window) in [
        ("desktop-light", DESKTOP),
        ("desktop-dark", Window { dark: true, ..DESKTOP }),
        ("phone-light", phone),
        ("phone-dark", Window { dark: true, ..phone }),
        ("4k-dark", Window { width: 3840, height: 2160, dark: true }),
    ] {
        with_browser(window, async |page: &Browser| {
            page.goto(&link).await;
            page.until(loaded).await;
            page.until("return document.getAnimations().length === 0").await;
            page.picture(&format!("watch-{name}")).await;
            // Nothing is wider than the window.
            let wide = page.run("return document.documentElement.scrollWidth - innerWidth").await;
            assert!(wide.as_i64().unwrap() <= 0, "{name}: {wide}");
            page.click("#frame-3").await;
            page.until("return document.querySelector('.full').src.includes('/frames/') && document.querySelector('.full').complete").await;
            page.picture(&format!("watch-frame-{name}")).await;
            page.press(&["\u{e00c}"]).await;
            page.run("document.querySelector('.attempts')?.scrollIntoView()").await;
            page.picture(&format!("watch-attempts-{name}")).await;
            page.goto(&server.link).await;
            page.find(".outputs a").await;
            page.picture(&format!("watch-home-{name}")).await;
        });
    }
}
