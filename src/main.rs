//! The ENTRYPOINT: a table of contents.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use render_worker::cli::{self, Command, Environment, JobRequest, Refusal};
use render_worker::error::Error;
use render_worker::error_chain::chain;
use render_worker::exit::Exit;
use render_worker::jobs;
use render_worker::process::guard::orphans::{self, PreExisting};
use render_worker::process::guard::{self, Guard};
use render_worker::process::sandbox::Sandbox;
use render_worker::process::shutdown::{Shutdown, spot};
use render_worker::process::startup::{descriptors, resources, signals, undumpable};
use render_worker::provenance::Provenance;
use render_worker::render;
use render_worker::request::Attempt;
use render_worker::stitch;
use render_worker::storage::Storage;
use render_worker::telemetry::logging::{self, LogFormat, LogLevel, Reader};
use render_worker::worker::{Programs, StorageTimeouts, Worker};

/// How long work that was given up may take to end. A system call on a file system
/// that hangs cannot be given up, and must not hold the worker after SIGTERM.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

/// How long threads are kept that have nothing to do: there may be no other ones.
const KEPT: Duration = Duration::from_hours(24);

fn main() -> ExitCode {
    undumpable::make();
    let ignored = signals::reset();
    let (guard, args) = Guard::of(std::env::args_os());
    if guard::is_init()
        && let Ok(code) = guard::run(&args, &ignored)
    {
        return code;
    }
    let environment = Environment::current();
    let reader = reader(&environment);
    match cli::parse(args.clone(), &environment) {
        Ok(command) => {
            // Whoever starts no program leaves none behind.
            if guard.is_none()
                && command.action.runs_programs()
                && let Ok(code) = guard::run(&args, &ignored)
            {
                return code;
            }
            work(command, reader, guard, &ignored).into()
        }
        Err(Refusal::Answer(text)) => {
            answer(&text).map_or_else(|error| error.exit(), |()| Exit::Success).into()
        }
        Err(Refusal::Usage(error, format)) => {
            let format = format.unwrap_or_else(default_format);
            let level = LogLevel::default();
            let has_threads = resources::ensure().is_ok();
            let _log = logging::start(format, level, reader, &Attempt::default(), has_threads);
            tracing::error!(exit_code = Exit::Usage.code(), "{error}");
            Exit::Usage.into()
        }
    }
}

/// Carries out a command, and says how that ended.
fn work(command: Command, reader: Reader, guard: Option<Guard>, ignored: &[Signal]) -> Exit {
    descriptors::keep();
    let format = command.log_format.unwrap_or_else(default_format);
    let granted = resources::ensure();
    let (level, attempt) = (command.log_level, &command.attempt);
    let _log = logging::start(format, level, reader, attempt, granted.is_ok());
    if let Err(lack) = granted {
        return ended(&Error::Machine(lack));
    }
    let sandbox = Sandbox::detect(command.confinement.sandbox);
    // Whoever only asks starts no program that would have to be locked in.
    if command.action.runs_programs() {
        introduce(&command.provenance, &sandbox);
    }
    for name in command.confinement.secrets() {
        tracing::warn!("--pass-env (PASS_ENV): every script in a scene can read {name}");
    }
    if let Some(frames) = &command.sorted {
        tracing::warn!("--frames (FRAMES): they are taken in ascending order, {frames}");
    }
    orphans::adopt();
    let pre_existing = PreExisting::now();
    let left_behind = LEFT_BEHIND.min(command.stop_grace.ending() / 4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads())
        .thread_keep_alive(KEPT)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            // One is there, then, when Blender has taken all threads that can be had.
            drop(runtime.spawn_blocking(|| ()));
            let result = runtime.block_on(run(command, sandbox, guard, ignored));
            runtime.shutdown_timeout(left_behind);
            // Where the job was given up together with its child.
            orphans::end_all(&pre_existing);
            result
        }
        Err(error) => Err(Error::Internal(format!("cannot start: {error}"))),
    };
    result.map_or_else(|error| ended(&error), |()| Exit::Success)
}

