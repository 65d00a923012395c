//! How many frames each child of an array job renders, and what follows: its time, and the cost.

use std::time::Duration;

use serde::Serialize;

use super::pace::Pace;
use crate::error::Error;
use crate::jobs::output::Table;
use crate::request::{FrameSet, FramesPerJob, LARGEST_ARRAY, PerChild, Slices};

/// How the frames are dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    /// How many frames one child renders at most.
    pub per_job: FramesPerJob,
    /// The number of children.
    pub children: u32,
}

impl Deal {
    /// So many frames a child.
    ///
    /// # Errors
    /// [`Error::ArrayTooLarge`] if there would be too many children.
    pub fn of(slices: &Slices, frames: u32, requested: FramesPerJob) -> Result<Self, Error> {
        let fits = FramesPerJob::fitting(frames);
        let per_job = if slices.auto && requested.get() < fits.get() { fits } else { requested };
        let children = per_job.jobs(frames);
        if children > LARGEST_ARRAY {
            return Err(Error::ArrayTooLarge { frames, children, fits });
        }
        Ok(Self { per_job, children })
    }

    /// The deal with the most children, if it depends on what the frames take.
    ///
    /// # Errors
    /// [`Error::ArrayTooLarge`] if there would be too many children.
    pub fn of_most_children(slices: &Slices, frames: u32) -> Result<Self, Error> {
        match slices.per_child {
            PerChild::Frames(per_child) => Self::of(slices, frames, per_child),
            PerChild::Fitting => Self::of(slices, frames, FramesPerJob::ONE),
        }
    }

    /// The frames of the last child.
    pub fn last(self, frames: &FrameSet, stride: bool) -> FrameSet {
        let before = self.children.saturating_sub(1) as usize;
        if stride {
            frames.every(self.children as usize, before)
        } else {
            let per_job = self.per_job.get() as usize;
            frames.chunk(before.saturating_mul(per_job), per_job)
        }
    }
}

/// What the array job is expected to take, by the seconds of frames that reports of the output tell. It is
/// counted as if no frame were stored yet. Absent with `-f N`, unless a price is given and there are such
/// reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// The number of frames.
    pub frames: u32,
    /// The number of children.
    pub children: u32,
    /// How many frames a child renders at most.
    pub frames_per_child: u32,
    /// Whether frames are dealt one by one.
    pub stride: bool,
    /// The number of frames whose seconds the reports tell.
    pub measured_frames: usize,
    /// The mean of the expected seconds of a frame.
    pub frame_seconds: f32,
    /// The expected seconds in which a child renders nothing: it fetches the scene, and starts Blender. The
    /// start of an instance and of the container are not counted.
    pub startup_seconds: f32,
    /// The expected seconds of the child that takes longest: the time until all frames are there, if all
    /// children run at the same time.
    pub longest_child_seconds: f32,
    /// The expected hours of all children together.
    pub instance_hours: f64,
    /// What these hours cost; null without `--price-per-hour`.
    pub cost: Option<f64>,
}

impl Plan {
    /// The plan for this deal of frames.
    pub fn of(pace: &Pace, frames: &FrameSet, deal: Deal, slices: &Slices) -> Self {
        let seconds = expected(pace, frames);
        let children = children(&seconds, deal, slices.stride, pace.startup);
        let all = time(children.iter().sum());
        Self {
            frames: u32::try_from(frames.len()).unwrap_or(u32::MAX),
            children: deal.children,
            frames_per_child: deal.per_job.get(),
            stride: slices.stride,
            measured_frames: pace.measured(),
            frame_seconds: mean(&seconds),
            startup_seconds: pace.startup,
            longest_child_seconds: longest(&children),
            instance_hours: all.as_secs_f64() / 3600.0,
            cost: slices.price.map(|price| price.cost(all)),
        }
    }

    /// Adds what people want to know.
    pub fn rows(&self, lines: &mut Table) {
        let dealt = if self.stride { ", dealt one by one" } else { "" };
        lines.row(
            "plan",
            format_args!(
                "{} frames, up to {} a child{dealt}; {:.1} s a frame and {} for the start of a \
                 child, as {} frames have shown",
                self.frames,
                self.frames_per_child,
                self.frame_seconds,
                span(self.startup_seconds),
                self.measured_frames
            ),
        );
        lines.row(
            "expected",
            format_args!(
                "{} for the longest child; {:.2} instance hours",
                span(self.longest_child_seconds),
                self.instance_hours
            ),
        );
        if let Some(cost) = self.cost {
            lines.row("cost", format_args!("{cost:.2}"));
        }
    }
}

/// The largest number of frames with which no child takes longer than the target, as far as known; at
/// least one. It is as even as the number of children allows.
pub fn fitting(pace: &Pace, frames: &FrameSet, slices: &Slices) -> FramesPerJob {
    let seconds = expected(pace, frames);
    let count = u32::try_from(seconds.len()).unwrap_or(u32::MAX);
    let target = slices.target.get().as_secs_f32();
    let fits = |per_job: u32| {
        let children_count = count.div_ceil(per_job);
        let deal =
            Deal { per_job: FramesPerJob::among(count, children_count), children: children_count };
        longest(&children(&seconds, deal, slices.stride, pace.startup)) <= target
    };
    let (mut fitting, mut too_many) = (1, count.max(1).saturating_add(1));
    while too_many - fitting > 1 {
        let middle = fitting + (too_many - fitting) / 2;
        if fits(middle) {
            fitting = middle;
        } else {
            too_many = middle;
        }
    }
    FramesPerJob::among(count, count.div_ceil(fitting))
}

