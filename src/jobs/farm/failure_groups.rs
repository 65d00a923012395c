//! Failures that are alike, for people: often a whole array fails for one cause.

use crate::printable::printable;

use super::failures::FailedJob;

/// A failed job, or failed children of one array that ended in the same way for the same cause.
#[derive(Debug)]
pub struct FailureGroup<'a> {
    /// The array, or the only job.
    job: &'a str,
    /// What they have in common: how they ended, and the cause, as [`pattern`]s.
    common: (String, Option<String>),
    /// The first failure.
    pub first: &'a FailedJob,
    others: Vec<&'a FailedJob>,
}

impl<'a> FailureGroup<'a> {
    /// Groups failures, in the order of the first one of each group.
    pub fn all(failures: &'a [FailedJob]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for failure in failures {
            // The id of an array's child is `parent:index`.
            let job = failure.job_id.split(':').next().unwrap_or_default();
            let common = (pattern(&failure.result()), failure.cause.as_deref().map(pattern));
            match groups.iter_mut().find(|group| group.job == job && group.common == common) {
                Some(group) => group.others.push(failure),
                None => groups.push(Self { job, common, first: failure, others: Vec::new() }),
            }
        }
        groups
    }

    /// Describes the failures in one line, with the result of the first one.
    pub fn summary(&self) -> String {
        let members = || std::iter::once(self.first).chain(self.others.iter().copied());
        let name = printable(&self.first.job_name);
        let children = children(members().filter_map(|failure| failure.index).collect());
        let attempts = || members().map(|failure| failure.attempts);
        let (fewest, most) = (attempts().min().unwrap_or(0), attempts().max().unwrap_or(0));
        let attempts = match (fewest, most) {
            (_, 0) => "never ran".to_owned(),
            (1, 1) => "1 attempt".to_owned(),
            (fewest, most) if fewest == most => format!("{most} attempts"),
            (fewest, most) => format!("{fewest} to {most} attempts"),
        };
        format!("{name}{children}: {}, {attempts}", self.first.result())
    }

    /// Returns the log stream and the cause of the first failure, as far as they are known, each
    /// with its label.
    pub fn details(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let FailedJob { log_group, log_stream, cause, index, .. } = self.first;
        let of = match index {
            Some(index) if !self.others.is_empty() => format!(" (child {index})"),
            _ => String::new(),
        };
        let log = log_stream.as_ref().map(|stream| format!("{log_group} {stream}"));
        let details = [("log", log), ("cause", cause.clone())];
        details.into_iter().filter_map(move |(label, text)| Some((label, printable(&text?) + &of)))
    }
}

/// Lists children: `, child 3`, `, children 3, 7-12`; empty for a job that is no child.
fn children(mut indices: Vec<u32>) -> String {
    indices.sort_unstable();
    let ranges = indices.chunk_by(|one, next| one + 1 == *next).map(|range| match range {
        [first, .., last] => format!("{first}-{last}"),
        one => one.iter().map(u32::to_string).collect(),
    });
    let ranges = ranges.collect::<Vec<_>>().join(", ");
    match indices.len() {
        0 => String::new(),
        1 => format!(", child {ranges}"),
        _ => format!(", children {ranges}"),
    }
}

/// Returns a text without what differs between failures that are alike: the frames, and long
/// numbers and ids, as in the names of frame files and instances.
fn pattern(text: &str) -> String {
    let is_id = |run: &str| {
        run.len() >= 4
            && run.chars().all(|c| c.is_ascii_hexdigit())
            && run.contains(|c: char| c.is_ascii_digit())
    };
    let (mut pattern, mut after_frames) = (String::with_capacity(text.len()), false);
    for word in text.split(' ') {
        let of_frames = matches!(word, "frame" | "frames");
        match word {
            "frame" => pattern.push_str("frames"),
            "is" => pattern.push_str("are"),
            _ if after_frames => {
                let set = |c: char| c.is_ascii_digit() || matches!(c, '-' | ',' | 'x');
                pattern.push_str(word.trim_start_matches(set));
            }
            _ => {
                for run in word.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
                    let end = run.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
                    let (run, rest) = run.split_at(end.len());
                    pattern.push_str(if is_id(run) { "#" } else { run });
                    pattern.push_str(rest);
                }
            }
        }
        pattern.push(' ');
        after_frames = of_frames;
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_equal_if_only_frames_and_ids_differ() {
        for (one, other, alike) in [
            ("a.blend: frame 4 is not rendered: x", "a.blend: frame -5 is not rendered: x", true),
            ("frame 4 is not stored", "frames 5-8,10-20x2 are not stored", true),
            ("cannot read frames/0004.png", "cannot read frames/0012.png", true),
            ("frame 4: its file is cut", "frame 7: its file is cut", true),
            ("frame 4: its file is cut", "frame 4: its file is empty", false),
            ("Host EC2 (instance i-0123abcd) ended.", "Host EC2 (instance i-09fe) ended.", true),
            ("Blender crashed (signal 11)", "Blender crashed (signal 6)", false),
            ("S3 answered (HTTP 500)", "S3 answered (HTTP 503)", false),
            ("a.blend: no camera", "b.blend: no camera", false),
            ("", "frame", false),
        ] {
            assert_eq!(pattern(one) == pattern(other), alike, "{one:?}, {other:?}");
        }
    }

    #[test]
    fn children_are_listed_in_ranges() {
        assert_eq!(children(vec![]), "");
        assert_eq!(children(vec![3]), ", child 3");
        assert_eq!(children(vec![8, 3, 7, 9, 11, 12]), ", children 3, 7-9, 11-12");
    }
}
