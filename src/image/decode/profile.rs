//! The names of colour profiles (ICC.1, "Image technology colour management").

/// The length of the header. A table of tags follows.
const HEADER: usize = 128;

/// The longest name that is kept, in characters.
const LONGEST: usize = 60;

/// Small profiles of sRGB that web sites put into pictures.
const ALSO_SRGB: [&str; 2] = ["c2", "uRGB"];

/// The name of a profile for other colours than those of sRGB; `None` for sRGB. `profile` may be cut
/// short.
pub(super) fn other_than_srgb(profile: &[u8]) -> Option<String> {
    let name = description(profile).unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    let name = name.trim();
    let is_srgb = name.to_ascii_lowercase().contains("srgb") || ALSO_SRGB.contains(&name);
    let name = if name.is_empty() { "(unnamed)" } else { name };
    (!is_srgb).then(|| name.to_owned())
}

/// The tag `desc`: a `textDescriptionType` (version 2) or a `multiLocalizedUnicodeType` (version 4).
fn description(profile: &[u8]) -> Option<String> {
    let count = number(profile, HEADER)?;
    let (tags, _) = profile.get(HEADER + 4..)?.as_chunks::<12>();
    let tag = tags.iter().take(count).find(|tag| tag.starts_with(b"desc"))?;
    let text = profile.get(number(tag, 4)?..)?;
    if text.starts_with(b"mluc") {
        // The first language.
        let (length, at) = (number(text, 20)?, number(text, 24)?);
        let (units, _) = text.get(at..)?.get(..length)?.as_chunks::<2>();
        let units: Vec<_> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
        return Some(String::from_utf16_lossy(&units));
    }
    let ascii = text.get(12..)?.get(..number(text, 8)?)?;
    Some(String::from_utf8_lossy(ascii).into_owned())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let number = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_be_bytes(*number)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A profile with one tag, whose text is encoded as in a version of ICC.
    fn profile(name: &str, version: u8) -> Vec<u8> {
        let length = |count: usize| u32::try_from(count).unwrap().to_be_bytes();
        let text = if version == 4 {
            let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let head =
                [&b"mluc\0\0\0\0"[..], &length(1), &length(12), b"enUS", &length(units.len())];
            [&head.concat()[..], &length(28), &units].concat()
        } else {
            [&b"desc\0\0\0\0"[..], &length(name.len() + 1), name.as_bytes(), b"\0"].concat()
        };
        let table = [&length(1)[..], b"desc", &length(HEADER + 16), &length(text.len())].concat();
        [&[0; HEADER][..], &table, &text].concat()
    }

    #[test]
    fn profiles_for_other_colours_than_those_of_srgb_are_named() {
        for version in [2, 4] {
            let name = |name| other_than_srgb(&profile(name, version));
            assert_eq!(name("Display P3").as_deref(), Some("Display P3"));
            assert_eq!(name("sRGB IEC61966-2.1"), None);
            assert_eq!(name("GIMP built-in sRGB"), None);
            assert_eq!(name("c2"), None);
            assert_eq!(name("a\nb").as_deref(), Some("ab"));
        }
    }

    #[test]
    fn damaged_profiles_have_no_name() {
        let whole = profile("Display P3", 4);
        for length in 0..whole.len() {
            assert_eq!(other_than_srgb(&whole[..length]).as_deref(), Some("(unnamed)"));
        }
        assert!(other_than_srgb(&[0xFF; 400]).is_some());
    }
}
