//! The ENTRYPOINT: parses the command line, starts the guard, runs the job, sets the exit code.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use nix::sys::signal::Signal;
use render_worker::bake;
use render_worker::cli::{self, Command, Environment, JobRequest, Refusal};
use render_worker::container::Container;
use render_worker::doctor;
use render_worker::error::Error;
use render_worker::error_chain::chain;
use render_worker::exit::Exit;
use render_worker::inspect;
use render_worker::jobs;
use render_worker::notify::notify;
use render_worker::pack;
use render_worker::printable::printable;
use render_worker::process::guard::orphans::{self, PreExisting};
use render_worker::process::guard::{self, Guard};
use render_worker::process::sandbox::Sandbox;
use render_worker::process::shutdown::{Shutdown, spot};
use render_worker::process::startup::{descriptors, resources, signals, undumpable};
use render_worker::provenance::Provenance;
use render_worker::request::Attempt;
use render_worker::run;
use render_worker::serve;
use render_worker::stitch;
use render_worker::storage::Storage;
use render_worker::telemetry::logging::{self, LogFormat, LogLevel, LogOutput};
use render_worker::worker::{Programs, StorageTimeouts, Worker};
use tracing_appender::non_blocking::WorkerGuard;

/// How long blocking tasks of an aborted job may take to end. A system call on a hung file system
/// cannot be aborted, and must not hold the worker after SIGTERM.
const BLOCKING_TASKS_GRACE: Duration = Duration::from_secs(1);

/// How long idle threads are kept: the system may refuse to start new ones later.
const THREAD_KEEP_ALIVE: Duration = Duration::from_hours(24);

fn main() -> ExitCode {
    undumpable::make();
    let ignored = signals::reset();
    let (guard, args) = Guard::from_args(std::env::args_os());
    if guard::is_init()
        && let Ok(code) = guard::run(&args, &ignored)
    {
        return code;
    }
    let environment = Environment::current();
    let output = log_output(&environment);
    match cli::parse(args.clone(), &environment) {
        Ok(command) => {
            // A command that starts no program needs no guard to end it.
            if guard.is_none()
                && command.action.has_sandbox()
                && let Ok(code) = guard::run(&args, &ignored)
            {
                return code;
            }
            execute(command, output, guard, &ignored).into()
        }
        Err(Refusal::Answer(text)) => match print(&text) {
            Ok(()) => Exit::Success.into(),
            Err(error) => {
                let _log = start_plain_log(None, output);
                log_failure(&error).into()
            }
        },
        Err(Refusal::Usage { error, text, format }) => {
            // Programs read the log of a job. What was typed by hand is answered in plain text.
            if format.is_some() || environment.is_scheduled() {
                let _log = start_plain_log(format, output);
                tracing::error!(exit_code = Exit::Usage.code(), "{error}");
            } else {
                show_usage_error(&text, output);
            }
            Exit::Usage.into()
        }
    }
}

/// Starts a log where no command line says how it should look.
fn start_plain_log(format: Option<LogFormat>, output: LogOutput) -> Option<WorkerGuard> {
    let format = format.unwrap_or_else(default_format);
    let has_threads = resources::ensure().is_ok();
    logging::start(format, LogLevel::default(), output, &Attempt::default(), has_threads)
}

/// Shows an error in the command line to the person who typed it.
fn show_usage_error(text: &str, output: LogOutput) {
    let style = match output {
        LogOutput::Terminal { colour: true } => AnsiColor::Red.on_default().bold(),
        LogOutput::Terminal { colour: false } | LogOutput::Plain => Style::new(),
    };
    let lines: Vec<_> = text.lines().map(printable).collect();
    // Nobody can be told that standard error cannot be written.
    _ = writeln!(std::io::stderr(), "{style}error:{style:#} {}", lines.join("\n"));
}

/// Executes a command; the result is the exit code.
fn execute(command: Command, output: LogOutput, guard: Option<Guard>, ignored: &[Signal]) -> Exit {
    descriptors::set_close_on_exec();
    let format = command.log_format.unwrap_or_else(default_format);
    let granted = resources::ensure();
    let (level, attempt) = (command.log_level, &command.attempt);
    let _log = logging::start(format, level, output, attempt, granted.is_ok());
    if let Err(shortage) = granted {
        return log_failure(&Error::Machine(shortage));
    }
    let sandbox = Sandbox::detect(command.confinement.sandbox);
    // A command that starts no program has nothing to confine.
    if command.action.has_sandbox() {
        log_start(&command.provenance, &sandbox);
    }
    for name in command.confinement.secrets() {
        tracing::warn!("--pass-env (PASS_ENV): every script in a scene can read {name}");
    }
    if let Some(frames) = &command.sorted {
        tracing::warn!("--frames (FRAMES): frames are taken in ascending order, {frames}");
    }
    orphans::adopt();
    let pre_existing = PreExisting::now();
    let grace = BLOCKING_TASKS_GRACE.min(command.stop_grace.ending() / 4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads())
        .thread_keep_alive(THREAD_KEEP_ALIVE)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            // Start a blocking thread now: Blender may use up all that the system grants.
            drop(runtime.spawn_blocking(|| ()));
            let result = runtime.block_on(run_until_deadline(command, sandbox, guard, ignored));
            runtime.shutdown_timeout(grace);
            // An aborted job may leave its child behind.
            orphans::kill_all(&pre_existing);
            result
        }
        Err(error) => Err(Error::Internal(format!("cannot start the async runtime: {error}"))),
    };
    result.map_or_else(|error| log_failure(&error), |()| Exit::Success)
}

