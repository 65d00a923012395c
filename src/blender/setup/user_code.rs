//! Where Blender finds the Python that the user adds to it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::request::{Location, UserCode};

/// The paths of copies of the user's Python, all in one folder. All processes share it.
#[derive(Clone, Debug)]
pub struct UserCodePaths(PathBuf);

impl UserCodePaths {
    /// The paths below a folder in scratch.
    pub fn below(scratch: &Path) -> Self {
        Self(scratch.join("user_code"))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The paths of the scripts, in their order.
    pub fn scripts(&self, code: &UserCode) -> Vec<PathBuf> {
        let numbers = 1..=code.scripts.0.len();
        numbers.map(|number| self.0.join(format!("script-{number}.py"))).collect()
    }

    /// The folder with the archive, or the folder, of add-ons.
    pub fn addons(&self) -> PathBuf {
        self.0.join("addons")
    }

    /// The scripts as the setup script reads them: where they are, and what they call themselves.
    pub(super) fn described_scripts(&self, code: &UserCode) -> Value {
        let name = |location: &Location| match location {
            // A script may look for files beside itself.
            Location::Local(path) => std::path::absolute(path)
                .map_or_else(|_| location.to_string(), |path| path.display().to_string()),
            Location::S3 { .. } => location.to_string(),
        };
        let scripts = code.scripts.0.iter().zip(self.scripts(code));
        scripts.map(|(location, path)| json!({ "path": path, "name": name(location) })).collect()
    }

    /// The add-ons as the script that enables them reads them.
    pub(super) fn described_addons(&self, code: &UserCode) -> Value {
        let folder = code.addons_dir.as_ref().map(|_| self.addons());
        json!({ "names": code.addons.0, "folder": folder })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_keep_their_order_and_their_names() {
        let paths = UserCodePaths::below(Path::new("/s/setup"));
        let code = UserCode {
            scripts: "/a/fix.py,s3://bucket/b.py".parse().unwrap(),
            addons_dir: Some("addons.zip".parse().unwrap()),
            ..UserCode::default()
        };
        assert_eq!(
            paths.described_scripts(&code),
            json!([
                { "path": "/s/setup/user_code/script-1.py", "name": "/a/fix.py" },
                { "path": "/s/setup/user_code/script-2.py", "name": "s3://bucket/b.py" },
            ])
        );
        let addons = json!({ "names": [], "folder": "/s/setup/user_code/addons" });
        assert_eq!(paths.described_addons(&code), addons);
    }
}
