//! What to do about files that a scene needs and Blender cannot use.

use std::str::FromStr;

use serde::Serialize;

use super::ValueError;

/// Whether frames are rendered without files that they need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingFiles {
    /// No frame is rendered, and the job fails.
    #[default]
    Fail,
    /// The frames are rendered, with warnings.
    Warn,
}

impl FromStr for MissingFiles {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "fail" => Ok(Self::Fail),
            "warn" => Ok(Self::Warn),
            _ => Err(ValueError::new(text, "fail or warn")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_words_are_accepted() {
        assert_eq!("fail".parse(), Ok(MissingFiles::Fail));
        assert_eq!("warn".parse(), Ok(MissingFiles::Warn));
        assert_eq!(MissingFiles::default(), MissingFiles::Fail);
        for bad in ["", "Fail", "ignore", "true"] {
            assert!(bad.parse::<MissingFiles>().is_err(), "{bad}");
        }
    }
}
