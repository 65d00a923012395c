//! From S3 to S3. The server runs on this machine; the container uses the host network.

use std::fs;

use crate::container::{Container, container};
use crate::stage::Stage;
use crate::support::s3_server::S3Server;
use crate::support::scene;

/// Begins the command line of a container with access to a server.
fn with(server: &S3Server) -> Container {
    let mut container = container().options("--network host --read-only --tmpfs /tmp");
    for (name, value) in server.env() {
        container = container.env(name, &value);
    }
    container
}

#[test]
fn a_scene_on_s3_becomes_a_video_on_s3() {
    let server = S3Server::start();
    server.put("scene.blend", &fs::read(scene("tiny")).unwrap());
    let (scene, out) = (server.uri("scene.blend"), server.uri("out"));
    for (index, first) in [("0", 1), ("1", 4)] {
        let render = with(&server).args(&format!("render -i {scene} -o {out} -f 3"));
        let run = render.env("AWS_BATCH_JOB_ARRAY_INDEX", index).run();
        run.exits(0).logs(&[&format!("frame {first} stored")]);
    }
    let frames: Vec<_> = (1..=6).map(|frame| format!("out/frames/{frame:04}.png")).collect();
    assert_eq!(server.keys("out/frames/"), frames);

    with(&server).args(&format!("stitch -i {out} -o {out}")).run().exits(0);
    let stage = Stage::new();
    fs::write(stage.path("output.mp4"), server.get("out/output.mp4").unwrap()).unwrap();
    assert_eq!(stage.probe("output.mp4")["nb_read_frames"], "6");
}

#[test]
fn certificates_are_verified_with_the_roots_in_the_image() {
    // A self-signed certificate has an unknown issuer. Without roots, the error would be another.
    let server = S3Server::start_tls();
    let out = server.uri("out");
    let render = with(&server).args(&format!("render -i {} -o {out} -f 1", server.uri("a.blend")));
    let run = render.env("AWS_MAX_ATTEMPTS", "1").run().exits(69).logs(&["UnknownIssuer"]);
    assert!(run.final_error().contains("certificate"), "{}", run.final_error());
}
