//! The link with the token.

use crate::browser::{DESKTOP, with_browser};
use crate::support::server::Server;

#[test]
fn the_link_in_the_log_opens_the_page_and_its_token_leaves_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), |worker| worker.env("LISTEN", "0.0.0.0:0"));
    let (base, token) = server.link.split_once("?token=").unwrap();
    with_browser(DESKTOP, async |page| {
        page.goto(base).await;
        let heading = page.find("h1").await.text().await.unwrap();
        assert_eq!(heading, "Open the link of the server");
        page.goto(&server.link).await;
        page.find(".zone").await;
        assert_eq!(page.run("return location.href").await, base);
        // Scripts cannot read it.
        assert_eq!(page.run("return document.cookie").await, "");
        page.goto(base).await;
        page.find(".zone").await;
    });
    assert_eq!(token.len(), 64);
}

#[test]
fn the_page_runs_no_script_but_its_own() {
    let server = Server::start();
    let id = server.create("<img src=x onerror=alert(1)>");
    let name = "%3Cimg%20src=x%20onerror=document.title='hacked'%3E.png";
    server.upload(&id, name, b"no picture");
    with_browser(DESKTOP, async |page| {
        page.goto(&format!("{}videos/{id}", server.link)).await;
        page.find(".tile.broken").await;
        let inline = "const s = document.createElement('script'); s.textContent = 'window.ran = 1';
                      document.body.append(s); return window.ran === undefined";
        assert_eq!(page.run(inline).await, true);
        assert_eq!(page.run("return document.querySelectorAll('img[src=x]').length").await, 0);
        assert_ne!(page.run("return document.title").await, "hacked");
    });
}
