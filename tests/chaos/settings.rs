//! What the variables say.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::SystemTime;

/// How much is to be done.
pub struct Settings {
    pub seed: u64,
    /// How often each job is killed.
    pub kills: usize,
    /// The frames of a job.
    pub frames: i32,
    /// How many percent of the S3 requests go wrong where jobs are killed.
    pub faults: u8,
    /// Bytes a second that go out where the network is slow.
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

    /// The seed of one scenario: the same, whichever others are played.
    pub fn seed_of(&self, name: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, name).hash(&mut hasher);
        hasher.finish()
    }

    /// Whether the scenario of this name is to be played.
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

/// A variable; empty counts as unset.
fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    match std::env::var(name).unwrap_or_default().as_str() {
        "" => default,
        text => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    }
}
