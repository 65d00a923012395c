//! How many requests there were, and how many there may be.

use std::collections::BTreeMap;

use crate::fleet::Asked;
use crate::support::s3_server::Operation;

/// What each worker asks for: these operations so often, and one of these for each frame.
pub struct Budget {
    once: &'static [(Kind, usize)],
    each_frame: Kind,
}

/// What is asked for, by what that costs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Kind {
    /// The beginning of the scene file, or the rest.
    GetScene,
    /// The checksum that the store keeps of the whole.
    HeadScene,
    /// Which frames are there?
    List,
    /// What did Blender say of the scene in an earlier attempt?
    GetDescription,
    /// What was this frame made from?
    HeadFrame,
    PutFrame,
    /// What Blender says of the scene.
    PutDescription,
    PutReport,
    /// What no worker should ask for.
    Other,
}

/// To render everything.
pub const FRESH: Budget = Budget {
    once: &[
        // Its beginning first: often that is enough to know that there is nothing to do.
        (Kind::GetScene, 2),
        (Kind::HeadScene, 1),
        (Kind::List, 1),
        (Kind::PutDescription, 1),
        // When the attempt begins and when it ends.
        (Kind::PutReport, 2),
    ],
    each_frame: Kind::PutFrame,
};

/// To find that everything is there.
pub const RESUMED: Budget = Budget {
    once: &[(Kind::GetScene, 1), (Kind::List, 1), (Kind::GetDescription, 1), (Kind::PutReport, 2)],
    each_frame: Kind::HeadFrame,
};

impl Kind {
    fn of(asked: &Asked) -> Self {
        let key = asked.request.key.as_str();
        let frame = key.starts_with("out/frames/");
        let description = key.starts_with("out/reports/scene-");
        let report = key.starts_with("out/reports/render-");
        match asked.request.operation {
            Operation::ListObjectsV2 => Self::List,
            Operation::GetObject if key == "scene.blend" => Self::GetScene,
            Operation::HeadObject if key == "scene.blend" => Self::HeadScene,
            Operation::GetObject if description => Self::GetDescription,
            Operation::HeadObject if frame => Self::HeadFrame,
            Operation::PutObject if frame => Self::PutFrame,
            Operation::PutObject if description => Self::PutDescription,
            Operation::PutObject if report => Self::PutReport,
            _ => Self::Other,
        }
    }
}

/// Asserts that every worker, with so many frames, asked for exactly what it may, and that
/// no two requests were about the same frame.
pub fn check(requests: &[Asked], budget: &Budget, frames: usize) {
    let mut wanted: BTreeMap<Kind, usize> = budget.once.iter().copied().collect();
    wanted.insert(budget.each_frame, frames);
    let mut workers: BTreeMap<usize, BTreeMap<Kind, usize>> = BTreeMap::new();
    let mut of_frames: BTreeMap<&str, usize> = BTreeMap::new();
    for asked in requests {
        let kind = Kind::of(asked);
        *workers.entry(asked.by).or_default().entry(kind).or_default() += 1;
        if kind == budget.each_frame {
            *of_frames.entry(&asked.request.key).or_default() += 1;
        }
    }
    for (index, counts) in &workers {
        assert_eq!(*counts, wanted, "worker {index}");
    }
    assert_eq!(of_frames.len(), workers.len() * frames, "a frame that nobody asked for");
}

/// Prints what was asked for, in all, by a worker and for a frame, and what travelled.
pub fn print(requests: &[Asked], frames: usize) {
    let workers = requests.iter().map(|asked| asked.by).max().map_or(1, |last| last + 1);
    let mut rows: BTreeMap<Kind, (usize, u64)> = BTreeMap::new();
    let mut all = (0, 0);
    for asked in requests {
        let bytes = asked.request.bytes_in + asked.request.bytes_out;
        for row in [rows.entry(Kind::of(asked)).or_default(), &mut all] {
            row.0 += 1;
            row.1 += bytes;
        }
    }
    println!("  {:16}{:>8}{:>10}{:>9}{:>13}", "", "in all", "a worker", "a frame", "bytes each");
    let line = |name: &str, (count, bytes): (usize, u64)| {
        let share = |of: usize| ratio(count as u64, of as u64);
        let (worker, frame) = (share(workers), share(workers * frames));
        let each = ratio(bytes, count as u64);
        println!("  {name:16}{count:>8}{worker:>10.2}{frame:>9.2}{each:>13.0}");
    };
    for (kind, row) in rows {
        line(&format!("{kind:?}"), row);
    }
    line("all", all);
}

#[expect(clippy::cast_precision_loss, reason = "to be read by people")]
fn ratio(count: u64, of: u64) -> f64 {
    count as f64 / of as f64
}
