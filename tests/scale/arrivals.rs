//! The arrival times of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fleet::Arrival;

/// The window in which a peak is counted.
const PEAK: Duration = Duration::from_millis(100);

/// The length of the longest bar in columns.
const WIDTH: usize = 60;

/// Prints the number of requests in each second, and the peak.
pub fn print(requests: &[Arrival]) {
    let mut seconds: BTreeMap<u64, usize> = BTreeMap::new();
    for arrival in requests {
        *seconds.entry(arrival.after.as_secs()).or_default() += 1;
    }
    let most = seconds.values().copied().max().unwrap_or(1);
    println!("  requests per second:");
    for (second, count) in seconds {
        println!("  {second:>4} s {count:>6} {}", "#".repeat((count * WIDTH).div_ceil(most)));
    }
    let all: Vec<_> = requests.iter().map(|arrival| arrival.after).collect();
    let mut first: BTreeMap<usize, Duration> = BTreeMap::new();
    for arrival in requests {
        first.entry(arrival.worker).or_insert(arrival.after);
    }
    let mut first: Vec<_> = first.into_values().collect();
    first.sort();
    let (Some(one), Some(other)) = (first.first(), first.last()) else { return };
    println!(
        "  at most {} requests in {PEAK:?}, at most {} first requests of workers; those took {:.1} s",
        peak(&all),
        peak(&first),
        other.saturating_sub(*one).as_secs_f64()
    );
}

/// Prints each request of a worker with its time after the first one.
pub fn print_each(requests: &[Arrival]) {
    let Some(first) = requests.first() else { return };
    println!("  the first request arrived {} ms after the start", first.after.as_millis());
    for Arrival { request, after, .. } in requests {
        let (when, operation) = (after.saturating_sub(first.after).as_millis(), request.operation);
        let took = request.finished.map_or(0, |end| (end - request.started).as_millis());
        println!("  {when:>6} ms {:17}{} ({took} ms)", format!("{operation:?}"), request.key);
    }
}

/// Returns the maximum number of sorted `times` within [`PEAK`].
fn peak(times: &[Duration]) -> usize {
    let since = |(last, time): (usize, &Duration)| {
        let first = times.partition_point(|earlier| *earlier + PEAK <= *time);
        last + 1 - first
    };
    times.iter().enumerate().map(since).max().unwrap_or(0)
}
