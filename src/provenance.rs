//! What this worker and the image around it were built from.
//!
//! The program knows its own version. The rest is told by variables that the image
//! carries (see the Dockerfile), so that another revision, branch or build time is no
//! reason to compile anything again.

use std::fmt;

use serde::Serialize;

/// Where this worker comes from, for `--version`, the log's first line and the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The version of the program.
    pub worker_version: &'static str,
    /// The image around it, as far as it tells.
    #[serde(skip_serializing_if = "Image::is_unknown")]
    pub image: Image,
}

/// An image of the worker. All unset outside of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
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
    /// This program, in `image`.
    pub fn new(image: Image) -> Self {
        Self { worker_version: env!("CARGO_PKG_VERSION"), image }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker_version, image: Image { version, revision, branch, created } } = self;
        write!(f, "render-worker {worker_version}")?;
        let told = [("image", version), ("revision", revision), ("branch", branch)];
        let told = told.into_iter().chain([("built", created)]);
        let told = told.filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
        let told: Vec<_> = told.collect();
        if told.is_empty() { Ok(()) } else { write!(f, " ({})", told.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_told() {
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
                "render-worker {version} (image 0.1.57, revision 1a2b3c, built 2026-11-21T10:00:00Z)"
            )
        );
    }
}
