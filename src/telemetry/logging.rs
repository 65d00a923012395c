//! The log: one line for each event on standard error, as text or JSON.
//!
//! A message is complete without its fields. Fields repeat values for queries (`frame`, `bytes`,
//! …) and appear only in JSON, beside fields that identify the job and its attempt.
//!
//! Lines are short enough that no log driver splits them. Control characters are replaced, so that
//! text from a scene cannot control the terminal that shows the log.
//!
//! On a capable terminal, levels have colours, and a progress bar stays beneath the log.
//!
//! A separate thread writes the lines from a queue. Otherwise a slow log driver would fill the
//! pipe, and a blocked worker would miss SIGTERM. Lines are dropped when the queue is full.

use std::fmt;
use std::io::{self, Write as _};
use std::str::FromStr;
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::progress;
use super::screen::{Bar, CHANGED, Screen};
use crate::printable::printable;
use crate::request::{Attempt, ValueError};

/// The target of events that only people who look into a failure want to read, such as the command
/// lines of Blender and FFmpeg. A JSON log has them at their own level, a text log from `debug` on.
pub const DETAILS: &str = "details";

/// The longest message in bytes that is not shortened. JSON escapes can double its length, and
/// Docker's json-file driver splits lines at 16 KiB.
const MAX_MESSAGE_BYTES: usize = 6 * 1024;

/// The longest other field in bytes that is not shortened.
const MAX_FIELD_BYTES: usize = 512;

/// The capacity of the queue in lines. It bounds memory when nobody reads the log.
const QUEUED_LINES: usize = 4096;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level and message.
    Text,
    /// One JSON object.
    Json,
}

impl FromStr for LogFormat {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(ValueError::new(text, "text or json")),
        }
    }
}

/// The least severe level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(Level);

impl LogLevel {
    /// Only warnings and errors.
    pub const WARN: Self = Self(Level::WARN);
}

impl Default for LogLevel {
    fn default() -> Self {
        Self(Level::INFO)
    }
}

impl FromStr for LogLevel {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let level = match text {
            "error" => Level::ERROR,
            "warn" => Level::WARN,
            "info" => Level::INFO,
            "debug" => Level::DEBUG,
            "trace" => Level::TRACE,
            _ => return Err(ValueError::new(text, "error, warn, info, debug or trace")),
        };
        Ok(Self(level))
    }
}

/// The capabilities of standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOutput {
    /// A file, a pipe, or a terminal that only prints.
    Plain,
    /// A terminal that can erase and redraw a line.
    Terminal {
        /// Whether the user wants colours.
        colour: bool,
    },
}

/// Starts logging. Queued lines are written when the guard is dropped. Without `has_threads`, the
/// calling thread writes each line itself.
pub fn start(
    format: LogFormat,
    level: LogLevel,
    output: LogOutput,
    attempt: &Attempt,
    has_threads: bool,
) -> Option<WorkerGuard> {
    // JSON is for programs, even on a terminal.
    let output = match format {
        LogFormat::Text if has_threads => output,
        LogFormat::Text | LogFormat::Json => LogOutput::Plain,
    };
    let bar = Bar::default();
    let queue = has_threads.then(|| match output {
        LogOutput::Terminal { colour } => queue(Screen::new(io::stderr(), bar.clone(), colour)),
        LogOutput::Plain => queue(io::stderr()),
    });
    let (stderr, guard) = queue.unzip();
    let writer = match &stderr {
        Some(queue) => BoxMakeWriter::new(queue.clone()),
        None => BoxMakeWriter::new(io::stderr),
    };
    // Libraries log only problems.
    let libraries = if level.0 == Level::TRACE { LevelFilter::DEBUG } else { LevelFilter::WARN };
    // The SDK warns about missing credentials, which our own error reports, too.
    let sdk = if level.0 == Level::TRACE { LevelFilter::DEBUG } else { LevelFilter::ERROR };
    let details = match format {
        LogFormat::Text if level.0 == Level::INFO => LevelFilter::WARN,
        LogFormat::Text | LogFormat::Json => level.0.into(),
    };
    let levels = Targets::new()
        .with_target(DETAILS, details)
        .with_default(libraries)
        .with_target("aws_config", sdk)
        .with_target(env!("CARGO_CRATE_NAME"), level.0)
        .with_target(progress::TARGET, LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines {
            format,
            colour: output == LogOutput::Terminal { colour: true },
            context: context(attempt),
        })
        .with_writer(writer)
        .with_filter(levels);
    let drawing = stderr.filter(|_| output != LogOutput::Plain).map(|stderr| {
        let progress = Targets::new().with_target(progress::TARGET, LevelFilter::INFO);
        Drawing { bar, stderr }.with_filter(progress)
    });
    // Fails only if logging was started before. The existing log stays in use.
    _ = tracing_subscriber::registry().with(lines).with(drawing).try_init();
    guard
}

