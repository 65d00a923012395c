//! Which files of a folder do not travel: patterns of `--exclude` and of `.renderignore`.
//!
//! The patterns are a part of those of `.gitignore`: `*`, `?`, `[a-z]` and `**`, a slash at the
//! beginning or in the middle for paths from the project's folder on, a slash at the end for folders
//! only, and `!` for what is not left out after all. The last pattern that matches decides. Unlike in
//! Git, `{a,b}` stands for alternatives, and `!` also brings back files in a folder that is left out.

use fast_glob::glob_match;

use crate::request::ProjectPath;

/// The file with the patterns, in the folder of the project.
pub const IGNORE_FILE: &str = ".renderignore";

/// Patterns of files that do not travel.
#[derive(Clone, Debug, Default)]
pub struct Ignored {
    patterns: Vec<Pattern>,
}

/// A pattern.
#[derive(Clone, Debug)]
struct Pattern {
    /// What it matches, without the marks that the other fields stand for.
    glob: String,
    /// Whether it is a path from the project's folder on, and not a name in any folder.
    is_path: bool,
    /// Whether it matches folders only.
    is_folder: bool,
    /// Whether what it matches is left out. Otherwise it travels.
    excludes: bool,
}

impl Ignored {
    /// Adds the patterns of a file: one on each line. Lines that are empty or begin with `#` are
    /// skipped.
    pub fn add_lines(&mut self, text: &str) {
        for line in text.lines() {
            if !line.starts_with('#') {
                self.add(line.trim_end());
            }
        }
    }

    /// Adds a pattern.
    pub fn add(&mut self, text: &str) {
        let (excludes, text) = match text.strip_prefix('!') {
            Some(rest) => (false, rest),
            None => (true, text),
        };
        let (is_folder, text) = match text.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let is_path = text.contains('/');
        let glob = text.strip_prefix('/').unwrap_or(text).to_owned();
        if !glob.is_empty() {
            self.patterns.push(Pattern { glob, is_path, is_folder, excludes });
        }
    }

    /// Whether a file is left out.
    pub fn has(&self, file: &ProjectPath) -> bool {
        let last = self.patterns.iter().rev().find(|pattern| pattern.matches(file));
        last.is_some_and(|pattern| pattern.excludes)
    }
}

impl Pattern {
    /// Whether it matches a file, or a folder that the file is in.
    fn matches(&self, file: &ProjectPath) -> bool {
        (!self.is_folder && self.matches_path(file.as_str()))
            || file.folders().any(|folder| self.matches_path(folder))
    }

    fn matches_path(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        glob_match(&self.glob, if self.is_path { path } else { name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_that_matches_decides() {
        let table: [(&str, &[&str], &[&str]); 9] = [
            ("*.blend1", &["a.blend1", "x/y/a.blend1"], &["a.blend", "a.blend1.png"]),
            ("renders/", &["renders/1.png", "x/renders/a/2.png"], &["renders", "my renders/1"]),
            ("renders", &["renders", "x/renders/1.png"], &["renders2/1.png"]),
            ("/out", &["out", "out/1.png"], &["x/out/1.png"]),
            ("tex/*.psd", &["tex/a.psd"], &["tex/a/b.psd", "x/tex/a.psd"]),
            ("tex/**/*.psd", &["tex/a/b.psd", "tex/a/b/c.psd"], &["a.psd"]),
            ("# *\n\n*.tx?\n[ab].png", &["1.txt", "a.png"], &["c.png", "1.tx"]),
            ("*.png\n!keep.png", &["a.png"], &["keep.png", "x/keep.png"]),
            ("*.{psd,kra}\n\\!a", &["a.psd", "x/b.kra", "!a"], &["a"]),
        ];
        for (patterns, matched, others) in table {
            let mut ignored = Ignored::default();
            ignored.add_lines(patterns);
            for file in matched {
                assert!(ignored.has(&ProjectPath::new(file).unwrap()), "{patterns:?} {file}");
            }
            for file in others {
                assert!(!ignored.has(&ProjectPath::new(file).unwrap()), "{patterns:?} {file}");
            }
        }
        assert!(!Ignored::default().has(&ProjectPath::new("a").unwrap()));
    }
}
