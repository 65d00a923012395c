//! The versions of the worker and of its image.
//!
//! The program contains its own version. The rest comes from variables of the image (see the
//! Dockerfile), so that a new revision, branch or build time does not require a new compilation.

use std::fmt;

use serde::Serialize;

/// The origin of this worker, for `--version`, the first line of the log and the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Provenance {
    /// The version of the program.
    pub worker_version: &'static str,
    /// The image that contains it, if known.
    #[serde(skip_serializing_if = "Image::is_unknown")]
    pub image: Image,
}

/// An image of the worker. All fields are absent outside of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Image {
    /// `RENDER_WORKER_VERSION`: the version it is published as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `RENDER_WORKER_REVISION`: the git commit it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// `RENDER_WORKER_BRANCH`: the git branch it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// `RENDER_WORKER_CREATED`: when it was built, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
}

impl Image {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl Provenance {
    /// Creates the origin of this program in `image`.
    pub fn new(image: Image) -> Self {
        Self { worker_version: env!("CARGO_PKG_VERSION"), image }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker_version, image: Image { version, revision, branch, created } } = self;
        write!(f, "render-worker {worker_version}")?;
        let fields =
            [("image", version), ("revision", revision), ("branch", branch), ("built", created)];
        let known: Vec<_> = fields
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)))
            .collect();
        if known.is_empty() { Ok(()) } else { write!(f, " ({})", known.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_left_out() {
        let version = env!("CARGO_PKG_VERSION");
        let bare = Provenance::new(Image::default());
        assert_eq!(bare.to_string(), format!("render-worker {version}"));
        assert_eq!(
            serde_json::to_value(&bare).unwrap(),
            serde_json::json!({"worker_version": version})
        );
        let image = Image {
            version: Some("0.1.57".to_owned()),
            revision: Some("1a2b3c".to_owned()),
            branch: None,
            created: Some("2026-11-21T10:00:00Z".to_owned()),
        };
        assert_eq!(
            Provenance::new(image).to_string(),
            format!(
                "render-worker {version} (image 0.1.57, revision 1a2b3c, built \
                 2026-11-21T10:00:00Z)"
            )
        );
    }
}