/// The expected seconds of each frame.
fn expected(pace: &Pace, frames: &FrameSet) -> Vec<f32> {
    frames.iter().map(|frame| pace.seconds(frame.get())).collect()
}

/// The expected seconds of each child.
fn children(seconds: &[f32], deal: Deal, stride: bool, startup: f32) -> Vec<f32> {
    let (count, size) = (deal.children as usize, deal.per_job.get() as usize);
    let sum = |index: usize| -> f32 {
        if stride {
            seconds.iter().skip(index).step_by(count.max(1)).sum()
        } else {
            seconds.iter().skip(index * size).take(size).sum()
        }
    };
    (0..count).map(|index| startup + sum(index)).collect()
}

fn longest(children: &[f32]) -> f32 {
    children.iter().copied().fold(0.0, f32::max)
}

fn mean(values: &[f32]) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a number of frames")]
    let count = values.len().max(1) as f32;
    values.iter().sum::<f32>() / count
}

/// So many seconds. A foreign report may claim any number.
fn time(seconds: f32) -> Duration {
    Duration::try_from_secs_f32(seconds).unwrap_or(Duration::MAX)
}

/// So many seconds, in words.
fn span(seconds: f32) -> humantime::FormattedDuration {
    let rounded = time(seconds).saturating_add(Duration::from_millis(500)).as_secs();
    humantime::format_duration(Duration::from_secs(rounded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::PollInterval;

    fn slices(minutes: &str, stride: bool) -> Slices {
        Slices {
            per_child: PerChild::Fitting,
            auto: true,
            target: minutes.parse().unwrap(),
            stride,
            test_frames: None,
            price: Some("3.6".parse().unwrap()),
            interval: PollInterval::default(),
        }
    }

    fn pace(startup: f32, known: &[(i32, f32)]) -> Pace {
        Pace::known(startup, known.iter().copied().collect())
    }

    #[test]
    fn a_child_gets_as_many_frames_as_fit_and_all_get_about_as_many() {
        let frames = |text: &str| text.parse::<FrameSet>().unwrap();
        let even = pace(60.0, &[(1, 30.0)]);
        // 60 s and 28 frames of 30 s are 15 minutes: 240 frames need 9 children of up to 27.
        for (set, minutes, expected) in [
            ("1-240", "15", 27),
            ("1-28", "15", 28),
            ("1-240", "1", 1),
            ("7", "15", 1),
            ("1-240", "600", 240),
        ] {
            let per_job = fitting(&even, &frames(set), &slices(minutes, false));
            assert_eq!(per_job.get(), expected, "{set} {minutes}");
        }
        // The end of the animation takes long: without a stride, it decides.
        let steep = pace(0.0, &[(1, 1.0), (200, 1.0), (201, 60.0), (240, 60.0)]);
        assert_eq!(fitting(&steep, &frames("1-240"), &slices("15", false)).get(), 15);
        let dealt = fitting(&steep, &frames("1-240"), &slices("15", true)).get();
        assert_eq!(dealt, 60);
    }

    #[test]
    fn a_plan_counts_every_start_and_every_frame() {
        let (pace, frames) = (pace(100.0, &[(1, 10.0), (2, 30.0)]), "1-5".parse().unwrap());
        let deal = Deal::of(&slices("15", false), 5, "2".parse().unwrap()).unwrap();
        let plan = Plan::of(&pace, &frames, deal, &slices("15", false));
        // 1 and 2: 40 s; 3 and 4: 60 s; 5: 30 s.
        assert_eq!((plan.children, plan.frames_per_child), (3, 2));
        assert!((plan.longest_child_seconds - 160.0).abs() < 1e-3, "{plan:?}");
        assert!((plan.instance_hours * 3600.0 - 430.0).abs() < 1e-3, "{plan:?}");
        assert!((plan.cost.unwrap() - 0.43).abs() < 1e-6, "{plan:?}");
        // Dealt one by one: 1 and 4, 2 and 5, 3.
        let plan = Plan::of(&pace, &frames, deal, &slices("15", true));
        assert!((plan.longest_child_seconds - 160.0).abs() < 1e-3, "{plan:?}");
        let mut lines = Table::default();
        plan.rows(&mut lines);
        assert_eq!(
            lines.text(),
            "plan        5 frames, up to 2 a child, dealt one by one; 26.0 s a frame and 1m 40s for \
             the start of a child, as 2 frames have shown\n\
             expected    2m 40s for the longest child; 0.12 instance hours\n\
             cost        0.43\n"
        );
    }

    #[test]
    fn too_many_children_are_an_error_unless_they_may_take_more() {
        let one = FramesPerJob::ONE;
        assert_eq!(Deal::of(&slices("15", false), 20_001, one).unwrap().per_job.get(), 3);
        let fixed = Slices { auto: false, ..slices("15", false) };
        assert!(matches!(Deal::of(&fixed, 20_001, one), Err(Error::ArrayTooLarge { .. })));
    }
}
