//! What the setup script answers: a description of the scene, or why it refuses to render it.

use std::fmt;

use serde::Deserialize;

use super::SceneDescription;

/// The answer of the setup script.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// The job cannot be done with this scene and this Blender.
    Refused {
        /// Why.
        refused: Refusal,
    },
    /// The scene, as it is going to be rendered.
    Described(Box<SceneDescription>),
}

impl Answer {
    /// Parses the file that the setup script writes.
    ///
    /// # Errors
    /// A message, if the JSON is not an answer, or a path in it is relative.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        // For a description, its own parser has the better message.
        match serde_json::from_slice(json) {
            Ok(refused @ Self::Refused { .. }) => Ok(refused),
            _ => SceneDescription::parse(json).map(|scene| Self::Described(Box::new(scene))),
        }
    }
}

/// Why the setup script refuses to render.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// Who must act.
    pub kind: RefusalKind,
    /// What is wrong, in a sentence each that begins with the flag.
    pub problems: Vec<String>,
}

/// Who must act on a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusalKind {
    /// The flags name what the scene does not have, or give values that do not fit.
    Usage,
    /// This Blender lacks what the flags ask for.
    Unavailable,
    /// A script of the user failed.
    Script,
    /// An add-on cannot be installed or enabled.
    Addon,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_a_description() {
        let json = br#"{"refused":{"kind":"usage","problems":["--camera: a","--scene: b"]}}"#;
        let Answer::Refused { refused } = Answer::parse(json).unwrap() else { panic!("a refusal") };
        assert_eq!(
            (refused.kind, refused.to_string().as_str()),
            (RefusalKind::Usage, "--camera: a; --scene: b")
        );
        // The error is about what is missing in a description.
        let error = Answer::parse(br#"{"scene":{}}"#).unwrap_err();
        assert!(error.contains("missing field"), "{error}");
        assert!(Answer::parse(br#"{"refused":{"kind":"whim","problems":[]}}"#).is_err());
    }
}
