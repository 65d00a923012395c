//! The render engine.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::request::ValueError;

/// The engine to render with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Engine {
    /// The engine that Blender knows by this name: `CYCLES`, `BLENDER_EEVEE`, …. The names depend on
    /// Blender's version and add-ons, so Blender itself validates them. The setup script takes the
    /// names of EEVEE for each other.
    Named(String),
    /// The engine that the scene is set to.
    #[default]
    Scene,
}

/// The names in Blender's menu, in small letters, and its names for the same engines in Python.
const MENU: [(&str, &str); 3] =
    [("cycles", "CYCLES"), ("eevee", "BLENDER_EEVEE"), ("workbench", "BLENDER_WORKBENCH")];

/// The text for the engine of the scene.
const SCENE: &str = "scene";

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(name) => name,
            Self::Scene => SCENE,
        })
    }
}

impl FromStr for Engine {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == SCENE {
            return Ok(Self::Scene);
        }
        let small = text.to_ascii_lowercase();
        if let Some((_, name)) = MENU.into_iter().find(|(menu, _)| *menu == small) {
            return Ok(Self::Named(name.to_owned()));
        }
        let name = !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !text.starts_with(|c: char| c.is_ascii_digit());
        if name {
            Ok(Self::Named(text.to_owned()))
        } else {
            Err(ValueError::new(
                text,
                "cycles, eevee, workbench, the name of another render engine in Python, or `scene`",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_identifiers() {
        for (text, name) in [
            ("CYCLES", "CYCLES"),
            ("Cycles", "CYCLES"),
            ("eevee", "BLENDER_EEVEE"),
            ("EEVEE", "BLENDER_EEVEE"),
            ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE_NEXT"),
            ("workbench", "BLENDER_WORKBENCH"),
            ("LuxCore", "LuxCore"),
        ] {
            assert_eq!(text.parse(), Ok(Engine::Named(name.into())));
        }
        assert_eq!("scene".parse(), Ok(Engine::Scene));
        for bad in ["", "-a", "a b", "CYCLES;rm", "7"] {
            assert!(bad.parse::<Engine>().is_err(), "{bad}");
        }
    }
}
