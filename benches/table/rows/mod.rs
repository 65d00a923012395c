//! The rows of the table.

mod objects; // many small objects, and one large one
mod project; // a project is packed, packed again and fetched
mod render; // a render from and to S3
mod resume; // all frames are already stored
mod start; // start-up time
mod stitch; // a video from frames in a folder or on S3

use std::time::Duration;

use crate::bench::Bench;
use crate::finding::Outcome;

/// A row of the table.
pub struct Row {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn(&Bench) -> Outcome,
}

/// All rows, in the order in which they run.
pub const ROWS: [Row; 14] = [
    Row {
        name: "start",
        about: "from exec to the first S3 request, and --version",
        run: |bench| start::run(bench, "start"),
    },
    Row {
        name: "resume",
        about: "another attempt at 100 frames that are already stored",
        run: |bench| resume::run(bench, "resume"),
    },
    Row {
        name: "objects",
        about: "2,000 objects of 300 kB, up and down",
        run: |bench| objects::many(bench, "objects", None),
    },
    Row {
        name: "objects-25ms",
        about: "the same with a round trip of 25 ms",
        run: |bench| objects::many(bench, "objects-25ms", Some(Duration::from_millis(25))),
    },
    Row {
        name: "large",
        about: "one object of 512 MiB, up and down",
        run: |bench| objects::large(bench, "large"),
    },
    Row {
        name: "project",
        about: "2,000 files of 200 kB: packed, packed again with one changed, and 200 of them fetched",
        run: |bench| project::run(bench, "project"),
    },
    Row {
        name: "render",
        about: "10 frames from and to S3, compared with Blender on local files",
        run: |bench| render::run(bench, "render", None),
    },
    Row {
        name: "render-50ms",
        about: "the same with a round trip of 50 ms",
        run: |bench| render::run(bench, "render-50ms", Some(Duration::from_millis(50))),
    },
    Row {
        name: "stitch",
        about: "300 frames of 1280x720 from a folder, compared with FFmpeg on the same files",
        run: |bench| stitch::from_folder(bench, "stitch", &stitch::DETAILED),
    },
    Row {
        name: "stitch-plain",
        about: "the same with plain frames, which are quick to encode",
        run: |bench| stitch::from_folder(bench, "stitch-plain", &stitch::PLAIN),
    },
    Row {
        name: "stitch-16-bit",
        about: "the same with frames of 16 bits",
        run: |bench| stitch::from_folder(bench, "stitch-16-bit", &stitch::DEEP),
    },
    Row {
        name: "stitch-exr",
        about: "the same with OpenEXR frames",
        run: |bench| stitch::from_folder(bench, "stitch-exr", &stitch::LINEAR),
    },
    Row {
        name: "stitch-s3",
        about: "300 frames of 1280x720 from S3, compared with FFmpeg on local files",
        run: |bench| stitch::from_s3(bench, "stitch-s3", &stitch::DETAILED),
    },
    Row {
        name: "stitch-many",
        about: "10,000 small frames compared with 500: memory and scratch space",
        run: |bench| stitch::many(bench, "stitch-many"),
    },
];
