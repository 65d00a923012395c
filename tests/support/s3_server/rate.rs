//! Faults at random: a percentage of all requests fails, in every way that a fault can have.
//!
//! The fault of a request is a function of the seed and of the request: its operation, key, range
//! or part, and the number of earlier requests that were equal. So a seed gives the same faults for
//! the same requests, in whatever order they arrive.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;

use super::faults::{Action, Position, Verdict};
use super::log::Request;
use super::operation::Operation;

/// How long a server hangs before it closes the connection. A server that hangs for ever is for
/// tests of its own: it costs the client's whole timeout.
const HANG: Duration = Duration::from_millis(300);

/// The longest delay of a late response.
const LATE: Duration = Duration::from_millis(300);

/// The percentage of requests that fail; 0 at first.
#[derive(Default)]
pub struct FaultRate(Mutex<Option<Rate>>);

struct Rate {
    seed: u64,
    percent: u8,
    /// The number of requests by hash.
    counts: HashMap<u64, u64>,
}

impl FaultRate {
    pub fn set(&self, seed: u64, percent: u8) {
        assert!(percent <= 100, "{percent} percent");
        *self.lock() = Some(Rate { seed, percent, counts: HashMap::new() });
    }

    pub fn clear(&self) {
        *self.lock() = None;
    }

    /// Decides what happens to a request.
    pub fn judge(&self, request: &Request) -> Verdict {
        let mut rate = self.lock();
        let Some(rate) = rate.as_mut() else { return Verdict::default() };
        let mut hasher = DefaultHasher::new();
        (rate.seed, request.operation, &request.key).hash(&mut hasher);
        (request.range(), request.part_number()).hash(&mut hasher);
        let count = rate.counts.entry(hasher.finish()).or_default();
        count.hash(&mut hasher);
        *count += 1;
        let mut rng = Rng::with_seed(hasher.finish());
        if rng.u8(..100) < rate.percent { fault(request, &mut rng) } else { Verdict::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Rate>> {
        self.0.lock().expect("the fault rate of the server")
    }
}

/// Chooses a fault. Bits flip only in data with a checksum: a listing has none, and only TLS
/// protects it.
fn fault(request: &Request, rng: &mut Rng) -> Verdict {
    let is_upload = matches!(request.operation, Operation::PutObject | Operation::UploadPart);
    let is_download = matches!(request.operation, Operation::GetObject);
    let has_body = is_download || request.operation == Operation::ListObjectsV2;
    let position = Position::Fraction(rng.f64());
    let respond =
        |status, code: &str| Action::Respond { status, code: code.to_owned(), headers: Vec::new() };
    let kinds = if is_upload || is_download {
        12
    } else if has_body {
        11
    } else {
        9
    };
    let now = |action| Verdict { action: Some(action), ..Verdict::default() };
    match rng.u8(..kinds) {
        0 => now(respond(500, "InternalError")),
        1 => now(respond(503, "ServiceUnavailable")),
        2 => now(respond(503, "SlowDown")),
        3 => now(respond(429, "TooManyRequests")),
        4 => now(Action::Reset),
        5 => now(Action::Close),
        6 => now(Action::ResetAfter),
        7 => Verdict { delay: LATE.mul_f64(rng.f64()), ..Verdict::default() },
        8 => Verdict { delay: HANG, ..now(Action::Close) },
        9 | 10 if is_upload => now(Action::ResetUpload { after: position }),
        9 => now(Action::TruncateBody { after: position, hang: Duration::ZERO }),
        10 => now(Action::TruncateBody { after: position, hang: HANG }),
        _ if is_upload => now(Action::CorruptUpload { at: position }),
        _ => now(Action::FlipBit { at: position }),
    }
}
