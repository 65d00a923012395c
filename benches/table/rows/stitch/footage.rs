//! The frames of the videos, from FFmpeg's test sources.

use tempfile::TempDir;

use crate::bench::Bench;
use crate::measuring::Step;

/// Frames of one kind.
#[derive(Clone, Copy)]
pub struct Footage {
    /// What the frames are, in words.
    pub name: &'static str,
    /// The test source, and the filters that follow it.
    graph: &'static str,
    /// The options of the encoder.
    encoder: &'static [&'static str],
    /// The extension of the files.
    extension: &'static str,
    /// The filter that FFmpeg needs for linear light, which would look too dark.
    pub view: Option<&'static str>,
}

/// A zoom into the Mandelbrot set: every pixel changes all the time, and many are noise.
pub const DETAILED: Footage = Footage {
    name: "the Mandelbrot set",
    graph: "mandelbrot=size=1280x720:rate=24,format=rgb24",
    encoder: &["-c:v", "png"],
    extension: "png",
    view: None,
};

/// Plain areas with sharp edges, most of which do not move.
pub const PLAIN: Footage = Footage {
    name: "a test card",
    graph: "testsrc2=size=1280x720:rate=24,format=rgb24",
    ..DETAILED
};

/// 16 bits, all of which the blur fills.
pub const DEEP: Footage = Footage {
    graph: "mandelbrot=size=1280x720:rate=24,format=gbrp16,gblur=sigma=0.5,format=rgb48be",
    ..DETAILED
};

/// Linear light in `OpenEXR`.
pub const LINEAR: Footage = Footage {
    graph: "mandelbrot=size=1280x720:rate=24,format=gbrp16,gblur=sigma=0.5,\
            zscale=transferin=iec61966-2-1:transfer=linear,format=gbrpf32le",
    encoder: &["-c:v", "exr", "-compression", "zip16", "-format", "half"],
    extension: "exr",
    view: Some("zscale=transferin=linear:transfer=iec61966-2-1"),
    ..DETAILED
};

/// Small frames, for videos of many.
pub const SMALL: Footage = Footage { graph: "testsrc2=size=640x360:rate=24,format=rgb24", ..PLAIN };

impl Footage {
    /// Makes `count` frames in a folder: `frames/0001.png` and so on.
    pub fn make(&self, bench: &Bench, count: usize) -> TempDir {
        let folder = bench.folder();
        std::fs::create_dir(folder.path().join("frames")).expect("a folder");
        let mut command = bench.program("ffmpeg");
        command
            .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", self.graph])
            .args(["-frames:v", &count.to_string()])
            .args(self.encoder)
            .arg(folder.path().join(self.pattern()));
        Step::new(command).run();
        folder
    }

    /// The paths of the files, as FFmpeg names them.
    pub fn pattern(&self) -> String {
        format!("frames/%05d.{}", self.extension)
    }
}
