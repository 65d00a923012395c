//! Text from strangers that is shown to people: what process and log share.

/// The text without what would command a terminal or lie to its reader.
///
/// Replaced are control characters, line breaks and C1 (`U+0080` to `U+009F`) among them, but
/// for tabs; and what reorders or breaks a line where it is shown (the bidirectional
/// controls of <https://www.unicode.org/reports/tr9/> and the two separators), by which
/// `Saved:` can be made to look like something else. Other characters without a width stay:
/// they belong to names in many scripts, and hide nothing but themselves.
pub fn printable(text: &str) -> String {
    text.replace(|c: char| is_command(c) && c != '\t', "\u{fffd}")
}

fn is_command(c: char) -> bool {
    let reorders = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || reorders || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_or_reorders_is_replaced_and_the_rest_stays() {
        for command in
            ['\u{1b}', '\u{7}', '\u{7f}', '\u{9b}', '\n', '\u{202e}', '\u{2066}', '\u{2028}']
        {
            assert_eq!(printable(&format!("a{command}b")), "a\u{fffd}b", "{command:?}");
        }
        let names = "\tÜ ünï 日本 עברית نام\u{200c}ها 👩\u{200d}🚀";
        assert_eq!(printable(names), names);
    }
}
