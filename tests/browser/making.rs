//! From dropped pictures to the video.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::browser::{DESKTOP, with_browser};
use crate::support::server::{Server, write_pictures};
use crate::support::{fixture, probe};

/// The parts of the page.
pub const MAKE: &str = ".foot > button";
pub const PLAYER: &str = ".player video";

#[test]
fn dropped_pictures_become_a_video_that_plays_and_downloads() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    write_pictures(folder.path(), "Holiday ", 12, "320x240");
    let files: Vec<_> =
        (1..=12).map(|n| folder.path().join(format!("Holiday {n:02}.jpg"))).collect();
    with_browser(DESKTOP, async |page| {
        page.goto(&server.link).await;
        page.find(".zone").await;
        page.drop(".zone", &files).await;
        page.until("return document.querySelectorAll('.tile.loaded').length === 12").await;
        assert_eq!(page.find(".name").await.prop("value").await.unwrap().unwrap(), "Holiday");
        assert_eq!(page.tiles().await[..2], ["Holiday 01.jpg", "Holiday 02.jpg"]);
        page.until("return document.querySelector('.counter').textContent === '12 pictures'").await;
        page.until("return document.querySelector('#length').textContent === '2.4 s long'").await;

        page.click(MAKE).await;
        page.find(PLAYER).await;
        // The browser asks for parts of it, and knows its length and size.
        page.until("return document.querySelector('.player video').readyState >= 1").await;
        let video = "const v = document.querySelector('.player video');";
        let size = page.run(&format!("{video} return [v.videoWidth, v.videoHeight]")).await;
        assert_eq!(size, json!([320, 240]));
        let length = page.run(&format!("{video} return v.duration")).await.as_f64().unwrap();
        assert!((length - 2.4).abs() < 0.05, "{length}");
        page.run(&format!("{video} v.muted = true; v.currentTime = 1.2; v.play();")).await;
        page.until(&format!("{video} return v.currentTime > 1.3")).await;
        page.until("return document.querySelector('#live').textContent.includes('made')").await;

        let link = page.find(".result a").await;
        assert_eq!(link.attr("download").await.unwrap().unwrap(), "Holiday.mp4");
        let id = page.run("return location.pathname.split('/').pop()").await;
        let file = folder.path().join("a.mp4");
        server.download(id.as_str().unwrap(), &file);
        assert_eq!(probe(&file)["streams"][0]["nb_read_frames"], "12");

        // The same page is there after it was loaded again, and in the list.
        page.run("location.reload()").await;
        page.find(PLAYER).await;
        page.click(".back").await;
        page.until("return document.querySelector('.videos .state')?.textContent === 'Made'").await;
    });
    server.stop().exits(143);
}

#[test]
fn pictures_are_sorted_dragged_and_removed_and_the_video_has_their_order() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    write_pictures(folder.path(), "p", 5, "160x120");
    let id = server.create("order");
    for (name, modified) in [("p01", 3000), ("p02", 1000), ("p03", 2000), ("p04", 5), ("p05", 1)] {
        let file = fs::read(folder.path().join(name).with_extension("jpg")).unwrap();
        server.upload(&id, &format!("{name}.jpg?modified={modified}"), &file);
    }
    let names = |order: &[u32]| -> Vec<_> { order.iter().map(|n| format!("p0{n}.jpg")).collect() };
    with_browser(DESKTOP, async |page| {
        page.goto(&format!("{}videos/{id}", server.link)).await;
        page.until("return document.querySelectorAll('.tile.loaded').length === 5").await;
        assert_eq!(page.tiles().await, names(&[1, 2, 3, 4, 5]));

        let select = "const s = document.querySelector('.tools select');";
        page.run(&format!("{select} s.value = 'time'; s.dispatchEvent(new Event('change'))")).await;
        page.until("return document.querySelector('.tile[aria-posinset=\"1\"]').dataset.name === 'p05.jpg'").await;
        assert_eq!(page.tiles().await, names(&[5, 4, 2, 3, 1]));

        let tile = |n: u32| format!(".tile[data-name='p0{n}.jpg']");
        page.drag(&tile(5), &tile(3), 40.0).await;
        page.until(&format!("{select} return s.value === 'own'")).await;
        assert_eq!(page.tiles().await, names(&[4, 2, 3, 5, 1]));
        assert_eq!(server.order(&id), names(&[4, 2, 3, 5, 1]));

        page.click(&tile(2)).await;
        page.click(".tools > button:not(.quiet)").await;
        page.until("return document.querySelectorAll('.tile').length === 4").await;
        page.until("return document.querySelector('.counter').textContent === '4 pictures'").await;
        assert_eq!(server.order(&id), names(&[4, 3, 5, 1]));

        page.click(MAKE).await;
        page.find(PLAYER).await;
    });
    let video = folder.path().join("a.mp4");
    server.download(&id, &video);
    assert_eq!(probe(&video)["streams"][0]["nb_read_frames"], "4");
}

