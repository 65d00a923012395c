//! A thousand pictures, and how long the page takes.

use std::fs;

use crate::browser::{DESKTOP, with_browser};
use crate::support::server::{Server, write_pictures};

#[test]
fn the_first_page_is_small_and_quick() {
    let server = Server::start();
    with_browser(DESKTOP, async |page| {
        page.goto(&server.link).await;
        page.find(".zone").await;
        page.until("return performance.getEntriesByType('navigation')[0]?.loadEventEnd").await;
        let figures = page
            .run(
                "const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
                 const sizes = all.map((entry) => entry.decodedBodySize);
                 return {
                     bytes: sizes.reduce((sum, size) => sum + size, 0),
                     load: performance.getEntriesByType('navigation')[0].loadEventEnd,
                 }",
            )
            .await;
        assert!(figures["bytes"].as_u64().unwrap() <= 150_000, "{figures}");
        // The browser itself has started by now.
        let mut loads = Vec::new();
        for _ in 0..5 {
            page.goto("about:blank").await;
            page.goto(&server.link).await;
            page.until("return performance.getEntriesByType('navigation')[0]?.loadEventEnd").await;
            let load = "return performance.getEntriesByType('navigation')[0].loadEventEnd";
            loads.push(page.run(load).await);
        }
        println!("first page: {figures}, then {loads:?} ms");
    });
}

#[test]
fn a_thousand_pictures_stay_fluid_and_nothing_shifts() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    write_pictures(folder.path(), "p", 50, "640x480");
    let id = server.create("many");
    let pictures = server.video(&id).join("pictures");
    for n in 0..1000 {
        let name = format!("p{:02}.jpg", n % 50 + 1);
        fs::copy(folder.path().join(name), pictures.join(format!("f{n:04}.jpg"))).unwrap();
    }
    with_browser(DESKTOP, async |page| {
        page.goto(&server.link).await;
        page.find(".videos a").await;
        page.run(
            "window.long = []; window.shift = 0;
             new PerformanceObserver((list) => window.long.push(...list.getEntries().map((e) => e.duration)))
                 .observe({ type: 'longtask' });
             new PerformanceObserver((list) => list.getEntries().forEach((e) => { window.shift += e.hadRecentInput ? 0 : e.value; }))
                 .observe({ type: 'layout-shift' });",
        )
        .await;
        page.click(".videos a").await;
        page.until("return document.querySelectorAll('.tile.loaded').length > 10").await;
        // Only what is seen exists.
        let tiles = page.run("return document.querySelectorAll('.tile').length").await;
        assert!(tiles.as_u64().unwrap() < 120, "{tiles}");
        let scroll = "const scroller = document.querySelector('.scroller'); window.frames = 0;
             const step = () => {
                 scroller.scrollTop += 240;
                 window.frames += 1;
                 if (scroller.scrollTop + scroller.clientHeight < scroller.scrollHeight - 1) requestAnimationFrame(step);
                 else window.scrolled = true;
             };
             step();";
        page.run(scroll).await;
        page.until("return window.scrolled").await;
        page.until("return document.querySelector('.tile[aria-posinset=\"1000\"].loaded')").await;
        let found = page.run("return { long: Math.max(0, ...window.long), shift: window.shift, frames: window.frames }").await;
        // The longest task depends on what else the machine does, so it is shown and not asserted.
        println!("a thousand pictures: {found}");
        assert!(found["shift"].as_f64().unwrap() < 0.01, "{found}");
    });
}
