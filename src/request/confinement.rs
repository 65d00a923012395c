//! The environment of programs that open untrusted files, and the files that they may read.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::ValueError;

/// The environment of Blender, FFmpeg and `FFprobe`, and the files that they may read.
#[derive(Clone, Debug, Default)]
pub struct Confinement {
    /// Their whole environment, except for the variables that a launch adds.
    pub environment: Vec<(String, String)>,
    /// The names of the variables that the user passes on, besides those that always are.
    pub passed: Vec<String>,
    /// The absolute paths that they may read besides their own files.
    pub readable: Vec<PathBuf>,
    /// Whether they run in the sandbox.
    pub sandbox: SandboxMode,
}

impl Confinement {
    /// The names in the environment that look like those of secrets.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let names = self.environment.iter().map(|(name, _)| name.as_str());
        names.filter(|name| is_secret_name(name))
    }

    /// The variables that pictures can depend on: colour management, Blender's own files, and
    /// all that the user passes on. The others describe the machine's hardware, which differs
    /// between attempts.
    pub fn settings(&self) -> impl Iterator<Item = &(String, String)> {
        self.environment.iter().filter(|(name, _)| {
            name == "OCIO" || name.starts_with("BLENDER_") || self.passed.contains(name)
        })
    }
}

/// Whether a variable of this name seems to hold a secret, or lead to one:
/// `AWS_SECRET_ACCESS_KEY`, `AWS_CONTAINER_CREDENTIALS_FULL_URI`, `NVIDIA_API_KEY`.
pub fn is_secret_name(name: &str) -> bool {
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"].iter().any(|word| name.contains(word))
}

/// Whether programs run in the sandbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxMode {
    /// In as much of the sandbox as the kernel supports.
    #[default]
    Auto,
    /// In the whole sandbox, or not at all: without it, the job fails.
    Require,
    /// Without the sandbox.
    Off,
}

impl FromStr for SandboxMode {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "require" => Ok(Self::Require),
            "off" => Ok(Self::Off),
            _ => Err(ValueError::new(text, "auto, require or off")),
        }
    }
}

impl fmt::Display for SandboxMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Require => "require",
            Self::Off => "off",
        })
    }
}

/// Names of variables, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VariableNames(pub Vec<String>);

impl FromStr for VariableNames {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let names: Vec<_> = text.split(',').map(str::to_owned).collect();
        match names.iter().find(|name| !is_name(name)) {
            None => Ok(Self(names)),
            Some(_) => Err(ValueError::new(text, "names of variables, separated by commas")),
        }
    }
}

/// Paths, separated by colons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(pub Vec<PathBuf>);

impl FromStr for Paths {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let paths: Vec<_> = text.split(':').map(PathBuf::from).collect();
        if text.contains("://") {
            return Err(ValueError::new(text, "paths on this machine, not URIs"));
        }
        if paths.iter().any(|path| path.as_os_str().is_empty()) {
            return Err(ValueError::new(text, "paths, separated by colons"));
        }
        Ok(Self(paths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variable_names_are_validated() {
        let names = |text: &str| text.parse().map(|VariableNames(names)| names);
        assert_eq!(names("A"), Ok(vec!["A".to_owned()]));
        assert_eq!(names("_a1,LD_PRELOAD"), Ok(vec!["_a1".to_owned(), "LD_PRELOAD".to_owned()]));
        for bad in ["", "A,", ",A", "A=1", "1A", "A B", "Ä", "A,,B", "A*"] {
            assert!(names(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn paths_are_separated_by_colons() {
        let paths = |text: &str| text.parse().map(|Paths(paths)| paths);
        assert_eq!(paths("/a"), Ok(vec![PathBuf::from("/a")]));
        assert_eq!(paths("/a:b c/d"), Ok(vec![PathBuf::from("/a"), PathBuf::from("b c/d")]));
        for bad in ["", ":/a", "/a:", "/a::/b"] {
            assert!(paths(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_mode_is_parsed_as_it_is_printed() {
        for mode in [SandboxMode::Auto, SandboxMode::Require, SandboxMode::Off] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert!("on".parse::<SandboxMode>().is_err());
    }
}
