//! The log: one event a line on standard error, for people or for machines.
//!
//! A message stands alone: whatever a person needs is in its words. Fields repeat
//! what a query needs (`frame`, `bytes`, …) and appear in JSON only, beside the
//! fields that tell which attempt of which job is speaking.
//!
//! No line is longer than every log driver takes in one piece, and none commands the
//! terminal that shows it, whatever the words in it come from.
//!
//! On a terminal that can do it, levels have colours and a progress bar stands beneath.
//!
//! Writing happens on a thread of its own behind a queue: a log driver that does
//! not keep up fills the pipe, and a worker that blocks there would miss SIGTERM.
//! Lines that the queue cannot hold are lost.

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

/// The longest message and the longest other field that are written whole, in bytes.
/// JSON can double each, and Docker's json-file driver splits lines at 16 KiB.
const LONGEST_MESSAGE: usize = 6 * 1024;
const LONGEST_FIELD: usize = 512;

/// Lines that may wait to be written. Bounds memory when nobody reads the log.
const QUEUED_LINES: usize = 4096;

/// How a line looks.
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

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(Level);

impl LogLevel {
    /// Only what asks for attention.
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

/// What whoever reads standard error can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A file, a pipe, or a terminal that only prints.
    Plain,
    /// A terminal on which a line can be wiped and drawn again.
    Terminal {
        /// Whether its user wants colours.
        colour: bool,
    },
}

/// Begins to log. Lines still queued are written when the guard is dropped. Where there may
/// be no thread for it, each line is written at once instead.
pub fn start(
    format: LogFormat,
    level: LogLevel,
    reader: Reader,
    attempt: &Attempt,
    has_threads: bool,
) -> Option<WorkerGuard> {
    // JSON is for machines, wherever it goes.
    let reader = match format {
        LogFormat::Text => reader,
        LogFormat::Json => Reader::Plain,
    };
    let reader = if has_threads { reader } else { Reader::Plain };
    let bar = Bar::default();
    let queue = has_threads.then(|| match reader {
        Reader::Terminal { colour } => queue(Screen::new(io::stderr(), bar.clone(), colour)),
        Reader::Plain => queue(io::stderr()),
    });
    let (stderr, guard) = queue.unzip();
    let writer = match &stderr {
        Some(queue) => BoxMakeWriter::new(queue.clone()),
        None => BoxMakeWriter::new(io::stderr),
    };
    // Libraries speak up only when something is wrong.
    let libraries = if level.0 == Level::TRACE { LevelFilter::DEBUG } else { LevelFilter::WARN };
    // What it says of credentials that are not to be had is told as the cause of a failure.
    let sdk = if level.0 == Level::TRACE { LevelFilter::DEBUG } else { LevelFilter::ERROR };
    let levels = Targets::new()
        .with_default(libraries)
        .with_target("aws_config", sdk)
        .with_target(env!("CARGO_CRATE_NAME"), level.0)
        .with_target(progress::TARGET, LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines {
            format,
            colour: reader == Reader::Terminal { colour: true },
            context: context(attempt),
        })
        .with_writer(writer)
        .with_filter(levels);
    let drawing = stderr.filter(|_| reader != Reader::Plain).map(|stderr| {
        let progress = Targets::new().with_target(progress::TARGET, LevelFilter::INFO);
        Drawing { bar, stderr }.with_filter(progress)
    });
    // Fails only if logging has begun already, and then it goes on as it was.
    _ = tracing_subscriber::registry().with(lines).with(drawing).try_init();
    guard
}

fn queue(writer: impl io::Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().buffered_lines_limit(QUEUED_LINES).finish(writer)
}

/// Has the bar show how far the job is.
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
            // Where the queue is full, the lines in it will bring the bar up to date.
            _ = self.stderr.clone().write(CHANGED);
        }
    }
}

/// The fields that every JSON line carries.
fn context(attempt: &Attempt) -> Map<String, Value> {
    let fields = [
        ("job_id", attempt.job_id.as_ref().map(|id| presentable(id, LONGEST_FIELD).into())),
        ("attempt", attempt.number.map(Value::from)),
        ("array_index", attempt.array.map(|array| array.index.into())),
    ];
    let set = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    set.collect()
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
            self.message = presentable(&text, LONGEST_MESSAGE);
        } else {
            self.insert(field, presentable(&text, LONGEST_FIELD).into());
        }
    }
}

/// The text without what would command a terminal or begin a line of its own, and with its middle left out if it
/// is longer than `longest` bytes: a message ends in what to do.
fn presentable(text: &str, longest: usize) -> String {
    let text = printable(text);
    if text.len() <= longest {
        return text;
    }
    let (head, rest) = text.split_at(text.floor_char_boundary(longest / 2));
    let (middle, tail) = rest.split_at(rest.ceil_char_boundary(rest.len() - longest / 2));
    format!("{head} [… {} bytes more …] {tail}", middle.len())
}
