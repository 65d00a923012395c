//! What bounds the transfers from and to S3.

use std::num::{NonZeroU32, NonZeroUsize};
use std::str::FromStr;

use crate::request::{ByteSize, ValueError};

/// Everything that bounds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfers {
    /// How often a request is tried, the first time included; `None` is a number that
    /// takes about a minute.
    pub attempts: Option<NonZeroU32>,
    /// How many are under way at once.
    pub at_once: TransfersAtOnce,
    /// How much of what goes out is in memory.
    pub upload_buffer: ByteSize,
    /// Whether we pay for what is asked of a bucket whose owner does not.
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

/// Who pays for requests to a bucket, if not its owner.
///
/// Text form: `requester`, as S3 has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPayer;

impl RequestPayer {
    /// The one there is.
    pub const REQUESTER: &str = "requester";
}

impl FromStr for RequestPayer {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        (text == Self::REQUESTER).then_some(Self).ok_or_else(|| ValueError::new(text, "requester"))
    }
}

/// How many transfers are under way at once: so many, or as many as make them faster.
///
/// Text form: 1 to 128, or `auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransfersAtOnce(Option<NonZeroUsize>);

impl TransfersAtOnce {
    const MAX: usize = 128;

    /// The number, if one is given.
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
    fn transfers_at_once_are_a_number_or_found_out() {
        for (text, number) in [("auto", None), ("1", Some(1)), ("128", Some(128))] {
            let at_once: TransfersAtOnce = text.parse().unwrap();
            assert_eq!(at_once.get().map(NonZeroUsize::get), number, "{text}");
        }
        for text in ["", "0", "129", "-1", "+1", "1.0", "AUTO"] {
            assert!(text.parse::<TransfersAtOnce>().is_err(), "{text}");
        }
    }
}