/// Says why the job did not reach its end.
fn ended(error: &Error) -> Exit {
    let exit = error.exit();
    let said = match error.said() {
        [] => String::new(),
        lines => format!("; it said: {}", lines.join(" | ")),
    };
    tracing::error!(
        exit_code = exit.code(),
        "{}{said}; what to do: {} (exit code {})",
        chain(error),
        error.advice(),
        exit.code()
    );
    exit
}

/// So many threads wait and compute for us: beside Blender, which has a thread a core, and
/// each has memory of its own. With more than one, signals are heard while one is busy with
/// the scratch folder.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, NonZeroUsize::get).clamp(2, 4)
}

/// The log's first line: what this is, and which sandbox is in force.
fn introduce(provenance: &Provenance, sandbox: &Sandbox) {
    // The level must be known when this is compiled.
    macro_rules! say {
        ($level:ident) => {
            tracing::$level!(
                version = provenance.image.version,
                revision = provenance.image.revision,
                branch = provenance.image.branch,
                created = provenance.image.created,
                "{provenance}; {sandbox}"
            )
        };
    }
    if sandbox.is_incomplete() {
        say!(warn);
    } else {
        say!(info);
    }
}

/// Carries out a command, as long as there is time for that.
async fn run(
    command: Command,
    sandbox: Sandbox,
    guard: Option<Guard>,
    ignored: &[Signal],
) -> Result<(), Error> {
    let has_results = command.action.runs_programs();
    let shutdown = Shutdown::listen(command.stop_grace, has_results, guard, ignored)
        .map_err(|error| Error::Internal(format!("no signals: {error}")))?;
    if command.asks_instance {
        spot::watch(&shutdown);
    }
    if let Some(limit) = command.limits.job.get() {
        let shutdown = shutdown.clone();
        tokio::spawn(async move { shutdown.within(limit).await });
    }
    let last_moment = command.stop_grace.ending() / 8;
    let mut job = tokio::spawn(carry_out(command, sandbox, shutdown.clone()));
    let result = tokio::select! {
        result = &mut job => result,
        by = shutdown.overdue() => {
            job.abort();
            // Whatever it holds is let go of: children, uploads, scratch.
            drop(tokio::time::timeout(last_moment, job).await);
            let left = "the job is not done, and was given up where it was".to_owned();
            return Err(Error::Interrupted { by, left });
        }
    };
    // A panic is caught where its task is awaited; here, that of the job itself.
    result.unwrap_or_else(|panic| Err(Error::Internal(panic.to_string())))
}

async fn carry_out(command: Command, sandbox: Sandbox, shutdown: Shutdown) -> Result<(), Error> {
    let worker = Worker {
        storage: Arc::new(Storage::new(command.transfers)),
        shutdown,
        attempt: command.attempt,
        provenance: command.provenance,
        programs: Programs { search_path: command.search_path },
        confinement: sandbox.confine(command.confinement),
        sandbox,
        limits: command.limits,
        timeouts: StorageTimeouts::default(),
        metrics: command.metrics,
        scratch_dir: command.scratch_dir,
    };
    match command.action {
        JobRequest::Render { job, blender } => render::render(&worker, &job, &blender).await,
        JobRequest::Stitch { job, ffmpeg, ffprobe } => {
            stitch::stitch(&worker, &job, &ffmpeg, &ffprobe).await
        }
        JobRequest::Inspect(job) => jobs::inspect(&worker, &job, answer).await,
        JobRequest::Submit(job) => jobs::submit(&worker, &job, answer).await,
        JobRequest::Status(job) => jobs::status(&worker, &job, answer).await,
    }
}

/// Prints what was asked for.
fn answer(text: &str) -> Result<(), Error> {
    let mut output = std::io::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        // Whoever closed the pipe has read enough.
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Answer { text: text.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// Who reads the log.
fn reader(environment: &Environment) -> Reader {
    if std::io::stderr().is_terminal() && environment.has_cursor() {
        Reader::Terminal { colour: environment.wants_colour() }
    } else {
        Reader::Plain
    }
}

fn default_format() -> LogFormat {
    if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json }
}
