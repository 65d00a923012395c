//! The arguments of `serve`.

use clap::Args;

use super::shared::{LogArgs, StoreArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArgs {
    /// The address and port of the page, such as 0.0.0.0:7861 for all addresses of this machine
    ///
    /// On 127.0.0.1 and [::1], only programs on this machine can open the page. On any other address
    /// it needs a token, which is in the link that the log shows at the start. Port 0 takes any free
    /// port.
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<String>,

    /// The folder of the videos and renders of the page, which is created
    ///
    /// Everything that the page shows is in it, so that a restart of the server loses nothing. One server
    /// uses it at a time. If the variable INPUT_DIR names a folder, the page offers the pictures in it; if
    /// OUTPUT_DIR does, each video is stored there as well.
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,

    /// A name of this machine under which browsers may open the page, such as studio.example
    ///
    /// Addresses and localhost are always accepted. Another name is refused, because a web site could
    /// let its own name point to this machine. Separate several by commas, or give the flag several
    /// times.
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,

    /// A folder of this machine whose outputs the page may watch, with all folders in it
    ///
    /// Without it, the page watches outputs on S3 alone, with the credentials of the server. Give the flag
    /// several times, or separate several folders by colons in the variable.
    #[arg(long, value_name = "DIR")]
    pub watch: Vec<String>,

    #[command(flatten)]
    pub store: StoreArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

pub(super) const SERVE_EXAMPLES: &str = "\
Examples:
  The page on this machine, http://127.0.0.1:7861:
    render-worker serve
  In a container; the link with the token is in the log:
    docker run --rm -it -p 7861:7861 -v \"$PWD\":/work --user \"$(id -u):$(id -g)\" \\
      render-worker serve --data /work/videos
  For a studio, under the name of the machine:
    render-worker serve --listen 0.0.0.0:7861 --allow-host studio.example

Videos are made by render-worker stitch, and scenes are rendered by render-worker run. The variables
of their programs and limits are passed on: BLENDER, FFMPEG, CACHE_DIR, PROCESSES, SANDBOX, SCRATCH_DIR
and others. Without SANDBOX, scenes are rendered as with --sandbox require.";
