//! The request of `pack`, from flags and variables.

use super::{Resolver, described};
use crate::cli::args::PackArgs;
use crate::cli::names::{
    BLENDER, EXCLUDE, INPUT_URI, MISSING_FILES, OUTPUT_URI, PROJECT_DIR, PROJECT_NAME,
};
use crate::cli::setting::UsageError;
use crate::request::{Location, PackJob};

/// The request of `pack`.
///
/// # Errors
/// If a setting is missing or out of range.
pub(in crate::cli) fn pack_job(
    resolver: &Resolver<'_>,
    args: &PackArgs,
) -> Result<PackJob, UsageError> {
    let env = resolver.environment;
    let location: Location = INPUT_URI.value_or_default(args.input_uri.as_deref(), env)?;
    let Location::Local(scene) = &location else {
        return Err(INPUT_URI.refuse(format_args!(
            "`{location}` is on S3, where nothing lies beside it; give a .blend file on this machine"
        )));
    };
    let exclude = (!args.exclude.is_empty()).then(|| args.exclude.join(":"));
    let exclude: Option<String> = EXCLUDE.value(exclude.as_deref(), env)?;
    let blender: Option<String> = BLENDER.value(args.blender.as_deref(), env)?;
    let mut described = described(&location, None);
    described.missing_files = MISSING_FILES.value_or_default(args.missing_files.as_deref(), env)?;
    Ok(PackJob {
        scene: scene.clone(),
        described: Box::new(described),
        output: OUTPUT_URI.value_or_default(args.output_uri.as_deref(), env)?,
        project_dir: resolver.folder(PROJECT_DIR, args.project_dir.as_deref())?,
        name: PROJECT_NAME.value(args.name.as_deref(), env)?,
        exclude: exclude.iter().flat_map(|it| it.split(':')).map(str::to_owned).collect(),
        needs_blender: blender.is_some(),
        dry_run: args.dry_run,
        json: args.json,
    })
}
