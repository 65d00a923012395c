//! What lies in the place of a file that never arrived: what blender and image share.

use std::fmt;

/// A small text instead of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// What Git has of a file that is in large file storage.
    GitLfs,
    /// What git-annex has of a file that is elsewhere.
    GitAnnex,
    /// The answer of a web server that had something else to say.
    WebPage,
}

impl Placeholder {
    /// As many bytes of a file as are enough to know one.
    pub const ENOUGH: usize = 32;

    /// What a file is that begins like this.
    pub fn of(start: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(start.get(..Self::ENOUGH).unwrap_or(start));
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).to_lowercase();
        let begins = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
        if begins(&["version https://git-lfs"]) {
            Some(Self::GitLfs)
        } else if begins(&["/annex/objects/"]) {
            Some(Self::GitAnnex)
        } else if begins(&["<!doctype html", "<html", "<?xml"]) {
            Some(Self::WebPage)
        } else {
            None
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitLfs => {
                "a Git LFS pointer and not the file itself, which `git lfs pull` fetches"
            }
            Self::GitAnnex => {
                "a git-annex pointer and not the file itself, which `git annex get` fetches"
            }
            Self::WebPage => "a web page or an XML text, as servers answer instead of a file",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_known_by_their_beginning() {
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
