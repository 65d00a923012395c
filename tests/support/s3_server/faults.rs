//! Rules that inject faults.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;

use super::log::Request;
use super::operation::Operation;

/// A rule: the requests that it applies to, how many of them, and its effect.
///
/// ```ignore
/// server.inject(Fault::on(Operation::PutObject).key("0003.png").times(2).respond(503, "SlowDown"));
/// ```
pub struct Fault {
    requests: Requests,
    effect: Effect,
    /// The number of requests that it has matched, including skipped ones.
    matched: usize,
}

/// The requests that a rule applies to.
#[must_use = "a rule needs an effect, such as `respond`"]
pub struct Requests {
    conditions: Vec<Condition>,
    skip: usize,
    times: usize,
}

type Condition = Box<dyn Fn(&Request) -> bool + Send>;

impl Fault {
    /// A rule for one operation.
    pub fn on(operation: Operation) -> Requests {
        Self::on_any().when(move |request| request.operation == operation)
    }

    /// A rule for every request.
    pub fn on_any() -> Requests {
        Requests { conditions: Vec::new(), skip: 0, times: usize::MAX }
    }

    /// Returns whether this rule acts on a request, and counts the request.
    fn acts_on(&mut self, request: &Request) -> bool {
        let Requests { conditions, skip, times } = &self.requests;
        if !conditions.iter().all(|holds| holds(request)) {
            return false;
        }
        let before = self.matched;
        self.matched += 1;
        before >= *skip && before - skip < *times
    }
}

impl Requests {
    /// Only requests with a key that contains `part`.
    pub fn key(self, part: &str) -> Self {
        let part = part.to_owned();
        self.when(move |request| request.key.contains(&part))
    }

    /// Only requests that satisfy `condition`.
    pub fn when(mut self, condition: impl Fn(&Request) -> bool + Send + 'static) -> Self {
        self.conditions.push(Box::new(condition));
        self
    }

    /// Skips the first `count` of these requests.
    pub fn skip(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// At most `count` of these requests, after the skipped ones.
    pub fn times(mut self, count: usize) -> Self {
        self.times = count;
        self
    }

    /// Responds with an error; the operation is not performed.
    pub fn respond(self, status: u16, code: &str) -> Fault {
        self.respond_with(status, code, &[])
    }

    /// Responds with an error and headers, such as `retry-after`; the operation is not performed.
    pub fn respond_with(self, status: u16, code: &str, headers: &[(&str, &str)]) -> Fault {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.act(Action::Respond {
            status,
            code: code.to_owned(),
            headers: headers.iter().map(owned).collect(),
        })
    }

    /// Responds with status 200 and an error in the body, as `CompleteMultipartUpload` may; the
    /// operation is not performed.
    pub fn error_in_ok_body(self, code: &str) -> Fault {
        self.respond(200, code)
    }

    /// Resets the connection (RST) after the head of the request.
    pub fn reset(self) -> Fault {
        self.act(Action::Reset)
    }

    /// Closes the connection (FIN) after the request, without a response; the operation is not
    /// performed.
    pub fn close(self) -> Fault {
        self.act(Action::Close)
    }

    /// Performs the operation, and closes the connection (FIN) without a response.
    pub fn lose_response(self) -> Fault {
        self.act(Action::LoseResponse)
    }

    /// Performs the operation, and resets the connection (RST) without a response.
    pub fn reset_after(self) -> Fault {
        self.act(Action::ResetAfter)
    }

    /// Resets the connection (RST) after `after` bytes of the request body; the operation is not
    /// performed.
    pub fn reset_upload(self, after: usize) -> Fault {
        self.act(Action::ResetUpload { after: Position::Byte(after) })
    }

    /// Stops reading after `after` bytes of the request body, until the client closes the
    /// connection.
    pub fn stall_upload(self, after: usize) -> Fault {
        self.act(Action::StallUpload { after })
    }

    /// Flips one bit in the byte at `at` of the request body.
    pub fn corrupt_upload(self, at: usize) -> Fault {
        self.act(Action::CorruptUpload { at: Position::Byte(at) })
    }

    /// Closes the connection (FIN) after `after` bytes of the response body.
    pub fn truncate_body(self, after: usize) -> Fault {
        self.act(Action::TruncateBody { after: Position::Byte(after), hang: Duration::ZERO })
    }

    /// Flips one bit in the byte at `at` of the response body.
    pub fn flip_bit(self, at: usize) -> Fault {
        self.act(Action::FlipBit { at: Position::Byte(at) })
    }

    /// Sends no response until the client closes the connection.
    pub fn stall(self) -> Fault {
        self.act(Action::Stall)
    }

    /// Sends the head of the response and `after` bytes of its body, then nothing until the client
    /// closes the connection.
    pub fn stall_body(self, after: usize) -> Fault {
        self.act(Action::StallBody { after })
    }

    /// Sends the response body slowly.
    pub fn drip_body(self, bytes_per_second: u32) -> Fault {
        self.act(Action::DripBody { bytes_per_second })
    }

    /// Delays the request. Later rules still apply.
    pub fn delay(self, delay: Duration) -> Fault {
        self.effect(Effect::Delay(delay))
    }

    /// Holds the request back until the gate is opened. Later rules still apply.
    pub fn hold(self, gate: &Gate) -> Fault {
        self.effect(Effect::Hold(gate.clone()))
    }

    /// An effect after which no later rule applies.
    fn act(self, action: Action) -> Fault {
        self.effect(Effect::Act(action))
    }

    fn effect(self, effect: Effect) -> Fault {
        Fault { requests: self, effect, matched: 0 }
    }
}

/// Holds requests back until a test opens it. Clones are the same gate.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// Releases all requests that are held back, and those to come.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the gate is open.
    pub async fn wait(&self) {
        let open = self.0.subscribe().wait_for(|open| *open).await.is_ok();
        assert!(open, "the gate outlives those who wait");
    }
}

