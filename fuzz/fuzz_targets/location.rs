//! Locations: URIs and paths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::request::Location;

fuzz_target!(|text: &str| {
    let location = match text.parse::<Location>() {
        Ok(location) => location,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    _ = location.is_root();
    let below = location.join("frames").join("0001.png");
    assert!(below.to_string().ends_with("frames/0001.png"));
    // A printed location parses to itself. A path may contain bytes that cannot be printed.
    if let Location::S3 { .. } = location {
        assert_eq!(location.to_string().parse(), Ok(location));
    }
});
