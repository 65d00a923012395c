//! Frame sets: `1-10,15,20-40x2`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use render_worker::request::FrameSet;

fuzz_target!(|text: &str| {
    let Ok(set) = text.parse::<FrameSet>() else { return };
    assert!(!set.is_empty() && set.first() <= set.last());
    let in_ranges: i64 = set
        .ranges()
        .iter()
        .map(|range| i64::from(range.last.get()) - i64::from(range.first.get()) + 1)
        .sum();
    assert_eq!(in_ranges, i64::try_from(set.len()).unwrap());
    assert_eq!(set.to_string().parse(), Ok(set));
});
