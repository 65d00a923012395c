//! Values given as text, and the error of an invalid one.

use thiserror::Error;

/// The error of an invalid value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{given}` is refused; give {wanted}")]
pub struct ValueError {
    /// The text that was given.
    pub given: String,
    /// A description of valid values, to follow "give".
    pub wanted: String,
}

impl ValueError {
    /// The error of `given`, where `wanted` describes valid values.
    pub fn new(given: &str, wanted: &str) -> Self {
        Self { given: given.to_owned(), wanted: wanted.to_owned() }
    }
}

/// Parses a whole number from `min` to `max`, written in plain digits.
///
/// # Errors
/// [`ValueError`], if the text is anything else or the number is out of range.
pub fn whole_number(text: &str, min: u32, max: u32) -> Result<u32, ValueError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|n| digits && (min..=max).contains(n));
    number.ok_or_else(|| ValueError::new(text, &format!("a whole number from {min} to {max}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_digits_in_range() {
        assert_eq!(whole_number("1", 1, 9), Ok(1));
        assert_eq!(whole_number("009", 1, 9), Ok(9));
        for bad in ["", "0", "10", "+1", "-1", "1.0", "1e3", " 1", "\u{661}", "99999999999999"] {
            assert!(whole_number(bad, 1, 9).is_err(), "{bad}");
        }
    }
}