fn queue(writer: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().buffered_lines_limit(QUEUED_LINES).finish(writer)
}

/// Passes progress events to the bar.
struct Drawing {
    bar: Bar,
    stderr: NonBlocking,
}

impl<S: Subscriber> Layer<S> for Drawing {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let part = fields.rest.get(progress::PART).and_then(Value::as_f64);
        if self.bar.show(part.map(|part| (part, fields.message))) {
            // If the queue is full, the bar is redrawn with the lines in it.
            _ = self.stderr.clone().write(CHANGED);
        }
    }
}

/// The fields that every JSON line carries.
fn context(attempt: &Attempt) -> Map<String, Value> {
    let fields = [
        ("job_id", attempt.job_id.as_ref().map(|id| sanitized(id, MAX_FIELD_BYTES).into())),
        ("attempt", attempt.number.map(Value::from)),
        ("array_index", attempt.array.map(|array| array.index.into())),
    ];
    let known = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.collect()
}

struct Lines {
    format: LogFormat,
    colour: bool,
    context: Map<String, Value>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let level = event.metadata().level();
        match self.format {
            LogFormat::Text => {
                let clock = now.get(11..19).unwrap_or(&now);
                let style = if self.colour { style(*level) } else { Style::new() };
                write!(writer, "{clock} {style}{level:<5}{style:#} ")?;
                if let Some(program) = fields.rest.get("program").and_then(Value::as_str) {
                    write!(writer, "{program}: ")?;
                }
                writeln!(writer, "{}", fields.message)
            }
            LogFormat::Json => {
                let mut line = Map::new();
                line.insert("timestamp".to_owned(), now.into());
                line.insert("level".to_owned(), level.to_string().into());
                line.insert("message".to_owned(), fields.message.into());
                line.extend(self.context.clone());
                line.extend(fields.rest);
                writeln!(writer, "{}", Value::Object(line))
            }
        }
    }
}

fn style(level: Level) -> Style {
    match level {
        Level::ERROR => AnsiColor::Red.on_default().bold(),
        Level::WARN => AnsiColor::Yellow.on_default().bold(),
        Level::INFO => Style::new(),
        _ => Style::new().dimmed(),
    }
}

/// The fields of one event.
#[derive(Default)]
struct Fields {
    message: String,
    rest: Map<String, Value>,
}

impl Fields {
    fn insert(&mut self, field: &Field, value: Value) {
        self.rest.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = sanitized(&text, MAX_MESSAGE_BYTES);
        } else {
            self.insert(field, sanitized(&text, MAX_FIELD_BYTES).into());
        }
    }
}

/// Makes a text [`printable`], and omits its middle if it is longer than `max_bytes`: the advice at
/// the end of a message stays.
fn sanitized(text: &str, max_bytes: usize) -> String {
    let text = printable(text);
    if text.len() <= max_bytes {
        return text;
    }
    let (head, rest) = text.split_at(text.floor_char_boundary(max_bytes / 2));
    let (middle, tail) = rest.split_at(rest.ceil_char_boundary(rest.len() - max_bytes / 2));
    format!("{head} [… {} bytes more …] {tail}", middle.len())
}