enum Effect {
    Delay(Duration),
    Hold(Gate),
    Act(Action),
}

/// A fault; see the methods of [`Requests`].
#[derive(Clone, Debug)]
pub enum Action {
    Respond {
        status: u16,
        code: String,
        headers: Vec<(String, String)>,
    },
    Reset,
    Close,
    LoseResponse,
    ResetAfter,
    ResetUpload {
        after: Position,
    },
    StallUpload {
        after: usize,
    },
    CorruptUpload {
        at: Position,
    },
    TruncateBody {
        after: Position,
        /// The pause before the connection is closed.
        hang: Duration,
    },
    FlipBit {
        at: Position,
    },
    Stall,
    StallBody {
        after: usize,
    },
    DripBody {
        bytes_per_second: u32,
    },
}

/// The position of a byte in a body.
#[derive(Clone, Copy, Debug)]
pub enum Position {
    /// The index of the byte.
    Byte(usize),
    /// The position as a fraction of the length, from 0 to 1.
    Fraction(f64),
}

impl Position {
    /// Returns the index of the byte in a body of `length` bytes.
    pub fn index(self, length: usize) -> usize {
        match self {
            Self::Byte(index) => index,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a fraction of a length is a valid index"
            )]
            Self::Fraction(fraction) => (length as f64 * fraction) as usize,
        }
    }
}

/// Everything that the rules do to one request.
#[derive(Default)]
pub struct Verdict {
    pub delay: Duration,
    pub gates: Vec<Gate>,
    pub action: Option<Action>,
}

impl Verdict {
    /// Returns whether the request is served as usual.
    pub fn is_nothing(&self) -> bool {
        self.action.is_none() && self.gates.is_empty() && self.delay.is_zero()
    }
}

/// The rules of one server, in the order in which they were added.
#[derive(Default)]
pub struct Rules(Mutex<Vec<Fault>>);

impl Rules {
    pub fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Applies the rules to a request. The first one with an action is the last one to apply.
    pub fn judge(&self, request: &Request) -> Verdict {
        let mut verdict = Verdict::default();
        for fault in self.lock().iter_mut() {
            if !fault.acts_on(request) {
                continue;
            }
            match &fault.effect {
                Effect::Delay(delay) => verdict.delay += *delay,
                Effect::Hold(gate) => verdict.gates.push(gate.clone()),
                Effect::Act(action) => {
                    verdict.action = Some(action.clone());
                    break;
                }
            }
        }
        verdict
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().expect("the rules of the server")
    }
}