#[test]
fn a_damaged_picture_is_named_shown_and_removed_in_the_page() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    write_pictures(folder.path(), "p", 3, "160x120");
    let cut = fs::read(folder.path().join("p02.jpg")).unwrap();
    fs::write(folder.path().join("p02.jpg"), &cut[..cut.len() / 2]).unwrap();
    fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
    let mut files: Vec<PathBuf> =
        (1..=3).map(|n| folder.path().join(format!("p0{n}.jpg"))).collect();
    files.push(folder.path().join("notes.txt"));
    with_browser(DESKTOP, async |page| {
        page.goto(&server.link).await;
        page.choose("Choose pictures", &files).await;
        let tile = page.find(".tile.broken").await;
        let label = tile.attr("aria-label").await.unwrap().unwrap();
        assert!(label.starts_with("p02.jpg ") && label.contains(" ends after "), "{label}");
        page.until("return document.querySelector('#alerts').textContent.includes('notes.txt')")
            .await;

        page.click(MAKE).await;
        page.until("return document.querySelector('.problem.failed')").await;
        let problem = page.find(".problem.failed p").await.text().await.unwrap();
        assert!(problem.contains("p02.jpg") && !problem.contains("00000"), "{problem}");
        page.picture("damaged").await;
        page.click(".problem.failed button").await;
        page.until("return document.querySelector('.tile.broken[aria-selected=true]')").await;
        page.click(".problem.failed button + button").await;
        page.until("return document.querySelectorAll('.tile').length === 2").await;
        page.click(MAKE).await;
        page.find(PLAYER).await;
        page.until("return document.querySelector('.problem').hidden").await;
    });
}

#[test]
fn a_folder_an_archive_and_a_sound_are_taken_and_settings_apply() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let shot = folder.path().join("shot");
    write_pictures(&shot.join("a"), "p", 3, "160x120");
    fs::write(shot.join(".hidden.png"), "").unwrap();
    let zip = folder.path().join("more.zip");
    let script = "import sys, zipfile\n\
                  with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as z:\n\
                  \x20 z.write(sys.argv[2], 'in/q1.png')\n\
                  \x20 z.writestr('in/readme.txt', 'x')";
    let status = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(&zip)
        .arg(fixture("frames/blender-rgb-8.png"))
        .status();
    assert!(status.unwrap().success());
    let sound = folder.path().join("song.wav");
    let status = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "sine=duration=2"])
        .arg(&sound)
        .status();
    assert!(status.unwrap().success());
    with_browser(DESKTOP, async |page| {
        page.goto(&server.link).await;
        page.choose("Choose a folder", &[shot]).await;
        page.until("return document.querySelectorAll('.tile.loaded').length === 3").await;
        assert_eq!(page.tiles().await[0], "a_p01.jpg");
        assert_eq!(page.find(".name").await.prop("value").await.unwrap().unwrap(), "shot");
        page.choose("Add pictures", &[zip]).await;
        page.until("return document.querySelectorAll('.tile.loaded').length === 4").await;
        page.until("return document.querySelector('#alerts').textContent.includes('1 file of the archive')").await;
        page.choose("Choose a file", &[sound]).await;
        page.until("return document.querySelector('.sound-name').textContent === 'song.wav'").await;
        for (field, value) in
            [("fps", "4"), ("codec", "vp9"), ("size", "1280x720"), ("background", "#ff0000")]
        {
            let set = format!(
                "const f = document.getElementById('{field}'); f.value = '{value}';
                 f.dispatchEvent(new Event('change'))"
            );
            page.run(&set).await;
        }
        page.until("return document.querySelector('#length').textContent === '1 s long'").await;
        page.click(MAKE).await;
        page.find(PLAYER).await;
        let id = page.run("return location.pathname.split('/').pop()").await;
        let file = folder.path().join("a.webm");
        server.download(id.as_str().unwrap(), &file);
        let streams = probe(&file)["streams"].clone();
        assert_eq!(
            (&streams[0]["codec_name"], &streams[0]["width"], &streams[0]["avg_frame_rate"]),
            (&json!("vp9"), &json!(1280), &json!("4/1"))
        );
        assert_eq!(streams[1]["codec_type"], "audio");
    });
}

#[test]
fn a_video_is_stopped_and_made_again_and_its_progress_is_seen() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    write_pictures(folder.path(), "p", 60, "640x360");
    let id = server.create("long");
    for n in 1..=60 {
        let file = fs::read(folder.path().join(format!("p{n:02}.jpg"))).unwrap();
        server.upload(&id, &format!("p{n:02}.jpg"), &file);
    }
    let settings = json!({"settings": {"codec": "h265", "size": "3840x2160"}});
    server.json("PATCH", &format!("/api/videos/{id}"), &settings);
    with_browser(DESKTOP, async |page| {
        page.goto(&format!("{}videos/{id}", server.link)).await;
        page.until("return document.querySelectorAll('.tile').length > 0").await;
        page.click(MAKE).await;
        page.until("return /^[1-9]\\d* of 60 pictures · about .* left$/.test(document.querySelector('.progress-text').textContent)").await;
        let bar = page.run("return document.querySelector('progress').position").await;
        assert!((0.0..1.0).contains(&bar.as_f64().unwrap()), "{bar}");
        page.picture("progress").await;
        page.click(MAKE).await;
        page.until(
            "return document.querySelector('.progress-text').textContent.startsWith('Stopped')",
        )
        .await;
        assert_eq!(server.ended(&id)["state"], "stopped");
        assert_eq!(page.find(MAKE).await.text().await.unwrap(), "Make the video");
    });
}
