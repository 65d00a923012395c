//! The requests of `pack`, and of `submit --project`, from flags and variables.

use std::path::PathBuf;

use super::{ENGINE_OF_THE_REFERENCE, Resolver, described};
use crate::cli::args::{PackArgs, PackingArgs, SandboxArgs, SubmitArgs};
use crate::cli::names::{
    ALLOW_READ, BLENDER, EXCLUDE, INPUT_URI, MAIN, MISSING_FILES, OUTPUT_URI, PASS_ENV, PREVIEW,
    PROJECT, PROJECT_DIR, PROJECT_NAME, SANDBOX, SCRATCH_DIR,
};
use crate::cli::setting::{Environment, Setting, UsageError};
use crate::request::{Engine, Location, PackJob, RenderJob};

/// The request of `pack`.
///
/// # Errors
/// If a setting is missing or out of range.
pub(in crate::cli) fn pack_job(
    resolver: &Resolver<'_>,
    args: &PackArgs,
) -> Result<PackJob, UsageError> {
    let env = resolver.environment;
    let scene: Location = INPUT_URI.value_or_default(args.input_uri.as_deref(), env)?;
    let output = OUTPUT_URI.value_or_default(args.output_uri.as_deref(), env)?;
    let mut described = described(&scene, None);
    described.missing_files = MISSING_FILES.value_or_default(args.missing_files.as_deref(), env)?;
    let job = packing(resolver, &args.packing, described, output)?;
    Ok(PackJob { dry_run: args.dry_run, json: args.json, ..job })
}

/// How `submit` packs its scene; `None` if it does not.
///
/// # Errors
/// If a setting is out of range, or means nothing without a project.
pub(in crate::cli) fn project_of_submit(
    resolver: &Resolver<'_>,
    args: &SubmitArgs,
    scene: &Location,
) -> Result<Option<Box<PackJob>>, UsageError> {
    let env = resolver.environment;
    let Some(output) = PROJECT.value(args.project.as_deref(), env)? else {
        return match given(&args.packing, &args.sandbox) {
            Some(setting) => Err(setting.refuse(format_args!(
                "is about the scene that {PROJECT} packs; give that as well, or leave it out"
            ))),
            None => Ok(None),
        };
    };
    if args.scene.main.main.is_some() {
        return Err(MAIN.refuse(format_args!(
            "names a file in an archive or a folder, and {PROJECT} packs a .blend file of this \
             machine; give that with {INPUT_URI}, and its folder with {PROJECT_DIR}"
        )));
    }
    let engine = Engine::Named(ENGINE_OF_THE_REFERENCE.to_owned());
    let preview = resolver.switch(PREVIEW, args.preview.preview)?;
    let rendering = RenderJob {
        overrides: resolver.overrides(&args.scene.overrides, engine, preview)?,
        allow_missing: resolver.allow_missing(&args.scene)?,
        missing_files: MISSING_FILES.value_or_default(args.scene.missing_files.as_deref(), env)?,
        unbaked: resolver.unbaked(&args.scene)?,
        user_code: resolver.user_code(&args.scene.user_code)?,
        ..described(scene, None)
    };
    let job = packing(resolver, &args.packing, rendering, output)?;
    Ok(Some(Box::new(PackJob { dry_run: args.dry_run, json: args.follow.json, ..job })))
}

/// The request to pack the scene of `described`.
fn packing(
    resolver: &Resolver<'_>,
    args: &PackingArgs,
    described: RenderJob,
    output: Location,
) -> Result<PackJob, UsageError> {
    let env = resolver.environment;
    let Location::Local(scene) = &described.scene else {
        return Err(INPUT_URI.refuse(format_args!(
            "`{}` is on S3, where nothing lies beside it; give a .blend file on this machine",
            described.scene
        )));
    };
    let exclude = (!args.exclude.is_empty()).then(|| args.exclude.join(":"));
    let exclude: Option<String> = EXCLUDE.value(exclude.as_deref(), env)?;
    let blender: Option<String> = BLENDER.value(args.blender.as_deref(), env)?;
    Ok(PackJob {
        scene: scene.clone(),
        output,
        project_dir: resolver.folder(PROJECT_DIR, args.project_dir.as_deref())?,
        name: PROJECT_NAME.value(args.name.as_deref(), env)?,
        exclude: exclude.iter().flat_map(|it| it.split(':')).map(str::to_owned).collect(),
        needs_blender: blender.is_some(),
        hashes: hashes(env)?,
        dry_run: false,
        json: false,
        described: Box::new(described),
    })
}

/// The file with the hashes of packed files, in the folder of the user's caches.
fn hashes(env: &Environment) -> Result<Option<PathBuf>, UsageError> {
    let absolute = |path: &str| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let caches = match env.text("XDG_CACHE_HOME")?.and_then(absolute) {
        Some(caches) => Some(caches),
        None => env.text("HOME")?.and_then(absolute).map(|home| home.join(".cache")),
    };
    Ok(caches.map(|caches| caches.join("render-worker").join("hashes")))
}

/// A flag that is given, of those that mean nothing if no project is packed.
fn given(packing: &PackingArgs, sandbox: &SandboxArgs) -> Option<Setting> {
    let PackingArgs { project_dir, name, exclude, blender } = packing;
    let SandboxArgs { scratch_dir, sandbox, allow_read, pass_env } = sandbox;
    let flags = [
        (PROJECT_DIR, project_dir.is_some()),
        (PROJECT_NAME, name.is_some()),
        (EXCLUDE, !exclude.is_empty()),
        (BLENDER, blender.is_some()),
        (SCRATCH_DIR, scratch_dir.is_some()),
        (SANDBOX, sandbox.is_some()),
        (ALLOW_READ, !allow_read.is_empty()),
        (PASS_ENV, !pass_env.is_empty()),
    ];
    flags.into_iter().find_map(|(setting, is_given)| is_given.then_some(setting))
}
