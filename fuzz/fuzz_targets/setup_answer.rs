//! The setup script's answer about a scene, which a scene can replace by any file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::blender::{Answer, SceneDescription, UnusableFile};
use render_worker::request::AllowMissing;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Answer::Described(described)) = Answer::parse(bytes) {
        let SceneDescription { scene, external, needed, .. } = *described;
        _ = (scene.frame_rate().map(|rate| rate.to_string()), scene.range(), scene.format());
        _ = scene.not_allowed(&AllowMissing::default());
        _ = needed.iter().map(|file| UnusableFile::damaged(file, "", String::new()).to_string());
        assert!(external.iter().flatten().all(|file| file.name().starts_with('/')));
    }
});
