//! The query of an address: words and values, such as `?download&of=7`.

/// Whether it has this word.
pub fn has(query: Option<&str>, word: &str) -> bool {
    query.is_some_and(|query| query.split('&').any(|part| part == word))
}

/// The value of a name, as it is written.
pub fn value<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_values_are_found_by_their_whole_names() {
        let query = Some("download&of=7&empty=");
        assert!(has(query, "download") && !has(query, "down") && !has(query, "of"));
        assert_eq!(value(query, "of"), Some("7"));
        assert_eq!(value(query, "empty"), Some(""));
        assert_eq!(value(query, "o"), None);
        assert!(!has(None, "download") && value(None, "of").is_none());
    }
}
