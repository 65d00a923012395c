//! The request of `serve`, from flags and variables.

use std::path::PathBuf;

use super::Resolver;
use super::video::{INPUT_DIR, OUTPUT_DIR};
use crate::cli::args::ServeArgs;
use crate::cli::names::{
    ALL, ALLOW_HOST, ALLOW_READ, BLENDER, CACHE_DIR, CACHE_SIZE, DATA, FFMPEG, FFPROBE,
    GPUS_PER_PROCESS, LISTEN, MAX_PREFETCH, PASS_ENV, PROCESSES, SANDBOX, SCRATCH_DIR,
    STALL_TIMEOUT, STOP_GRACE, WATCH,
};
use crate::cli::setting::{Setting, UsageError};
use crate::request::{HostNames, ListenAddress, Location, Paths, ServeJob};

/// The variable with the address, as the page of Gradio has it.
const SERVER_NAME: &str = "SERVER_NAME";

/// The variable with the port, as the page of Gradio has it.
const SERVER_PORT: &str = "SERVER_PORT";

/// The settings that the jobs of the server take from the environment: those of this machine. All
/// others are set by the page, or would change what it asks for.
const OF_THE_MACHINE: [Setting; 14] = [
    ALLOW_READ,
    BLENDER,
    CACHE_DIR,
    CACHE_SIZE,
    FFMPEG,
    FFPROBE,
    GPUS_PER_PROCESS,
    MAX_PREFETCH,
    PASS_ENV,
    PROCESSES,
    SANDBOX,
    SCRATCH_DIR,
    STALL_TIMEOUT,
    STOP_GRACE,
];

/// The request of `serve`.
///
/// # Errors
/// If a setting is not of its kind.
pub(in crate::cli) fn serve_job(
    resolver: &Resolver<'_>,
    args: &ServeArgs,
) -> Result<ServeJob, UsageError> {
    let env = resolver.environment;
    let hosts = (!args.allow_host.is_empty()).then(|| args.allow_host.join(","));
    let HostNames(allowed_hosts) = ALLOW_HOST.value(hosts.as_deref(), env)?.unwrap_or_default();
    let watched = (!args.watch.is_empty()).then(|| args.watch.join(":"));
    let Paths(watched) = WATCH.value(watched.as_deref(), env)?.unwrap_or_default();
    let data: Location = DATA.value_or_default(args.data.as_deref(), env)?;
    let folder = |variable: &'static str| {
        let Some(text) = env.text(variable)? else { return Ok(None) };
        let folder = text.parse().map_err(|error| UsageError(format!("{variable}: {error}")))?;
        local(variable, folder).map(Some)
    };
    let is_for_others = |name: &str| {
        ALL.iter().any(|setting| setting.variable == name)
            && !OF_THE_MACHINE.iter().any(|setting| setting.variable == name)
    };
    let kept = env.all().filter(|(name, _)| !is_for_others(name));
    Ok(ServeJob {
        listen: listen(resolver, args)?,
        allowed_hosts,
        data: local(&DATA.to_string(), data)?,
        watched: watched.into_iter().map(absolute).collect(),
        input: folder(INPUT_DIR)?,
        output: folder(OUTPUT_DIR)?,
        environment: kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    })
}

/// The address of `--listen`, or of the two variables of Gradio.
fn listen(resolver: &Resolver<'_>, args: &ServeArgs) -> Result<ListenAddress, UsageError> {
    let env = resolver.environment;
    if let Some(address) = LISTEN.value(args.listen.as_deref(), env)? {
        return Ok(address);
    }
    let mut address = ListenAddress::default();
    if let Some(name) = env.text(SERVER_NAME)? {
        let error = |error| UsageError(format!("{SERVER_NAME}: {error}"));
        address = address.with_name(name).map_err(error)?;
    }
    if let Some(port) = env.text(SERVER_PORT)? {
        let error = |error| UsageError(format!("{SERVER_PORT}: {error}"));
        address = address.with_port(port).map_err(error)?;
    }
    Ok(address)
}

/// A folder on this machine.
fn local(what: &str, folder: Location) -> Result<PathBuf, UsageError> {
    match folder {
        // Jobs get it as a flag, and have another working directory in time.
        Location::Local(path) => Ok(absolute(path)),
        elsewhere @ Location::S3 { .. } => Err(UsageError(format!(
            "{what}: `{elsewhere}` is on S3; give a folder on this machine"
        ))),
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::ServeArgs;
    use crate::cli::setting::Environment;

    fn job(listen: Option<&str>, environment: &Environment) -> Result<ServeJob, String> {
        let args = ServeArgs {
            listen: listen.map(str::to_owned),
            data: Some("/data".to_owned()),
            allow_host: vec!["a.example".to_owned(), "b.example".to_owned()],
            watch: vec!["/renders".to_owned(), "more".to_owned()],
            store: crate::cli::args::StoreArgs::default(),
            log: crate::cli::args::LogArgs::default(),
        };
        serve_job(&Resolver { environment }, &args).map_err(|error| error.to_string())
    }

    #[test]
    fn the_address_comes_from_the_flag_or_from_the_variables_of_gradio() {
        let gradio = [("SERVER_NAME", "0.0.0.0"), ("SERVER_PORT", "80")];
        for (flag, environment, expected) in [
            (None, Environment::default(), "127.0.0.1:7861"),
            (None, gradio.into(), "0.0.0.0:80"),
            (None, [("SERVER_PORT", "9000")].into(), "127.0.0.1:9000"),
            (None, [("SERVER_NAME", "::"), ("LISTEN", "")].into(), "[::]:7861"),
            (Some("[::1]:1"), gradio.into(), "[::1]:1"),
        ] {
            let job = job(flag, &environment).unwrap();
            assert_eq!(job.listen.socket().to_string(), expected);
            assert_eq!(job.allowed_hosts.len(), 2);
            assert_eq!(job.watched.len(), 2);
            assert!(job.watched.iter().all(|folder| folder.is_absolute()));
        }
        for (name, value) in [("SERVER_NAME", "studio"), ("SERVER_PORT", "x"), ("LISTEN", "80")] {
            let error = job(None, &[(name, value)].into()).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        let error = job(None, &[("OUTPUT_DIR", "s3://bucket")].into()).unwrap_err();
        assert!(error.contains("OUTPUT_DIR") && error.contains("on this machine"), "{error}");
    }

    #[test]
    fn jobs_get_the_settings_of_the_machine_and_none_of_other_videos() {
        let environment =
            [("FFMPEG", "/opt/ffmpeg"), ("FPS", "12"), ("INPUT_URI", "s3://b/x"), ("TZ", "UTC")];
        let job = job(None, &environment.into()).unwrap();
        let names: Vec<_> = job.environment.keys().map(String::as_str).collect();
        assert_eq!(names, ["FFMPEG", "TZ"]);
    }
}
