//! Formats an error with its causes.

use std::error::Error;

/// Formats an error and its causes in one line, without repetitions.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_cause_that_the_error_already_quotes_is_not_repeated() {
        let cause = || io::Error::other("the disk is full");
        let quoting = io::Error::other(Quoting("cannot write: the disk is full", cause()));
        assert_eq!(chain(&quoting), "cannot write: the disk is full");
        let silent = io::Error::other(Quoting("cannot write", cause()));
        assert_eq!(chain(&silent), "cannot write: the disk is full");
    }

    #[derive(Debug)]
    struct Quoting(&'static str, io::Error);

    impl std::fmt::Display for Quoting {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Quoting {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }
}
