//! The setup script's answer: what a scene can leave in its place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::blender::Answer;
use render_worker::request::AllowMissing;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Answer { scene, external }) = Answer::parse(bytes) {
        _ = (scene.frame_rate().map(|rate| rate.to_string()), scene.range(), scene.format());
        _ = scene.not_allowed(&AllowMissing::default());
        assert!(external.iter().flatten().all(|file| file.name().starts_with('/')));
    }
});
