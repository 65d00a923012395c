//! The beginning of a .blend file: plain, gzip or zstd.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::blender::SceneFile;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some(file)) = SceneFile::from_start(bytes, true)
        && let Some(range) = file.range()
    {
        assert!(range.first <= range.last);
    }
});
