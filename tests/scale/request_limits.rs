//! The number of requests and its limit.

use std::collections::BTreeMap;

use crate::fleet::{Arrival, PROJECT_FILES};
use crate::support::s3_server::Operation;

/// The requests that a worker may make: fixed counts, and one request for each frame.
pub struct Budget {
    once: &'static [(Kind, usize)],
    each_frame: Kind,
}

/// The purpose of a request.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    /// Fetches the beginning or the rest of the scene file.
    GetScene,
    /// Reads the checksum of the whole scene file.
    HeadScene,
    /// Fetches the manifest of the project.
    GetManifest,
    /// Fetches a file of the project, or the beginning or the rest of its scene file.
    GetContent,
    /// Reads the checksum of the project's scene file.
    HeadContent,
    /// Lists existing frames.
    List,
    /// Fetches the list of the scene's files from an earlier attempt.
    GetDescription,
    /// Reads the fingerprint of a frame.
    HeadFrame,
    PutFrame,
    /// Stores the list of the scene's files.
    PutDescription,
    PutReport,
    /// Anything else, which no worker should need.
    Other,
}

/// The requests to render all frames.
pub const FRESH: Budget = Budget {
    once: &[
        // The beginning first: it is enough if nothing is to be rendered.
        (Kind::GetScene, 2),
        (Kind::HeadScene, 1),
        (Kind::List, 1),
        (Kind::PutDescription, 1),
        // At the beginning and at the end of the attempt.
        (Kind::PutReport, 2),
    ],
    each_frame: Kind::PutFrame,
};

/// The requests if every frame is already stored.
pub const RESUMED: Budget = Budget {
    once: &[(Kind::GetScene, 1), (Kind::List, 1), (Kind::GetDescription, 1), (Kind::PutReport, 2)],
    each_frame: Kind::HeadFrame,
};

/// The requests to render all frames of a project.
pub const FRESH_PROJECT: Budget = Budget {
    once: &[
        (Kind::GetManifest, 1),
        (Kind::GetContent, PROJECT_FILES + 2),
        (Kind::HeadContent, 1),
        (Kind::List, 1),
        (Kind::PutDescription, 1),
        (Kind::PutReport, 2),
    ],
    each_frame: Kind::PutFrame,
};

/// The requests if every frame of a project is already stored.
pub const RESUMED_PROJECT: Budget = Budget {
    once: &[
        (Kind::GetManifest, 1),
        (Kind::GetContent, 1),
        (Kind::List, 1),
        (Kind::GetDescription, 1),
        (Kind::PutReport, 2),
    ],
    each_frame: Kind::HeadFrame,
};

impl Kind {
    fn of(arrival: &Arrival) -> Self {
        let key = arrival.request.key.as_str();
        let frame = key.starts_with("out/frames/");
        let content = key.starts_with("p/files/");
        let description = key.starts_with("out/reports/scene-");
        let report = key.starts_with("out/reports/render-");
        match arrival.request.operation {
            Operation::ListObjectsV2 => Self::List,
            Operation::GetObject if key == "scene.blend" => Self::GetScene,
            Operation::HeadObject if key == "scene.blend" => Self::HeadScene,
            Operation::GetObject if key.ends_with(".project.json") => Self::GetManifest,
            Operation::GetObject if content => Self::GetContent,
            Operation::HeadObject if content => Self::HeadContent,
            Operation::GetObject if description => Self::GetDescription,
            Operation::HeadObject if frame => Self::HeadFrame,
            Operation::PutObject if frame => Self::PutFrame,
            Operation::PutObject if description => Self::PutDescription,
            Operation::PutObject if report => Self::PutReport,
            _ => Self::Other,
        }
    }
}

/// Asserts that every worker with `frames` frames made exactly the requests of the budget, and that
/// no frame was requested twice.
pub fn check(requests: &[Arrival], budget: &Budget, frames: usize) {
    let mut wanted: BTreeMap<Kind, usize> = budget.once.iter().copied().collect();
    wanted.insert(budget.each_frame, frames);
    let mut workers: BTreeMap<usize, BTreeMap<Kind, usize>> = BTreeMap::new();
    let mut of_frames: BTreeMap<&str, usize> = BTreeMap::new();
    for arrival in requests {
        let kind = Kind::of(arrival);
        *workers.entry(arrival.worker).or_default().entry(kind).or_default() += 1;
        if kind == budget.each_frame {
            *of_frames.entry(&arrival.request.key).or_default() += 1;
        }
    }
    for (index, counts) in &workers {
        assert_eq!(*counts, wanted, "worker {index}");
    }
    assert_eq!(of_frames.len(), workers.len() * frames, "frames without a request");
}

/// Prints the requests by purpose: in total, per worker and per frame, and their size.
pub fn print(requests: &[Arrival], frames: usize) {
    let workers = requests.iter().map(|arrival| arrival.worker).max().map_or(1, |last| last + 1);
    let mut rows: BTreeMap<Kind, (usize, u64)> = BTreeMap::new();
    let mut all = (0, 0);
    for arrival in requests {
        let bytes = arrival.request.bytes_in + arrival.request.bytes_out;
        for row in [rows.entry(Kind::of(arrival)).or_default(), &mut all] {
            row.0 += 1;
            row.1 += bytes;
        }
    }
    println!(
        "  {:16}{:>8}{:>12}{:>11}{:>13}",
        "", "total", "per worker", "per frame", "bytes each"
    );
    let line = |name: &str, (count, bytes): (usize, u64)| {
        let share = |of: usize| ratio(count as u64, of as u64);
        let (worker, frame) = (share(workers), share(workers * frames));
        let each = ratio(bytes, count as u64);
        println!("  {name:16}{count:>8}{worker:>12.2}{frame:>11.2}{each:>13.0}");
    };
    for (kind, row) in rows {
        line(&format!("{kind:?}"), row);
    }
    line("all", all);
}

#[expect(clippy::cast_precision_loss, reason = "the figures are approximate")]
fn ratio(count: u64, of: u64) -> f64 {
    count as f64 / of as f64
}
