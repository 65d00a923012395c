//! A value that was given as text, and why it is refused.

use thiserror::Error;

/// A value that is not of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{given}` is refused; give {wanted}")]
pub struct ValueError {
    /// What was given.
    pub given: String,
    /// What would be right, to follow "give".
    pub wanted: String,
}

impl ValueError {
    /// `given` was found where `wanted` is expected.
    pub fn new(given: &str, wanted: &str) -> Self {
        Self { given: given.to_owned(), wanted: wanted.to_owned() }
    }
}

/// A whole number of plain digits from `min` to `max`.
///
/// # Errors
/// If the text is anything else, or the number is out of range.
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
