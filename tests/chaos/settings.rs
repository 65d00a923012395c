//! The settings, from environment variables.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::SystemTime;

/// The extent of the test.
pub struct Settings {
    pub seed: u64,
    /// The number of kills in a scenario.
    pub kills: usize,
    /// The frames of a job.
    pub frames: i32,
    /// The percentage of failing S3 requests in scenarios with kills.
    pub faults: u8,
    /// The bandwidth of the slow network in bytes per second.
    pub speed: u32,
    /// Jobs with the real Blender.
    pub rounds: usize,
    only: Vec<String>,
}

impl Settings {
    pub fn from_environment() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
        let only = std::env::var("CHAOS_ONLY").unwrap_or_default();
        Self {
            seed: number("CHAOS_SEED", u64::from(now.subsec_nanos())),
            kills: number("CHAOS_KILLS", 100),
            frames: number("CHAOS_FRAMES", 200),
            faults: number("CHAOS_FAULTS", 10),
            speed: number("CHAOS_SPEED", 120_000),
            rounds: number("CHAOS_ROUNDS", 10),
            only: only.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// Returns the seed of a scenario, which does not depend on the others.
    pub fn seed_of(&self, name: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, name).hash(&mut hasher);
        hasher.finish()
    }

    /// Returns whether the scenario with this name is to run.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, frames, faults, speed, rounds, .. } = self;
        write!(
            f,
            "{frames} frames, {kills} kills, {faults} % faults, {speed} bytes a second, {rounds} \
             rounds with the real Blender"
        )
    }
}

/// Reads a number from a variable; empty counts as unset.
fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    match std::env::var(name).unwrap_or_default().as_str() {
        "" => default,
        text => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    }
}
