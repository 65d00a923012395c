//! When requests came.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fleet::Asked;

/// How long a peak is looked for.
const PEAK: Duration = Duration::from_millis(100);

/// The columns of the longest bar.
const WIDTH: usize = 60;

/// Prints how many came in each second, and the most that came in a short time.
pub fn print(requests: &[Asked]) {
    let mut seconds: BTreeMap<u64, usize> = BTreeMap::new();
    for asked in requests {
        *seconds.entry(asked.after.as_secs()).or_default() += 1;
    }
    let most = seconds.values().copied().max().unwrap_or(1);
    println!("  requests by the second:");
    for (second, count) in seconds {
        println!("  {second:>4} s {count:>6} {}", "#".repeat((count * WIDTH).div_ceil(most)));
    }
    let all: Vec<_> = requests.iter().map(|asked| asked.after).collect();
    let mut first: BTreeMap<usize, Duration> = BTreeMap::new();
    for asked in requests {
        first.entry(asked.by).or_insert(asked.after);
    }
    let mut first: Vec<_> = first.into_values().collect();
    first.sort();
    let (Some(one), Some(other)) = (first.first(), first.last()) else { return };
    println!(
        "  at most {} requests in {PEAK:?}, {} of them a worker's first; these came within {:.1} s",
        peak(&all),
        peak(&first),
        other.saturating_sub(*one).as_secs_f64()
    );
}

/// Prints each request of a worker, and when it came after the first one.
pub fn print_each(requests: &[Asked]) {
    let Some(first) = requests.first() else { return };
    println!("  the first request came {} ms after the start", first.after.as_millis());
    for Asked { request, after, .. } in requests {
        let (when, operation) = (after.saturating_sub(first.after).as_millis(), request.operation);
        let took = request.finished.map_or(0, |end| (end - request.started).as_millis());
        println!("  {when:>6} ms {:17}{} ({took} ms)", format!("{operation:?}"), request.key);
    }
}

/// The most of `times`, which are sorted, that lie within [`PEAK`].
fn peak(times: &[Duration]) -> usize {
    let since = |(last, time): (usize, &Duration)| {
        let first = times.partition_point(|earlier| *earlier + PEAK <= *time);
        last + 1 - first
    };
    times.iter().enumerate().map(since).max().unwrap_or(0)
}
