//! The arguments of `submit` that deal the frames among the children.

use clap::Args;

/// The argument `--stride` of `submit`, which has no variable: that of `render` is a number.
pub(in crate::cli) const DEALT: &str = "dealt";

// How frames are dealt among the children.
#[derive(Debug, Args)]
pub(in crate::cli) struct SliceArgs {
    /// How long a child takes with -f auto, in minutes, 1 to 10080
    ///
    /// A child gets as many frames as it renders in this time, with its start and the download of the
    /// scene. Reports of the output tell how long frames take: of an earlier job, or of --test-frames.
    #[arg(long, value_name = "MINUTES", allow_hyphen_values = true)]
    pub target_minutes: Option<String>,

    /// Render so many frames first, in a job of their own, to see how long they take: 2 to 100
    ///
    /// They are spread over the animation. submit waits for this job, and then submits the others, which
    /// keep these frames. Only with -f auto.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub test_frames: Option<String>,

    /// Deal the frames one by one among the children, so that stretches that take long spread
    ///
    /// Without it, each child renders consecutive frames. Scenes with --simulate simulate nearly all frames
    /// in each child.
    #[arg(id = DEALT, long = "stride")]
    pub stride: bool,

    /// What an hour of a container costs, for the expected cost: 0.34
    ///
    /// The price of the instance, or of the part of it that a child occupies, in any currency.
    #[arg(long, value_name = "PRICE", allow_hyphen_values = true)]
    pub price_per_hour: Option<String>,
}
