//! Detects small placeholder files in the place of scenes and frames.

use std::fmt;

/// A small text file that was stored instead of the real file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// A pointer of Git Large File Storage.
    GitLfs,
    /// A pointer of git-annex.
    GitAnnex,
    /// The response of a web server, such as an error page.
    WebPage,
}

impl Placeholder {
    /// The number of bytes at the start of a file that are enough to detect one.
    pub const ENOUGH: usize = 32;

    /// Detects the placeholder that begins with `start`.
    pub fn of(start: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(start.get(..Self::ENOUGH).unwrap_or(start));
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).to_lowercase();
        let starts_with =
            |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
        if starts_with(&["version https://git-lfs"]) {
            Some(Self::GitLfs)
        } else if starts_with(&["/annex/objects/"]) {
            Some(Self::GitAnnex)
        } else if starts_with(&["<!doctype html", "<html", "<?xml"]) {
            Some(Self::WebPage)
        } else {
            None
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitLfs => "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`",
            Self::GitAnnex => {
                "a git-annex pointer, not the file itself: fetch it with `git annex get`"
            }
            Self::WebPage => "a web page or an XML document, as servers send in place of a file",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_detected_by_their_beginning() {
        use Placeholder::{GitAnnex, GitLfs, WebPage};
        for (start, expected) in [
            ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", Some(GitLfs)),
            ("/annex/objects/SHA256E-s1048576--4d7a.blend\n", Some(GitAnnex)),
            ("<!DOCTYPE html>\n<html>", Some(WebPage)),
            ("\n<HTML>", Some(WebPage)),
            ("\u{feff}<?xml version=\"1.0\"?><Error>", Some(WebPage)),
            ("version 2", None),
            ("BLENDER-v300", None),
            ("", None),
        ] {
            assert_eq!(Placeholder::of(start.as_bytes()), expected, "{start:?}");
        }
        assert_eq!(Placeholder::of(b"\x89PNG\r\n\x1a\n"), None);
    }
}
