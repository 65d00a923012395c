//! The arguments of `bake`.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::shared::ProgramArgs;

#[derive(Debug, Args)]
pub(in crate::cli) struct BakeArgs {
    /// The .blend file, which stays as it is: s3://BUCKET/KEY, file:///PATH or a path
    #[arg(short, long, value_name = "URI")]
    pub input_uri: Option<String>,

    /// The baked .blend file; by default scene.baked.blend beside scene.blend
    ///
    /// Fluids are cached in a folder beside it, scene.baked.cache. In another folder than that of the
    /// scene, it names textures and other files by their absolute paths. A report goes to reports/
    /// beside it.
    #[arg(short, long, value_name = "URI")]
    pub output_uri: Option<String>,

    /// Whether to bake without files that the scene needs: fail or warn
    ///
    /// As in render: what simulations collide with, for example, can come from a library.
    #[arg(long, value_name = "fail|warn")]
    pub missing_files: Option<String>,

    #[command(flatten)]
    pub programs: ProgramArgs,

    /// Run the Python scripts in the scene file
    #[arg(long)]
    pub enable_autoexec: bool,

    /// The Blender to use: a path, or a name to look for on PATH
    #[arg(long, value_name = "PROGRAM")]
    pub blender: Option<String>,
}

pub(super) const BAKE_EXAMPLES: &str = "\
Bakes cloth, rigid bodies, particles, fluids and other simulations up to the last frame of the
scene, so that any job can render any of its frames. What is baked already stays as it is.

Examples:
  Bake to scene.baked.blend, and render that:
    render-worker bake -i scene.blend
    render-worker run -i scene.baked.blend -o out
  From and to S3:
    render-worker bake -i s3://bucket/scene.blend -o s3://bucket/baked.blend";
