//! From a dropped scene to its frames and the video.

use std::fs;

use serde_json::json;

use crate::browser::{DESKTOP, Window, with_browser};
use crate::making::PLAYER;
use crate::support::server::{Server, write_pictures};
use crate::support::{fixture, ordered_scene, scene, wait_until};

/// The buttons of the page of a render.
const START: &str = ".buttons > button:first-child";
const PREVIEW: &str = ".buttons > button:last-child";

/// What the browser shows of the progress.
const PROGRESS: &str = "document.querySelector('.progress-text').textContent";

#[test]
fn a_dropped_scene_is_described_and_rendered_and_its_video_plays() {
    let server = Server::start();
    with_browser(DESKTOP, async |page| {
        page.goto(&server.link).await;
        page.find(".zone").await;
        page.drop(".zone", &[scene("tiny")]).await;
        page.until("return location.pathname.startsWith('/renders/')").await;
        assert_eq!(page.find(".heading .name").await.prop("value").await.unwrap().unwrap(), "tiny");
        // What Blender has found, and what the scene itself says in the fields.
        page.find(".about-scene dl").await;
        let facts = page.run("return document.querySelector('.about-scene').innerText").await;
        for fact in ["1 to 12", "64 × 48", "CYCLES", "1 sample", "ViewLayer"] {
            assert!(facts.as_str().unwrap().contains(fact), "{fact}: {facts}");
        }
        let frames = page.find("#frames").await;
        assert_eq!(frames.attr("placeholder").await.unwrap().unwrap(), "1-12");
        frames.send_keys("1-3\n").await.unwrap();
        page.click(START).await;
        page.find(PLAYER).await;
        page.until("return document.querySelector('.player video').readyState >= 1").await;
        let id = page.run("return location.pathname.split('/').pop()").await;
        let id = id.as_str().unwrap();
        assert_eq!(server.render_ended(id), json!({"state": "done", "warnings": []}));
        let stored = server.render_folder(id).join("output/frames");
        assert_eq!(fs::read_dir(stored).unwrap().count(), 4, "three frames and fingerprints");
        page.until(
            "return document.querySelector('.buttons > button').textContent === 'Render the rest'",
        )
        .await;

        // A setting that makes no sense is refused in words, and nothing is changed.
        let frames = page.find("#frames").await;
        frames.clear().await.unwrap();
        frames.send_keys("3-1\n").await.unwrap();
        page.until("return document.querySelector('.alert')?.textContent.includes('--frames')")
            .await;
        assert_ne!(server.show_render(id)["settings"]["frames"], "3-1");

        // It is in the list.
        page.click(".back").await;
        page.find(&format!("a[href='/renders/{id}']")).await;
        page.until("return document.querySelector('.state').textContent === 'Rendered'").await;
    });
}

#[test]
fn a_quick_look_comes_first_and_a_stop_keeps_the_frames() {
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let orders = json!({
        "size": [64, 48],
        "steps": [{"at": 3, "do": "wait_for_file", "path": go}],
    });
    let file = folder.path().join("shot.blend");
    fs::write(&file, ordered_scene(1, 4, &orders)).unwrap();
    let server = Server::start_with(&folder.path().join("data"), |worker| {
        worker.env("SANDBOX", "off").env("BLENDER", fixture("stand-ins/blender"))
    });
    with_browser(DESKTOP, async |page| {
        page.goto(&server.link).await;
        page.find(".zone").await;
        page.drop(".zone", &[file]).await;
        page.find("#frames").await.send_keys("1-2\n").await.unwrap();
        page.click(PREVIEW).await;
        page.until("return document.querySelector('.tools select').value === 'preview'").await;
        page.find(PLAYER).await;
        let frames = page.find("#frames").await;
        frames.clear().await.unwrap();
        frames.send_keys("1-4\n").await.unwrap();
        page.click(START).await;
        page.until(&format!("return /^2 of 4 frames/.test({PROGRESS})")).await;
        page.until("return document.querySelector('.tools select').value === 'full'").await;
        page.click(START).await;
        page.until(&format!("return {PROGRESS}.startsWith('Stopped')")).await;
        let id = page.run("return location.pathname.split('/').pop()").await;
        let stored = server.render_folder(id.as_str().unwrap()).join("output/frames");
        assert!(stored.join("0002.png").exists() && !stored.join("0003.png").exists());
        fs::write(&go, "").unwrap();
        page.click(START).await;
        wait_until("the last frame", || stored.join("0004.png").exists());
    });
}

#[test]
fn what_a_scene_lacks_is_named_before_it_is_rendered() {
    let server = Server::start();
    for (name, window) in
        [("desktop", DESKTOP), ("phone", Window { width: 390, height: 844, dark: true })]
    {
        with_browser(window, async |page| {
            page.goto(&server.link).await;
            page.choose("Choose a scene", &[scene("missing_texture")]).await;
            page.find(".about-scene details").await;
            let problem =
                page.run("return document.querySelector('.about-scene details').innerText").await;
            assert!(problem.as_str().unwrap().contains("//textures/missing.png"), "{problem}");
            page.click(START).await;
            page.find(".problem.failed").await;
            page.picture(&format!("lacking-{name}")).await;
            // With the user's consent it is rendered.
            page.run("document.querySelector('#withoutMissing').click()").await;
            page.find("#frames").await.send_keys("1\n").await.unwrap();
            page.click(START).await;
            page.find(PLAYER).await;
        });
    }
}

#[test]
fn a_dropped_folder_is_a_project_or_pictures_in_their_folders() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let project = folder.path().join("project");
    fs::create_dir_all(project.join("textures")).unwrap();
    fs::copy(scene("missing_texture"), project.join("shot.blend")).unwrap();
    fs::copy(fixture("frames/blender-rgb-8.png"), project.join("textures/missing.png")).unwrap();
    let pictures = folder.path().join("Trip");
    write_pictures(&pictures.join("day 1"), "p", 2, "160x120");
    with_browser(DESKTOP, async |page| {
        page.goto(&server.link).await;
        page.find(".zone").await;
        page.drop_paths(".zone", &[project]).await;
        page.find(".about-scene dl").await;
        assert_eq!(
            page.find(".heading .name").await.prop("value").await.unwrap().unwrap(),
            "project"
        );
        let problems =
            page.run("return document.querySelectorAll('.about-scene details').length").await;
        assert_eq!(problems, 0, "the texture is there");
        page.goto(&server.link).await;
        page.find(".zone").await;
        page.drop_paths(".zone", &[pictures]).await;
        page.until("return document.querySelectorAll('.tile.loaded').length === 2").await;
        assert_eq!(page.tiles().await, ["day 1_p01.jpg", "day 1_p02.jpg"]);
    });
}
