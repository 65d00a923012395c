//! What the variables say.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::support::scene;

/// What is to be run, and how often.
pub struct Settings {
    /// How often each contender of a row is run and counted.
    pub rounds: usize,
    /// The scene of the rows that render.
    pub scene: PathBuf,
    /// Its resolution, in percent of what it says itself.
    pub percent: u32,
    /// Its samples.
    pub samples: u32,
    /// What the files with the results are called; none are written without a name.
    pub name: Option<String>,
    only: Vec<String>,
}

impl Settings {
    pub fn from_environment() -> Self {
        let only: Vec<_> = text("BENCH_ONLY").split_whitespace().map(str::to_owned).collect();
        let named = Some(text("BENCH_NAME")).filter(|name| !name.is_empty());
        // A part of the table does not take the place of the whole.
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

    /// Whether the row of this name is to be run.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// Names that no row has.
    pub fn unknown<'a>(&'a self, names: &[&str]) -> Vec<&'a str> {
        let only = self.only.iter().map(String::as_str);
        only.filter(|only| !names.contains(only)).collect()
    }

    /// How often the contenders of a row are run that takes minutes.
    pub fn few_rounds(&self) -> usize {
        self.rounds.div_ceil(2)
    }
}

/// The date, as in 2026-01-31.
fn today() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}

/// A variable; unset counts as empty.
fn text(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// A variable; empty counts as unset.
fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    match text(name).as_str() {
        "" => default,
        text => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    }
}
