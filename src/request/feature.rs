//! Features that a scene can need and that not every Blender has.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ValueError;

/// A feature that a Blender can be built or installed without. The setup script's `features.py`
/// and `--allow-missing` use the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// Open Image Denoise, used by Cycles and the compositor.
    Denoiser,
    /// Alembic caches.
    Alembic,
    /// Universal Scene Description caches.
    Usd,
    /// Open Shading Language, used by Script nodes.
    Osl,
    /// `OpenVDB` volumes.
    Openvdb,
    /// Mantaflow, the simulation of fluids and smoke.
    Fluid,
    /// The Ocean modifier.
    Ocean,
    /// The Remesh modifier.
    Remesh,
    /// `OpenSubdiv`, used for subdivision surfaces.
    Opensubdiv,
    /// Freestyle, which draws lines.
    Freestyle,
    /// Bullet, the physics of rigid bodies.
    Bullet,
    /// Movies as textures.
    Movies,
    /// The render engine that the scene is set to, which comes with an add-on.
    Engine,
    /// A Blender as new as the one that saved the file. An older one opens the file, if at all,
    /// without the data that it does not know.
    NewerBlender,
}

impl Feature {
    /// All features.
    pub const ALL: [Self; 14] = [
        Self::Denoiser,
        Self::Alembic,
        Self::Usd,
        Self::Osl,
        Self::Openvdb,
        Self::Fluid,
        Self::Ocean,
        Self::Remesh,
        Self::Opensubdiv,
        Self::Freestyle,
        Self::Bullet,
        Self::Movies,
        Self::Engine,
        Self::NewerBlender,
    ];

    /// The name, as in `--allow-missing`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Denoiser => "denoiser",
            Self::Alembic => "alembic",
            Self::Usd => "usd",
            Self::Osl => "osl",
            Self::Openvdb => "openvdb",
            Self::Fluid => "fluid",
            Self::Ocean => "ocean",
            Self::Remesh => "remesh",
            Self::Opensubdiv => "opensubdiv",
            Self::Freestyle => "freestyle",
            Self::Bullet => "bullet",
            Self::Movies => "movies",
            Self::Engine => "engine",
            Self::NewerBlender => "newer-blender",
        }
    }

    /// A description, to follow "has no".
    pub fn described(self) -> &'static str {
        match self {
            Self::Denoiser => "denoiser (Open Image Denoise)",
            Self::Alembic => "Alembic",
            Self::Usd => "USD",
            Self::Osl => "Open Shading Language",
            Self::Openvdb => "OpenVDB",
            Self::Fluid => "fluid simulation",
            Self::Ocean => "Ocean modifier",
            Self::Remesh => "Remesh modifier",
            Self::Opensubdiv => "OpenSubdiv",
            Self::Freestyle => "Freestyle",
            Self::Bullet => "rigid body physics",
            Self::Movies => "support for movie files (FFmpeg)",
            Self::Engine => "such render engine",
            Self::NewerBlender => "support for files of newer versions",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The features without which a scene is rendered all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowMissing(pub BTreeSet<Feature>);

impl FromStr for AllowMissing {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let feature = |name: &str| Feature::ALL.into_iter().find(|known| known.name() == name);
        let features = text.split(',').map(|name| feature(name.trim())).collect::<Option<_>>();
        features.map(Self).ok_or_else(|| {
            let names = Feature::ALL.map(Feature::name).join(", ");
            ValueError::new(text, &format!("one or more of these, separated by commas: {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_features_are_parsed_by_name() {
        let allowed = |text: &str| text.parse::<AllowMissing>().map(|allowed| allowed.0);
        assert_eq!(allowed("osl"), Ok([Feature::Osl].into()));
        assert_eq!(
            allowed("denoiser, newer-blender"),
            Ok([Feature::Denoiser, Feature::NewerBlender].into())
        );
        for bad in ["", "denoise", "all", "osl,", "OSL"] {
            assert!(allowed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn command_line_and_setup_script_use_the_same_names() {
        for feature in Feature::ALL {
            let json = serde_json::to_value(feature).unwrap();
            assert_eq!(json, feature.name());
        }
    }
}
