//! What goes wrong, and for which requests.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::log::Request;
use super::operation::Operation;

/// A rule for requests: which ones, how many of them, and what happens.
///
/// ```ignore
/// server.inject(Fault::on(Operation::PutObject).key("0003.png").times(2).respond(503, "SlowDown"));
/// ```
pub struct Fault {
    requests: Requests,
    effect: Effect,
    /// How many requests this rule was asked about that it is for.
    seen: usize,
}

/// The requests that a rule is for: to begin with, all that fit.
#[must_use = "a rule needs an effect, like `respond`"]
pub struct Requests {
    conditions: Vec<Condition>,
    skip: usize,
    times: usize,
}

type Condition = Box<dyn Fn(&Request) -> bool + Send>;

impl Fault {
    /// A rule for requests of one operation.
    pub fn on(operation: Operation) -> Requests {
        Self::on_any().when(move |request| request.operation == operation)
    }

    /// A rule for every request.
    pub fn on_any() -> Requests {
        Requests { conditions: Vec::new(), skip: 0, times: usize::MAX }
    }

    /// Whether this rule acts on a request, which it then has been asked about.
    fn acts_on(&mut self, request: &Request) -> bool {
        let Requests { conditions, skip, times } = &self.requests;
        if !conditions.iter().all(|holds| holds(request)) {
            return false;
        }
        let before = self.seen;
        self.seen += 1;
        before >= *skip && before - skip < *times
    }
}

impl Requests {
    /// Only requests whose key contains `part`.
    pub fn key(self, part: &str) -> Self {
        let part = part.to_owned();
        self.when(move |request| request.key.contains(&part))
    }

    /// Only requests for which `condition` holds.
    pub fn when(mut self, condition: impl Fn(&Request) -> bool + Send + 'static) -> Self {
        self.conditions.push(Box::new(condition));
        self
    }

    /// Not the first `count` of these requests.
    pub fn skip(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// No more than `count` of these requests, after those that are skipped.
    pub fn times(mut self, count: usize) -> Self {
        self.times = count;
        self
    }

    /// An error answer instead of the operation.
    pub fn respond(self, status: u16, code: &str) -> Fault {
        self.respond_with(status, code, &[])
    }

    /// An error answer with headers, like `retry-after`, instead of the operation.
    pub fn respond_with(self, status: u16, code: &str, headers: &[(&str, &str)]) -> Fault {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.act(Action::Respond {
            status,
            code: code.to_owned(),
            headers: headers.iter().map(owned).collect(),
        })
    }

    /// Status 200 with an error in the body instead of the operation, as
    /// `CompleteMultipartUpload` can answer.
    pub fn error_in_ok_body(self, code: &str) -> Fault {
        self.respond(200, code)
    }

    /// The connection is reset (RST) when the head of the request has arrived.
    pub fn reset(self) -> Fault {
        self.act(Action::Reset)
    }

    /// The connection is closed (FIN) without an answer when the request has
    /// arrived; the operation is not done.
    pub fn close(self) -> Fault {
        self.act(Action::Close)
    }

    /// The operation is done, but the connection is closed without an answer.
    pub fn lose_answer(self) -> Fault {
        self.act(Action::LoseAnswer)
    }

    /// The operation is done, but the connection is reset (RST) without an answer.
    pub fn reset_after(self) -> Fault {
        self.act(Action::ResetAfter)
    }

    /// The connection is reset (RST) when `after` bytes of the request's body have
    /// arrived; the operation is not done.
    pub fn reset_upload(self, after: usize) -> Fault {
        self.act(Action::ResetUpload { after: Place::At(after) })
    }

    /// After `after` bytes of the request's body nothing more is read, until the client
    /// goes away.
    pub fn stall_upload(self, after: usize) -> Fault {
        self.act(Action::StallUpload { after })
    }

    /// The request arrives with one wrong bit in the byte at `at` of its body.
    pub fn spoil_upload(self, at: usize) -> Fault {
        self.act(Action::SpoilUpload { at: Place::At(at) })
    }

    /// The true answer, but the connection is closed after `after` bytes of
    /// its body.
    pub fn truncate_body(self, after: usize) -> Fault {
        self.act(Action::TruncateBody { after: Place::At(after), hang: Duration::ZERO })
    }

    /// The true answer, with one wrong bit in the byte at `at` of its body.
    pub fn flip_bit(self, at: usize) -> Fault {
        self.act(Action::FlipBit { at: Place::At(at) })
    }

    /// No answer, until the client goes away.
    pub fn stall(self) -> Fault {
        self.act(Action::Stall)
    }

    /// The head of the true answer and `after` bytes of its body, then nothing
    /// until the client goes away.
    pub fn stall_body(self, after: usize) -> Fault {
        self.act(Action::StallBody { after })
    }

    /// The true answer, slowly.
    pub fn drip_body(self, bytes_per_second: u32) -> Fault {
        self.act(Action::DripBody { bytes_per_second })
    }

    /// A pause before whatever else happens: later rules are still consulted.
    pub fn delay(self, pause: Duration) -> Fault {
        self.effect(Effect::Delay(pause))
    }

    /// An effect that ends the search for a rule.
    fn act(self, action: Action) -> Fault {
        self.effect(Effect::Act(action))
    }

    fn effect(self, effect: Effect) -> Fault {
        Fault { requests: self, effect, seen: 0 }
    }
}

enum Effect {
    Delay(Duration),
    Act(Action),
}

/// What happens to a request; the methods of [`Requests`] say more.
#[derive(Clone, Debug)]
pub enum Action {
    Respond {
        status: u16,
        code: String,
        headers: Vec<(String, String)>,
    },
    Reset,
    Close,
    LoseAnswer,
    ResetAfter,
    ResetUpload {
        after: Place,
    },
    StallUpload {
        after: usize,
    },
    SpoilUpload {
        at: Place,
    },
    /// With so long a pause before the connection is closed.
    TruncateBody {
        after: Place,
        hang: Duration,
    },
    FlipBit {
        at: Place,
    },
    Stall,
    StallBody {
        after: usize,
    },
    DripBody {
        bytes_per_second: u32,
    },
}

/// A byte of a body.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// The one with this index.
    At(usize),
    /// The one at this share of its length, of 0 to 1.
    Share(f64),
}

impl Place {
    /// The index of the byte in a body of `length` bytes.
    pub fn index(self, length: usize) -> usize {
        match self {
            Self::At(index) => index,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss,
                reason = "a share of a length is one"
            )]
            Self::Share(share) => (length as f64 * share) as usize,
        }
    }
}

/// What the rules say about one request.
#[derive(Default)]
pub struct Verdict {
    pub delay: Duration,
    pub action: Option<Action>,
}

impl Verdict {
    /// Whether all is well.
    pub fn is_nothing(&self) -> bool {
        self.action.is_none() && self.delay.is_zero()
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

    /// Asks the rules about a request. The first one that acts decides.
    pub fn judge(&self, request: &Request) -> Verdict {
        let mut verdict = Verdict::default();
        for fault in self.lock().iter_mut() {
            if !fault.acts_on(request) {
                continue;
            }
            match &fault.effect {
                Effect::Delay(pause) => verdict.delay += *pause,
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
