//! Reports of earlier attempts, which anybody can have written: what is read back of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::blender::SceneInfo;

/// As `worker::report` reads it.
#[derive(serde::Deserialize)]
struct Excerpt {
    scene: Option<SceneInfo>,
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Excerpt { scene: Some(scene) }) = serde_json::from_slice(bytes) {
        _ = (scene.frame_rate().map(|rate| rate.to_string()), scene.range(), scene.format());
    }
});
