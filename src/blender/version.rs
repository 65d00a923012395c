//! Asking Blender which one it is: `--version`.

use std::path::Path;
use std::process::Command;

/// Lines of an answer that are looked at; more make it none.
const LINES: usize = 64;

/// The command that asks, in the same environment as a launch. `home` is HOME and TMPDIR:
/// Blender 3.4 crashes without.
pub fn version_command(blender: &Path, home: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Command::new(blender);
    command
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", home)
        .env("TMPDIR", home)
        .arg("--version");
    command
}

/// What Blender says of itself: its version, and when and from what it was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionAnswer(Vec<String>);

impl VersionAnswer {
    /// Takes the next line. What else is printed, such as warnings with a time of day,
    /// says nothing of which Blender it is.
    pub fn push(&mut self, line: &str) {
        let line = line.trim();
        if (line.starts_with("Blender ") || line.starts_with("build ")) && self.0.len() <= LINES {
            self.0.push(line.to_owned());
        }
    }

    /// The answer in one line, if it is one.
    pub fn text(&self) -> Option<String> {
        let named = self.0.iter().any(|line| line.starts_with("Blender "));
        (named && self.0.len() <= LINES).then(|| self.0.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(text: &str) -> Option<String> {
        let mut answer = VersionAnswer::default();
        text.lines().for_each(|line| answer.push(line));
        answer.text()
    }

    #[test]
    fn version_and_build_are_kept_and_everything_else_is_not() {
        let said = "starting at 12:00\nBlender 4.3.2\n\tbuild date: 2024-12-17\n\tbuild hash: \
                    32f5fdce0a0a\nALSA: no cards\n";
        let kept = "Blender 4.3.2; build date: 2024-12-17; build hash: 32f5fdce0a0a";
        assert_eq!(answer(said).as_deref(), Some(kept));
        assert_eq!(answer("Blender 3.4.1\n").as_deref(), Some("Blender 3.4.1"));
    }

    #[test]
    fn what_names_no_version_is_no_answer() {
        assert_eq!(answer(""), None);
        assert_eq!(answer("build date: today\n"), None);
        assert_eq!(answer(&"Blender 3.4.1\n".repeat(100)), None);
    }
}
