//! Names in the scene file. Blender itself knows which of them exist.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::request::ValueError;

/// The name of a scene, a view layer or an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DataName(String);

impl DataName {
    /// The longest name in bytes: `MAX_ID_NAME` of Blender 5, without the two letters of the type
    /// and the zero at the end. Earlier versions have names of up to 63 bytes.
    const LONGEST: usize = 255;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DataName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DataName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > Self::LONGEST || text.contains('\0') {
            return Err(ValueError::new(text, "a name of 1 to 255 bytes, as Blender shows it"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The names of view layers, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ViewLayers(Vec<DataName>);

impl FromStr for ViewLayers {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names: Result<Vec<_>, _> = text.split(',').map(|name| name.trim().parse()).collect();
        let wanted = "the names of view layers, separated by commas";
        names.map(Self).map_err(|_| ValueError::new(text, wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_any_text_that_blender_can_show() {
        for good in ["Camera", "Bücher 4", "a;b", " x", &"n".repeat(255)] {
            assert_eq!(good.parse::<DataName>().unwrap().as_str(), good);
        }
        for bad in ["", "a\0b", &"n".repeat(256)] {
            assert!(bad.parse::<DataName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn view_layers_are_separated_by_commas() {
        let names = |text: &str| text.parse().map(|ViewLayers(names)| names.len());
        assert_eq!(names("ViewLayer"), Ok(1));
        assert_eq!(names("Fore ground, Back"), Ok(2));
        for bad in ["", ",", "a,", ",a", "a,,b", "a, ,b"] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }
}
