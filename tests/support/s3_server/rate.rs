//! Faults at random: a share of all requests goes wrong, in all the ways there are.
//!
//! What happens to a request is a function of the seed and of what it asks for: its
//! operation, key, range or part, and how often that was asked before. So a seed gives
//! the same faults whenever the same things are asked for, in whatever order they arrive.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;

use super::faults::{Action, Place, Verdict};
use super::log::Request;
use super::operation::Operation;

/// How long a server hangs before it goes away without a word. One that hangs for ever is
/// for a test of its own: it takes as long as the client's patience.
const HANG: Duration = Duration::from_millis(300);

/// The longest pause before an answer that comes late.
const LATE: Duration = Duration::from_millis(300);

/// The share of the requests that go wrong; none to begin with.
#[derive(Default)]
pub struct FaultRate(Mutex<Option<Rate>>);

struct Rate {
    seed: u64,
    percent: u8,
    /// How often each thing was asked for.
    asked: HashMap<u64, u64>,
}

impl FaultRate {
    pub fn set(&self, seed: u64, percent: u8) {
        assert!(percent <= 100, "{percent} percent");
        *self.lock() = Some(Rate { seed, percent, asked: HashMap::new() });
    }

    pub fn clear(&self) {
        *self.lock() = None;
    }

    /// What happens to a request.
    pub fn judge(&self, request: &Request) -> Verdict {
        let mut rate = self.lock();
        let Some(rate) = rate.as_mut() else { return Verdict::default() };
        let mut hasher = DefaultHasher::new();
        (rate.seed, request.operation, &request.key).hash(&mut hasher);
        (request.range(), request.part_number()).hash(&mut hasher);
        let asked = rate.asked.entry(hasher.finish()).or_default();
        asked.hash(&mut hasher);
        *asked += 1;
        let mut dice = Rng::with_seed(hasher.finish());
        if dice.u8(..100) < rate.percent { fault(request, &mut dice) } else { Verdict::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Rate>> {
        self.0.lock().expect("the fault rate of the server")
    }
}

/// One of the ways in which a request can go wrong. Bits flip only in what a checksum
/// covers: of a listing none does, and only TLS protects it.
fn fault(request: &Request, dice: &mut Rng) -> Verdict {
    let is_upload = matches!(request.operation, Operation::PutObject | Operation::UploadPart);
    let is_download = matches!(request.operation, Operation::GetObject);
    let has_body = is_download || request.operation == Operation::ListObjectsV2;
    let place = Place::Share(dice.f64());
    let respond =
        |status, code: &str| Action::Respond { status, code: code.to_owned(), headers: Vec::new() };
    let ways = if is_upload || is_download {
        12
    } else if has_body {
        11
    } else {
        9
    };
    let now = |action| Verdict { delay: Duration::ZERO, action: Some(action) };
    match dice.u8(..ways) {
        0 => now(respond(500, "InternalError")),
        1 => now(respond(503, "ServiceUnavailable")),
        2 => now(respond(503, "SlowDown")),
        3 => now(respond(429, "TooManyRequests")),
        4 => now(Action::Reset),
        5 => now(Action::Close),
        6 => now(Action::ResetAfter),
        7 => Verdict { delay: LATE.mul_f64(dice.f64()), action: None },
        8 => Verdict { delay: HANG, action: Some(Action::Close) },
        9 | 10 if is_upload => now(Action::ResetUpload { after: place }),
        9 => now(Action::TruncateBody { after: place, hang: Duration::ZERO }),
        10 => now(Action::TruncateBody { after: place, hang: HANG }),
        _ if is_upload => now(Action::SpoilUpload { at: place }),
        _ => now(Action::FlipBit { at: place }),
    }
}
