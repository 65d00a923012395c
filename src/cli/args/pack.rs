//! The arguments of `pack`.

#![expect(clippy::doc_markdown, reason = "these comments are the text of --help, not Markdown")]

use clap::Args;

use super::shared::ProgramArgs;

// What is packed, and with which Blender.
#[derive(Debug, Args)]
pub(in crate::cli) struct PackingArgs {
    /// The folder of the project, in which paths are kept; by default the folder of the scene
    ///
    /// Blender may read all of it except hidden files. Files elsewhere are packed only from what
    /// --allow-read names.
    #[arg(long, value_name = "DIR")]
    pub project_dir: Option<String>,

    /// The name of the manifest; by default the scene's file name without its extension
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// A pattern of files to leave out, such as '*.blend1' or renders/
    ///
    /// A pattern with a slash at its beginning or in the middle is a path from --project-dir on; others
    /// match names in any folder. *, ?, [a-z], ** and {a,b} work, ! at the beginning takes a file back.
    /// The file .renderignore in the folder of the project has one on each line. Separate several by
    /// colons, or give the flag several times.
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,

    /// The Blender that lists the files of the scene: a path, or a name to look for on PATH
    ///
    /// If there is none on PATH, every file of the project's folder is packed, except hidden ones.
    #[arg(long, value_name = "PROGRAM")]
    pub blender: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PackArgs {
    /// The .blend file on this machine
    #[arg(short, long, value_name = "PATH")]
    pub input_uri: Option<String>,

    /// Where projects are stored: s3://BUCKET/PREFIX, file:///PATH or a path
    ///
    /// Contents go to URI/files/, by their SHA-256, and the manifest to URI/NAME.project.json. Shots
    /// that are packed to the same URI share their files.
    #[arg(short, long, value_name = "URI")]
    pub output_uri: Option<String>,

    #[command(flatten)]
    pub packing: PackingArgs,

    /// Whether to pack without files that the scene needs: fail or warn
    ///
    /// As in render: `fail` names all of them and ends with 65, before anything is stored.
    #[arg(long, value_name = "fail|warn")]
    pub missing_files: Option<String>,

    /// Read and compare all files, and store nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub programs: ProgramArgs,
}

pub(super) const PACK_EXAMPLES: &str = "\
Stores a scene with every file that its pictures need: libraries, textures, sequences, caches, fonts,
sounds. What is stored already is not sent again. run, render, inspect and submit take the manifest
with -i.

Examples:
  Pack a shot, and render it anywhere:
    render-worker pack -i shot.blend -o s3://bucket/projects
    render-worker render -i s3://bucket/projects/shot.project.json -o s3://bucket/out
  A shot that shares textures with others, in a folder above:
    render-worker pack -i film/shots/010.blend --project-dir film -o s3://bucket/film
  See what would be stored:
    render-worker pack -i shot.blend -o s3://bucket/projects --dry-run";
