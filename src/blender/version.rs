//! Blender's version and build, from `blender --version`.

use std::path::Path;
use std::process::Command;

/// The most lines that the output may have. Longer output is not that of a Blender.
const MAX_LINES: usize = 64;

/// Builds the command, with the same environment as a launch. `home` becomes HOME and TMPDIR:
/// Blender 3.4 crashes without a HOME.
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

/// The output of `blender --version`: the version, and when and from what Blender was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionOutput(Vec<String>);

impl VersionOutput {
    /// Adds the next line. Lines that do not identify this Blender are dropped, such as warnings
    /// with a time of day.
    pub fn push(&mut self, line: &str) {
        let line = line.trim();
        if (line.starts_with("Blender ") || line.starts_with("build ")) && self.0.len() <= MAX_LINES
        {
            self.0.push(line.to_owned());
        }
    }

    /// The output in one line; `None` if it names no version or is too long.
    pub fn text(&self) -> Option<String> {
        let named = self.0.iter().any(|line| line.starts_with("Blender "));
        (named && self.0.len() <= MAX_LINES).then(|| self.0.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<String> {
        let mut output = VersionOutput::default();
        text.lines().for_each(|line| output.push(line));
        output.text()
    }

    #[test]
    fn only_version_and_build_are_kept() {
        let output = "starting at 12:00\nBlender 4.3.2\n\tbuild date: 2024-12-17\n\tbuild hash: \
                    32f5fdce0a0a\nALSA: no cards\n";
        let kept = "Blender 4.3.2; build date: 2024-12-17; build hash: 32f5fdce0a0a";
        assert_eq!(parse(output).as_deref(), Some(kept));
        assert_eq!(parse("Blender 3.4.1\n").as_deref(), Some("Blender 3.4.1"));
    }

    #[test]
    fn output_without_a_version_and_endless_output_are_rejected() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("build date: today\n"), None);
        assert_eq!(parse(&"Blender 3.4.1\n".repeat(100)), None);
    }
}
