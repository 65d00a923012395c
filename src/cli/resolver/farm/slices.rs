//! How `submit` deals the frames among the children, from flags and variables; and which of them a child
//! renders to which they are dealt.

use crate::cli::args::{SliceArgs, SubmitArgs, WorkArgs};
use crate::cli::names::{
    ARRAY_INDEX, FRAMES_PER_JOB, POLL_INTERVAL, PRICE_PER_HOUR, STRIDE, TARGET_MINUTES, TEST_FRAMES,
};
use crate::cli::resolver::Resolver;
use crate::cli::setting::UsageError;
use crate::request::{
    AnimationRange, ArrayPosition, FrameSelection, FramesPerJob, PerChild, Slices, Stride,
};

/// The slices of `submit`.
///
/// # Errors
/// If a setting is missing, contradictory or out of range.
pub(super) fn slices(resolver: &Resolver<'_>, args: &SubmitArgs) -> Result<Slices, UsageError> {
    let env = resolver.environment;
    let SliceArgs { target_minutes, test_frames, stride, price_per_hour } = &args.slices;
    let per_child = FRAMES_PER_JOB.value(args.work.frames_per_job.as_deref(), env)?;
    let per_child = match per_child {
        Some(per_child) => per_child,
        None if args.auto => PerChild::Frames(FramesPerJob::ONE),
        None => {
            return Err(FRAMES_PER_JOB.refuse(
                "is required and not set; `auto` is as many as fit in --target-minutes, and with \
                 --auto it is as many as it takes",
            ));
        }
    };
    let fits = per_child == PerChild::Fitting;
    for (setting, flag) in [(TARGET_MINUTES, target_minutes), (TEST_FRAMES, test_frames)] {
        if flag.is_some() && !fits {
            return Err(setting.refuse("is only for -f auto"));
        }
    }
    let test_frames = TEST_FRAMES.value(test_frames.as_deref(), env)?;
    Ok(Slices {
        per_child,
        auto: args.auto || fits,
        target: TARGET_MINUTES.value_or_default(target_minutes.as_deref(), env)?,
        stride: *stride,
        test_frames: test_frames.filter(|_| fits),
        price: PRICE_PER_HOUR.value(price_per_hour.as_deref(), env)?,
        interval: POLL_INTERVAL.value_or_default(args.follow.poll_interval.as_deref(), env)?,
    })
}

impl Resolver<'_> {
    /// The frames of a child to which they are dealt one by one.
    ///
    /// # Errors
    /// If it is not known which child this is, or the array has another size.
    pub(in crate::cli::resolver) fn dealt(
        &self,
        work: &WorkArgs,
        stride: Stride,
        array: Option<ArrayPosition>,
    ) -> Result<FrameSelection, UsageError> {
        let Some(ArrayPosition { index, size }) = array else {
            return Err(STRIDE.refuse(format_args!(
                "is for the children of an array job, and this is none; say with {ARRAY_INDEX} \
                 which child it is"
            )));
        };
        let children = stride.get();
        if let Some(size) = size.filter(|size| *size != children) {
            return Err(STRIDE.refuse(format_args!(
                "deals the frames among {children} children, and the array has {size}"
            )));
        }
        if index >= children {
            return Err(STRIDE.refuse(format_args!(
                "deals the frames among {children} children, which have the indices 0 to {}, and \
                 this is child {index}",
                children - 1
            )));
        }
        let (frames, first, total) = self.frame_settings(work)?;
        let all = match frames {
            Some(frames) => FrameSelection::Exactly(frames),
            None => FrameSelection::Animation(AnimationRange { first, total }),
        };
        Ok(FrameSelection::Dealt { all: Box::new(all), stride, index })
    }
}
