//! Makes untrusted text safe to show.

/// Replaces characters that would control a terminal or mislead a reader by U+FFFD.
///
/// These are:
/// - control characters, with line breaks and C1 (`U+0080` to `U+009F`), but not tabs;
/// - the bidirectional controls of <https://www.unicode.org/reports/tr9/> and the line and
///   paragraph separators, which can make `Saved:` look like something else.
///
/// Other characters without a width stay: names in many scripts need them.
pub fn printable(text: &str) -> String {
    text.replace(|c: char| is_unsafe(c) && c != '\t', "\u{fffd}")
}

fn is_unsafe(c: char) -> bool {
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
    fn control_characters_are_replaced_and_others_stay() {
        for control in
            ['\u{1b}', '\u{7}', '\u{7f}', '\u{9b}', '\n', '\u{202e}', '\u{2066}', '\u{2028}']
        {
            assert_eq!(printable(&format!("a{control}b")), "a\u{fffd}b", "{control:?}");
        }
        let names = "\tÜ ünï 日本 עברית نام\u{200c}ها 👩\u{200d}🚀";
        assert_eq!(printable(names), names);
    }
}
