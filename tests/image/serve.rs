//! The web page in a container: reached through a published port, with the token of the log, and with
//! no place to write to but one volume and the scratch folder.

use crate::stage::Stage;
use crate::support::frames::frame;
use crate::support::names;
use crate::support::server::{LINK, Server};

#[test]
fn a_video_is_made_in_a_container_with_a_read_only_root_and_one_volume() {
    let stage = Stage::new();
    let container = stage.container().options("--publish 127.0.0.1::7861");
    let container = container.options("--read-only --tmpfs /tmp").args("serve --data videos");
    let running = container.start();
    let logged = running.wait_for_log(LINK);
    let server = Server::at(&running.published("7861"), &logged, &stage.path("videos"));

    let host = [("Host", server.authority())];
    assert_eq!(server.send_with("GET", "/api/videos", &host, b"").status, 401);
    let id = server.create("Three");
    for number in 1..=3 {
        server.upload(&id, &format!("{number}.png"), &frame(number));
    }
    assert_eq!(server.make(&id)["state"], "done");
    assert_eq!(names(&server.video(&id).join("made")), ["Three.mp4", "reports"]);
    let video = server.send("GET", &format!("/api/videos/{id}/video"), b"");
    assert_eq!((video.status, video.header("content-type")), (200, Some("video/mp4")));

    running.engine("stop");
    running.finish().exits(143);
}

#[test]
fn without_a_volume_it_says_that_videos_are_lost_with_the_container() {
    let running = Stage::new().container().args("serve").start();
    running.wait_for_log(LINK);
    running.engine("stop");
    running.finish().exits(143).logs(&["/tmp/render-worker-data", "lost"]);
}
