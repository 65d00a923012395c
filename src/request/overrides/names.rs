//! Names in the scene file. Blender itself knows which of them exist.

use std::fmt::{self, Write as _};
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

    /// The name as that of a folder. Different names are different folders: characters that a folder
    /// cannot have, or that lead elsewhere, are escaped as in a URI.
    pub fn as_folder(&self) -> String {
        let mut folder = String::new();
        for (at, c) in self.0.char_indices() {
            let is_plain =
                c.is_alphanumeric() || matches!(c, ' ' | '-' | '_') || (c == '.' && at > 0);
            if is_plain {
                folder.push(c);
            } else {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    _ = write!(folder, "%{byte:02X}");
                }
            }
        }
        folder
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

/// The camera that a job names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CameraChoice {
    /// This one.
    Named(DataName),
    /// Every camera of the scene.
    Each,
}

impl FromStr for CameraChoice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "each" { Ok(Self::Each) } else { text.parse().map(Self::Named) }
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
    fn every_name_is_a_folder_of_its_own() {
        for (name, folder) in [
            ("Camera.001", "Camera.001"),
            ("Große Totale", "Große Totale"),
            ("../x", "%2E.%2Fx"),
            (".", "%2E"),
            ("a%2Fb", "a%252Fb"),
            ("a\nb", "a%0Ab"),
        ] {
            assert_eq!(name.parse::<DataName>().unwrap().as_folder(), folder);
        }
        assert_eq!("each".parse(), Ok(CameraChoice::Each));
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
