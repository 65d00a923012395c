//! The arguments that add Python to Blender.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

// Python that is added to Blender. (A comment that clap takes for the text of --help would replace
// that of the subcommand.)
#[derive(Debug, Args)]
pub(in crate::cli) struct UserCodeArgs {
    /// A Python script that prepares the scene: s3://BUCKET/KEY or a path
    ///
    /// It runs in the sandbox once the scene is open. The other flags and the output settings are
    /// applied after it, so that no frame is lost. If it fails, the job ends with 65. Separate several
    /// by commas, or give the flag several times.
    #[arg(long, value_name = "URI")]
    pub python: Vec<String>,

    /// An add-on to enable, by the name of its module, such as node_wrangler
    ///
    /// One of this Blender, or of --addons-dir, which are enabled anyway. If it cannot be enabled, the
    /// job ends with 69. Separate several by commas, or give the flag several times.
    #[arg(long, value_name = "NAME")]
    pub addon: Vec<String>,

    /// Add-ons to install and enable: s3://BUCKET/KEY.zip, s3://BUCKET/PREFIX or a path
    ///
    /// An archive, an unpacked add-on, or a folder of them; on S3, the objects directly below the
    /// prefix. Extensions of Blender 4.2 and later count as well. They are installed for this job alone,
    /// and enabled before the scene is opened.
    #[arg(long, value_name = "URI")]
    pub addons_dir: Option<String>,
}
