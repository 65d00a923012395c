//! Pictures of every page, for people to look at.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::browser::{DESKTOP, Window, with_browser};
use crate::making::PLAYER;
use crate::support::blender::can_denoise;
use crate::support::server::Server;
use crate::support::{fixture, scene};

/// Forty pictures, as a camera would have named them: those in the folder `BROWSER_PICTURES`, or a zoom
/// into a fractal.
fn write_photos(folder: &Path) {
    if let Some(pictures) = std::env::var_os("BROWSER_PICTURES") {
        let mut files: Vec<_> =
            fs::read_dir(pictures).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for (number, file) in (1..=40).zip(files.iter().cycle()) {
            fs::copy(file, folder.join(format!("DSC_{number:04}.jpg"))).unwrap();
        }
        return;
    }
    let source = "mandelbrot=size=960x640:rate=2:end_scale=0.02:start_scale=1.6:inner=convergence";
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "40", "-q:v", "4"])
        .arg(folder.join("DSC_%04d.jpg"))
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn every_page_is_drawn() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    write_photos(folder.path());
    let fill = |name: &str, pictures: std::ops::RangeInclusive<u32>| {
        let id = server.create(name);
        for n in pictures {
            let name = format!("DSC_{n:04}.jpg");
            server.upload(&id, &name, &fs::read(folder.path().join(&name)).unwrap());
        }
        id
    };
    let broken = fill("Test shots", 30..=34);
    let cut = fs::read(fixture("frames/blender-rgb.jpg")).unwrap();
    server.upload(&broken, "DSC_0032b.jpg", &cut[..cut.len() / 2]);
    assert_eq!(server.make(&broken)["state"], "failed");
    fill("Clouds", 12..=20);
    let id = fill("Turntable", 1..=40);
    server.json("PATCH", &format!("/api/videos/{id}"), &json!({"settings": {"fps": "12"}}));
    assert_eq!(server.make(&id)["state"], "done");
    server.json("GET", "/api/videos", &Value::Null);
    let render = server.create_render("Ring of solids");
    server.upload_scene(&render, "demo.blend", &fs::read(scene("demo")).unwrap());
    let denoise = if can_denoise() { "" } else { "off" };
    server.set_render(&render, &json!({"frames": "1-12", "samples": "4", "denoise": denoise}));
    assert_eq!(server.inspect(&render)["state"], "done");
    assert_eq!(server.render(&render)["state"], "done");

    let phone = Window { width: 390, height: 844, dark: false };
    for (name, window) in [
        ("desktop-light", DESKTOP),
        ("desktop-dark", Window { dark: true, ..DESKTOP }),
        ("phone-light", phone),
        ("phone-dark", Window { dark: true, ..phone }),
    ] {
        with_browser(window, async |page| {
            page.goto(&server.link).await;
            page.until("return [...document.querySelectorAll('.cover img')].length === 4 && [...document.images].every((i) => i.complete)").await;
            page.picture(&format!("home-{name}")).await;
            page.goto(&format!("{}videos/{id}", server.link)).await;
            page.find(PLAYER).await;
            page.until("return document.querySelector('video').readyState >= 1").await;
            page.until("return document.querySelectorAll('.tile').length === document.querySelectorAll('.tile.loaded').length").await;
            page.click(".tile[aria-posinset='3']").await;
            // The thumbnails fade in.
            page.until("return document.getAnimations().length === 0").await;
            page.picture(&format!("video-{name}")).await;
            page.goto(&format!("{}renders/{render}", server.link)).await;
            page.find(PLAYER).await;
            page.until("return document.querySelector('video').readyState >= 2").await;
            page.until("return document.querySelectorAll('.cell.loaded').length > 3").await;
            page.until("return document.getAnimations().length === 0").await;
            page.picture(&format!("render-{name}")).await;
            page.goto(&format!("{}videos/{broken}", server.link)).await;
            page.find(".tile.broken").await;
            page.find(".problem.failed").await;
            page.picture(&format!("failed-{name}")).await;
        });
    }
}
