//! Python that the user adds to Blender: scripts and add-ons.

use std::str::FromStr;

use crate::request::value::ValueError;
use crate::request::{Location, LocationError};

/// Python that the user adds to Blender. It comes from whoever starts the job, unlike the Python in
/// the scene file, and runs in the sandbox as that does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserCode {
    /// The scripts that prepare the scene, in order.
    pub scripts: ScriptFiles,
    /// The add-ons to enable, which this Blender has or `addons_dir` brings.
    pub addons: AddonNames,
    /// An archive or a folder of add-ons to install and enable.
    pub addons_dir: Option<Location>,
}

impl UserCode {
    /// Where the scripts and the add-ons are.
    pub fn locations(&self) -> impl Iterator<Item = &Location> {
        self.scripts.0.iter().chain(&self.addons_dir)
    }

    /// Whether any add-on is installed or enabled.
    pub fn has_addons(&self) -> bool {
        self.addons_dir.is_some() || !self.addons.0.is_empty()
    }
}

/// The locations of scripts, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptFiles(pub Vec<Location>);

impl FromStr for ScriptFiles {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// The names of add-ons, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddonNames(pub Vec<String>);

impl FromStr for AddonNames {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A module of Python, which can have a dash; an extension's begins with `bl_ext.`.
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(['.', '-'])
                && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        };
        let names: Vec<_> = text.split(',').map(|name| name.trim().to_owned()).collect();
        if names.iter().all(|name| is_name(name)) {
            Ok(Self(names))
        } else {
            Err(ValueError::new(
                text,
                "the names of add-ons as Python modules, such as node_wrangler, separated by commas",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_locations() {
        let scripts = |text: &str| text.parse().map(|ScriptFiles(files)| files.len());
        assert_eq!(scripts("a.py"), Ok(1));
        assert_eq!(scripts("a.py,s3://bucket/b.py"), Ok(2));
        for bad in ["", "a.py,", "gs://bucket/a.py"] {
            assert!(scripts(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn add_ons_are_modules() {
        let names = |text: &str| text.parse().map(|AddonNames(names)| names.len());
        assert_eq!(names("node_wrangler, bl_ext.user_default.tool,io-x"), Ok(3));
        for bad in ["", ",", "a,", "a b", "../x", "a/b", ".a", "-a"] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_add_ons_need_another_script() {
        let mut code = UserCode { scripts: "a.py".parse().unwrap(), ..UserCode::default() };
        assert!(!code.has_addons());
        code.addons_dir = Some("addons.zip".parse().unwrap());
        assert!(code.has_addons());
    }
}
