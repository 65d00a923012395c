//! What a usage error says beyond the error itself.

use clap::Error;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The value of `--log-format` in a command line that may be wrong elsewhere.
pub(super) fn log_format<'a>(words: &[&'a str]) -> Option<&'a str> {
    const FLAG: &str = "--log-format";

    let position = words.iter().position(|word| word.starts_with(FLAG))?;
    let rest = words.get(position)?.strip_prefix(FLAG)?;
    match rest.strip_prefix('=') {
        Some(value) => Some(value),
        None => words.get(position + 1).copied(),
    }
}

/// Where to read on, for an error in the flags of a subcommand.
pub(super) fn help(subcommand: &str) -> String {
    // It may itself be a parameter without a value.
    let subcommand = if subcommand.starts_with("Ref::") { "" } else { subcommand };
    let words = ["render-worker", subcommand, "--help"];
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    format!("For more information, try '{}'.", words.join(" "))
}

/// Adds a tip to an error about a scene or folder that was given without its flag.
pub(super) fn add(error: &mut Error, subcommand: &str) {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let tip = if let Some(scene) = text(ContextKind::InvalidSubcommand) {
        let word = shell_words::quote(scene);
        is_scene(scene)
            .then(|| format!("a scene is rendered with: render-worker run -i {word} -o out"))
    } else if error.kind() == ErrorKind::UnknownArgument
        && !["serve", "status", "completions", "man", "schema"].contains(&subcommand)
    {
        let word = text(ContextKind::InvalidArg).filter(|word| !word.starts_with('-'));
        word.map(|word| {
            let what = if is_scene(word) { "a scene" } else { "the input" };
            format!("{what} is given with -i: -i {}", shell_words::quote(word))
        })
    } else {
        None
    };
    if let Some(tip) = tip {
        let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        _ = error.insert(ContextKind::Suggested, tips);
    }
}

fn is_scene(word: &str) -> bool {
    std::path::Path::new(word).extension().is_some_and(|end| end.eq_ignore_ascii_case("blend"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_format_is_found_in_any_command_line() {
        for (words, format) in [
            ("render-worker x --log-format json --nonsense", Some("json")),
            ("render-worker --log-format=text", Some("text")),
            ("render-worker render --log-format", None),
            ("render-worker render --log-level debug", None),
        ] {
            let words: Vec<_> = words.split(' ').collect();
            assert_eq!(log_format(&words), format, "{words:?}");
        }
    }
}
