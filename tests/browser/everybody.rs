//! Keyboard, screen reader, contrast, sizes of windows.

use std::fs;

use serde_json::json;

use crate::browser::{DESKTOP, Window, with_browser};
use crate::support::server::{Server, write_pictures};

const ALT: &str = "\u{e00a}";
const SHIFT: &str = "\u{e008}";
const RIGHT: &str = "\u{e014}";
const END: &str = "\u{e010}";
const DELETE: &str = "\u{e017}";

/// A server with a video of pictures `p01.jpg` and so on.
pub fn server_with(pictures: u32) -> (Server, String) {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    write_pictures(folder.path(), "p", pictures, "320x200");
    let id = server.create("Pictures");
    for n in 1..=pictures {
        let name = format!("p{n:02}.jpg");
        server.upload(&id, &name, &fs::read(folder.path().join(&name)).unwrap());
    }
    (server, id)
}

#[test]
fn everything_can_be_done_with_the_keyboard() {
    let (server, id) = server_with(4);
    let names = |order: &[u32]| -> Vec<_> { order.iter().map(|n| format!("p0{n}.jpg")).collect() };
    with_browser(DESKTOP, async |page| {
        page.goto(&format!("{}videos/{id}", server.link)).await;
        page.until("return document.querySelectorAll('.tile.loaded').length === 4").await;
        // The list of pictures is one stop of the Tab key, and says which one is active.
        for _ in 0..12 {
            page.press(&["\u{e004}"]).await;
            if page.run("return document.activeElement.id").await == json!("grid") {
                break;
            }
        }
        let active = "return document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))?.dataset.name";
        assert_eq!(page.until(active).await, "p01.jpg");
        page.press(&[RIGHT]).await;
        assert_eq!(page.run(active).await, "p02.jpg");
        page.press(&[ALT, RIGHT]).await;
        page.until(
            "return document.querySelector('#live').textContent === 'p02.jpg: moved to 3 of 4'",
        )
        .await;
        assert_eq!(page.tiles().await, names(&[1, 3, 2, 4]));
        page.press(&[ALT, RIGHT]).await;
        assert_eq!(page.tiles().await, names(&[1, 3, 4, 2]));
        page.until("return document.querySelector('.tools select').value === 'own'").await;
        page.press(&[END]).await;
        page.press(&[DELETE]).await;
        page.until("return document.querySelector('#live').textContent === '1 picture removed.'")
            .await;
        assert_eq!(server.order(&id), names(&[1, 3, 4]));
        page.press(&["\u{e011}"]).await;
        page.press(&[SHIFT, RIGHT]).await;
        page.until("return document.querySelectorAll('.tile[aria-selected=true]').length === 2")
            .await;
    });
}

/// Every control has a name, and every text enough contrast to what is behind it.
const PROBLEMS: &str = r"
    const problems = [];
    const named = (e) => e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent.trim() || e.title;
    for (const e of document.querySelectorAll('button, a, input, select, video, progress, [role]')) {
        if (e.checkVisibility() && !named(e) && !['alert', 'status'].includes(e.role)) problems.push('no name: ' + e.outerHTML);
    }
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (text) => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = text;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b]
        .map((c) => c / 255)
        .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (e) => {
        for (let at = e; at; at = at.parentElement) {
            const colour = rgba(getComputedStyle(at).backgroundColor);
            if (colour[3] > 250) return colour;
        }
        return [255, 255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const e = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.closest('.unseen, :disabled, option, noscript, script')) continue;
        const [a, b] = [light(rgba(getComputedStyle(e).color)), light(behind(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(2)}: ${walker.currentNode.data}`);
    }
    if (document.documentElement.scrollWidth > innerWidth) problems.push('wider than the window');
    return problems";

#[test]
fn controls_have_names_and_texts_have_contrast_in_windows_of_all_sizes() {
    let (server, id) = server_with(3);
    for (width, height) in [(360, 640), (768, 1024), (1440, 900), (3840, 2160)] {
        for dark in [false, true] {
            with_browser(Window { width, height, dark }, async |page| {
                for path in [String::new(), format!("videos/{id}")] {
                    page.goto(&format!("{}{path}", server.link)).await;
                    page.until("return document.querySelector('.videos li, .tile.loaded')").await;
                    let is_dark =
                        page.run("return matchMedia('(prefers-color-scheme: dark)').matches").await;
                    assert_eq!(
                        (is_dark, page.run("return innerWidth").await),
                        (json!(dark), json!(width))
                    );
                    assert_eq!(
                        page.run(PROBLEMS).await,
                        json!([]),
                        "{width}x{height} {dark} {path}"
                    );
                }
            });
        }
    }
}
