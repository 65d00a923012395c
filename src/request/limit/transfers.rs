//! Limits and settings of transfers from and to S3.

use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;

use crate::request::{ByteSize, ValueError};

/// The settings of transfers from and to S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfers {
    /// How often a request is tried, including the first time. `None` stands for as many tries as
    /// take about a minute.
    pub attempts: Option<NonZeroU32>,
    /// The concurrency of transfers.
    pub at_once: TransfersAtOnce,
    /// The most memory for data that is being uploaded.
    pub upload_buffer: ByteSize,
    /// Whether we pay for requests to requester-pays buckets.
    pub requester_pays: bool,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            attempts: None,
            at_once: TransfersAtOnce::default(),
            upload_buffer: ByteSize::mib(32),
            requester_pays: false,
        }
    }
}

/// The payer of requests to a bucket, if it is not the bucket's owner.
///
/// Text form: `requester`, the only value that S3 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPayer;

impl RequestPayer {
    /// The text form.
    pub const REQUESTER: &str = "requester";
}

impl FromStr for RequestPayer {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        (text == Self::REQUESTER).then_some(Self).ok_or_else(|| ValueError::new(text, "requester"))
    }
}

/// The concurrency of transfers: a fixed number, or one that adapts to the throughput.
///
/// Text form: 1 to 128, or `auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransfersAtOnce(Option<NonZeroUsize>);

impl TransfersAtOnce {
    const MAX: usize = 128;

    /// The fixed number; `None` for `auto`.
    pub fn get(self) -> Option<NonZeroUsize> {
        self.0
    }
}

impl FromStr for TransfersAtOnce {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self(None));
        }
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number: Option<NonZeroUsize> = text.parse().ok().filter(|_| digits);
        number
            .filter(|number| number.get() <= Self::MAX)
            .map(|number| Self(Some(number)))
            .ok_or_else(|| ValueError::new(text, "a number from 1 to 128, or auto"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_at_once_are_a_number_or_auto() {
        for (text, number) in [("auto", None), ("1", Some(1)), ("128", Some(128))] {
            let at_once: TransfersAtOnce = text.parse().unwrap();
            assert_eq!(at_once.get().map(NonZeroUsize::get), number, "{text}");
        }
        for text in ["", "0", "129", "-1", "+1", "1.0", "AUTO"] {
            assert!(text.parse::<TransfersAtOnce>().is_err(), "{text}");
        }
    }
}
