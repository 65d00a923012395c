//! The scene in reports of earlier attempts, which anybody can have written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::blender::SceneInfo;

/// The same excerpt as `stitch::render_reports` reads.
#[derive(serde::Deserialize)]
struct Excerpt {
    scene: Option<SceneInfo>,
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Excerpt { scene: Some(scene) }) = serde_json::from_slice(bytes) {
        _ = (scene.frame_rate().map(|rate| rate.to_string()), scene.range(), scene.format());
    }
});
