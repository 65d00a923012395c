//! The local folders that the page may read. No link leads out of them.

use std::io;
use std::path::{Path, PathBuf};

use crate::request::{FRAMES_DIR, PREVIEWS_DIR, REPORTS_DIR};
use crate::serve::problem::{Problem, ProblemKind};

/// Local folders that the page may read, with all that is in them.
#[derive(Clone, Debug)]
pub struct Fence(Vec<PathBuf>);

impl Fence {
    /// Allows these folders.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self(folders)
    }

    /// Checks an output: it is a folder, and its parts are in allowed folders, wherever links lead. Returns
    /// its path without links.
    ///
    /// # Errors
    /// What is not allowed, or not there.
    pub fn output(&self, folder: &Path) -> Result<PathBuf, Problem> {
        let real = self.inside(folder)?;
        if !real.is_dir() {
            let message =
                format!("{} is no folder; give the folder of an output", folder.display());
            return Err(Problem::new(ProblemKind::Invalid, message));
        }
        for part in [FRAMES_DIR, PREVIEWS_DIR, REPORTS_DIR] {
            let part = real.join(part);
            // What is not there cannot lead anywhere.
            if part.symlink_metadata().is_ok() {
                self.inside(&part)?;
            }
        }
        Ok(real)
    }

    /// The path of a file without links.
    ///
    /// # Errors
    /// If it is not in an allowed folder, or not there.
    pub fn inside(&self, path: &Path) -> Result<PathBuf, Problem> {
        // Whether something exists elsewhere is not told.
        let outside = || {
            let message = format!(
                "the server may not read {}; start it with --watch (WATCH_DIR) and a folder above it",
                path.display()
            );
            Problem::new(ProblemKind::Denied, message)
        };
        let real = path.canonicalize();
        let allowed = || self.0.iter().filter_map(|folder| folder.canonicalize().ok());
        match real {
            Ok(real) if allowed().any(|folder| real.starts_with(folder)) => Ok(real),
            Ok(_) => Err(outside()),
            Err(error) => {
                let is_plain = !path.components().any(|part| part.as_os_str() == "..");
                let named = self.0.iter().any(|folder| path.starts_with(folder));
                let is_inside = allowed().any(|folder| path.starts_with(folder)) || named;
                if is_plain && is_inside && error.kind() == io::ErrorKind::NotFound {
                    let message = format!(
                        "{} is not there; wait for it, or look at its name",
                        path.display()
                    );
                    return Err(Problem::new(ProblemKind::NotFound, message));
                }
                Err(outside())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_path_and_no_link_leads_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["in/shot/frames", "in/linked", "in/far", "out/frames", "innermost"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path("in/file"), "").unwrap();
        fs::write(path("out/secret"), "").unwrap();
        symlink(path("in/shot/frames"), path("in/linked/frames")).unwrap();
        symlink(path("out/frames"), path("in/far/frames")).unwrap();
        symlink(path("out"), path("in/away")).unwrap();
        symlink(path("in/shot"), path("out/back")).unwrap();
        symlink(path("gone"), path("in/dead")).unwrap();
        let fence = Fence::new(vec![path("in"), path("missing")]);
        let kind = |name: &str| fence.output(&path(name)).err().map(|problem| problem.kind);
        for good in ["in", "in/shot", "in/linked", "in/./shot", "in/../in/shot", "out/back"] {
            assert_eq!(kind(good), None, "{good}");
        }
        for denied in ["", "out", "innermost", "in/..", "in/../out", "in/away", "in/far", "gone"] {
            assert_eq!(kind(denied), Some(ProblemKind::Denied), "{denied}");
        }
        for missing in ["in/later", "in/dead", "missing/x"] {
            assert_eq!(kind(missing), Some(ProblemKind::NotFound), "{missing}");
        }
        assert_eq!(kind("in/../gone"), Some(ProblemKind::Denied));
        assert_eq!(kind("in/file"), Some(ProblemKind::Invalid));
        assert!(fence.inside(&path("in/away/secret")).is_err());
        assert!(Fence::new(Vec::new()).output(&path("in")).is_err());
    }
}
