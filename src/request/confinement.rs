//! What the programs that open a stranger's file are given, and what they may reach.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::ValueError;

/// What Blender, FFmpeg and `FFprobe` are given and may reach.
#[derive(Clone, Debug, Default)]
pub struct Confinement {
    /// The whole environment they start with, but for what a launch adds.
    pub environment: Vec<(String, String)>,
    /// The variables of it that the user named, beside those that are always handed over.
    pub passed: Vec<String>,
    /// What they may read beside their own files, absolute.
    pub readable: Vec<PathBuf>,
    /// Whether they are locked in.
    pub sandbox: SandboxMode,
}

impl Confinement {
    /// The variables among these that are secrets, by their names.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let names = self.environment.iter().map(|(name, _)| name.as_str());
        names.filter(|name| sounds_secret(name))
    }

    /// The variables that pictures can depend on: colours, Blender's own files, and what
    /// the user passes on for whatever reason. The others are about the machine's hardware,
    /// which is another one in the next attempt.
    pub fn settings(&self) -> impl Iterator<Item = &(String, String)> {
        self.environment.iter().filter(|(name, _)| {
            name == "OCIO" || name.starts_with("BLENDER_") || self.passed.contains(name)
        })
    }
}

/// Whether a variable of this name holds, or leads to, what only its owner should have:
/// `AWS_SECRET_ACCESS_KEY`, `AWS_CONTAINER_CREDENTIALS_FULL_URI`, `NVIDIA_API_KEY`.
pub fn sounds_secret(name: &str) -> bool {
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"].iter().any(|word| name.contains(word))
}

/// Whether programs are locked in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SandboxMode {
    /// As far as the kernel can.
    #[default]
    Auto,
    /// Wholly, or nothing is started.
    Require,
    /// No.
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
            return Err(ValueError::new(text, "paths on this machine, and no URIs"));
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
    fn names_are_names_of_variables() {
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
    fn a_mode_is_one_of_three() {
        for mode in [SandboxMode::Auto, SandboxMode::Require, SandboxMode::Off] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert!("on".parse::<SandboxMode>().is_err());
    }
}
