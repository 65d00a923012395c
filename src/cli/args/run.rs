//! The arguments of `run`: those of `render` and of `stitch`.

use clap::Args;

use super::render::RenderOptions;
use super::shared::{CommonArgs, NotifyArgs, PreviewArgs};
use super::stitch::StitchOptions;

/// The argument `--watch` of `run`, which has no variable: that of `serve` names folders.
pub(in crate::cli) const WATCH_PAGE: &str = "watch_page";

#[derive(Debug, Args)]
pub(in crate::cli) struct RunArgs {
    #[command(flatten)]
    pub common: CommonArgs,

    #[command(flatten)]
    pub preview: PreviewArgs,

    #[command(flatten)]
    pub render: RenderOptions,

    #[command(flatten)]
    pub stitch: StitchOptions,

    /// Show the output in a web page meanwhile: frames, figures and failures; the log has the link
    ///
    /// The page is that of serve, on a free port that only this machine can reach. It changes nothing, and
    /// ends with the run.
    #[arg(id = WATCH_PAGE, long = "watch")]
    pub watch: bool,

    #[command(flatten)]
    pub notify: NotifyArgs,
}

pub(super) const RUN_EXAMPLES: &str = "\
Renders the frames that the output does not have yet, and then makes the video of the frames that
were asked for: those of the scene, unless -f, -t, --first-frame or --frames says otherwise. If it is
stopped, the same command goes on where it was.

Examples:
  The whole scene:
    render-worker run -i scene.blend -o out
  A quick look at its first 10 frames, in out/preview/:
    render-worker run -i scene.blend -o out -f 10 --preview
  Some frames again, at half the size:
    render-worker run -i scene.blend -o half --frames 7,20-30 --resolution 50%";