/// Logs why the job failed; the result is its exit code.
fn log_failure(error: &Error) -> Exit {
    let exit = error.exit();
    let excerpt = match error.excerpt() {
        [] => String::new(),
        lines => format!("; last output: {}", lines.join(" | ")),
    };
    tracing::error!(
        exit_code = exit.code(),
        "{}{excerpt}; what to do: {} (exit code {})",
        chain(error),
        error.advice(Container::detect().as_ref()),
        exit.code()
    );
    exit
}

/// The number of async worker threads. Few, because Blender runs a thread per core and each thread
/// takes memory. At least two, so that signals are handled while one is busy with scratch.
fn worker_threads() -> usize {
    std::thread::available_parallelism().map_or(2, NonZeroUsize::get).clamp(2, 4)
}

/// Logs the first line: the versions of worker and image, and the sandbox in force.
fn log_start(provenance: &Provenance, sandbox: &Sandbox) {
    // `tracing` needs the level at compile time.
    macro_rules! log {
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
        log!(warn);
    } else {
        log!(info);
    }
}

/// Runs a command, and aborts it when the deadline of a shutdown has passed.
async fn run_until_deadline(
    command: Command,
    sandbox: Sandbox,
    guard: Option<Guard>,
    ignored: &[Signal],
) -> Result<(), Error> {
    let has_results = command.action.runs_programs();
    let shutdown = Shutdown::listen(command.stop_grace, has_results, guard, ignored)
        .map_err(|error| Error::Internal(format!("cannot install signal handlers: {error}")))?;
    if command.asks_instance {
        spot::watch(&shutdown);
    }
    if let Some(limit) = command.limits.job.get() {
        let shutdown = shutdown.clone();
        tokio::spawn(async move { shutdown.stop_after(limit).await });
    }
    let last_moment = command.stop_grace.ending() / 8;
    let mut job = tokio::spawn(do_job(command, sandbox, shutdown.clone()));
    let result = tokio::select! {
        result = &mut job => result,
        by = shutdown.overdue() => {
            job.abort();
            // Wait until the job has dropped its children, uploads and scratch folder.
            drop(tokio::time::timeout(last_moment, job).await);
            let left = "the job did not stop in time and was aborted".to_owned();
            return Err(Error::Interrupted { by, left });
        }
    };
    // Panics of other tasks are caught where those are awaited.
    result.unwrap_or_else(|panic| Err(Error::Internal(panic.to_string())))
}

async fn do_job(command: Command, sandbox: Sandbox, shutdown: Shutdown) -> Result<(), Error> {
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
    let (told, started) = (command.notify, SystemTime::now());
    let result = match command.action {
        JobRequest::Run { job, blender, ffmpeg, ffprobe } => {
            let running = Box::pin(run::run(&worker, &job, &blender, &ffmpeg, &ffprobe));
            if job.watch {
                Box::pin(serve::watching(&worker, &job.render.output, running)).await
            } else {
                running.await
            }
        }
        JobRequest::Render { job, blender } => run::render(&worker, &job, &blender).await,
        JobRequest::Stitch { job, ffmpeg, ffprobe } => {
            stitch::stitch(&worker, &job, &ffmpeg, &ffprobe).await
        }
        JobRequest::Serve(job) => serve::serve(&worker, &job).await,
        JobRequest::Bake { job, blender } => bake::bake(&worker, &job, &blender).await,
        JobRequest::Pack { job, blender } => pack::pack(&worker, &job, &blender, print).await,
        JobRequest::Inspect { job, blender } => {
            inspect::inspect(&worker, &job, &blender, print).await
        }
        JobRequest::Doctor { job, blender, ffmpeg, ffprobe } => {
            let programs =
                doctor::Checked { blender: &blender, ffmpeg: &ffmpeg, ffprobe: &ffprobe };
            doctor::doctor(&worker, &job, programs, print).await
        }
        JobRequest::Submit { job, blender } => {
            Box::pin(pack::submit(&worker, &job, &blender, print)).await
        }
        JobRequest::Status(job) => Box::pin(jobs::status(&worker, &job, print)).await,
        JobRequest::Cancel(job) => jobs::cancel(&worker, &job, print).await,
        JobRequest::Retry(job) => Box::pin(jobs::retry(&worker, &job, print)).await,
        JobRequest::Logs(job) => Box::pin(jobs::logs(&worker, &job, print)).await,
    };
    if let Some(told) = told {
        notify(&worker.shutdown, &told, started, result.as_ref().copied()).await;
    }
    result
}

/// Prints to standard output.
fn print(text: &str) -> Result<(), Error> {
    let mut output = std::io::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        // A reader that closed the pipe has read enough.
        Err(source) if source.kind() != ErrorKind::BrokenPipe => {
            Err(Error::Output { text: text.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// The kind of output that standard error is.
fn log_output(environment: &Environment) -> LogOutput {
    if std::io::stderr().is_terminal() && environment.has_cursor() {
        LogOutput::Terminal { colour: environment.wants_colour() }
    } else {
        LogOutput::Plain
    }
}

fn default_format() -> LogFormat {
    if std::io::stderr().is_terminal() { LogFormat::Text } else { LogFormat::Json }
}
