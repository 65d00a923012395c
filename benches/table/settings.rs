//! The settings, from environment variables.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::support::scene;

/// Which rows run, on what, and how often.
pub struct Settings {
    /// The counted runs of each contender.
    pub rounds: usize,
    /// The scene of the rows that render.
    pub scene: PathBuf,
    /// The scene's resolution, in percent of its own.
    pub percent: u32,
    /// The scene's samples.
    pub samples: u32,
    /// The name of the result files; without a name none are written.
    pub name: Option<String>,
    only: Vec<String>,
}

impl Settings {
    pub fn from_environment() -> Self {
        let only: Vec<_> = text("BENCH_ONLY").split_whitespace().map(str::to_owned).collect();
        let named = Some(text("BENCH_NAME")).filter(|name| !name.is_empty());
        // Some rows alone must not replace the whole table.
        let name = named.or_else(|| only.is_empty().then(today));
        let path = text("BENCH_SCENE");
        Self {
            rounds: number("BENCH_ROUNDS", 5),
            scene: if path.is_empty() { scene("demo") } else { path.into() },
            percent: number("BENCH_PERCENT", 100),
            samples: number("BENCH_SAMPLES", 4),
            name,
            only,
        }
    }

    /// Returns whether the row with this name is to run.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Returns the names in `BENCH_ONLY` that no row has.
    pub fn unknown<'a>(&'a self, names: &[&str]) -> Vec<&'a str> {
        let only = self.only.iter().map(String::as_str);
        only.filter(|only| !names.contains(only)).collect()
    }

    /// The counted runs of each contender in rows that take minutes.
    pub fn few_rounds(&self) -> usize {
        self.rounds.div_ceil(2)
    }
}

/// Returns today's date, such as 2026-01-31.
fn today() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}

/// Reads a variable; unset counts as empty.
fn text(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Reads a number from a variable; empty counts as unset.
fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    match text(name).as_str() {
        "" => default,
        text => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    }
}
