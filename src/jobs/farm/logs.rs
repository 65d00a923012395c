//! `logs`: prints the log of a job on AWS Batch, and follows it while the job runs.

use std::time::Duration;

use tokio::time::sleep;

use crate::batch::{Batch, Job};
use crate::cloudwatch::{CloudWatchLogs, LogStream, LogsErrorKind};
use crate::error::Error;
use crate::jobs::output::Print;
use crate::request::LogsJob;
use crate::worker::Worker;

/// The time between two looks at a log that is followed.
const INTERVAL: Duration = Duration::from_secs(2);

/// Prints the messages of a job's container as they are. With `follow`, also those that come until the job
/// has ended, and those of its next attempts.
///
/// # Errors
/// - [`Error::NoSuchJob`] if Batch has no such job, [`Error::NoLog`] if it has no log.
/// - [`Error::Batch`] or [`Error::Logs`] if one of the services cannot be queried.
/// - [`Error::Interrupted`] if the worker is stopped while it follows.
pub async fn logs(worker: &Worker, request: &LogsJob, print: impl Print) -> Result<(), Error> {
    let following = async {
        let batch = Batch::connect().await?;
        let mut reader = Reader { logs: CloudWatchLogs::connect().await?, place: None };
        let mut told = None;
        loop {
            let job = look_up(&batch, request).await?;
            let waits = request.follow && !job.state.is_final();
            let printed = match stream(&job, request.attempt) {
                Some(stream) => reader.print_new(stream, waits, &print).await?,
                None if waits => {
                    if told != Some(job.state) {
                        tracing::info!("{} is {}, and has no log yet", job.id, job.state.name());
                        told = Some(job.state);
                    }
                    0
                }
                None => return Err(no_log(&job, request)),
            };
            // Messages arrive some seconds late, so the last look is one that finds none.
            if !request.follow || job.state.is_final() && printed == 0 {
                return Ok(());
            }
            sleep(INTERVAL).await;
        }
    };
    worker.unless_stopped(following).await
}

async fn look_up(batch: &Batch, request: &LogsJob) -> Result<Job, Error> {
    let found = batch.describe(std::slice::from_ref(&request.job)).await?;
    let region = batch.region().to_owned();
    let missing = || Error::NoSuchJob { job: request.job.clone(), region };
    let job = found.into_iter().next().ok_or_else(missing)?;
    match &job.children {
        None => Ok(job),
        Some(children) => Err(Error::NoLog {
            job: request.job.clone(),
            why: format!(
                "it is an array of {} children, each of which has a log; name one, as in {}:0",
                children.size, request.job
            ),
        }),
    }
}

/// The log stream of an attempt, or of the last one.
fn stream(job: &Job, attempt: Option<u32>) -> Option<LogStream> {
    let mut streams: Vec<_> = job.attempts.iter().map(|ended| ended.log_stream.as_ref()).collect();
    // Batch describes the container of the last attempt, also once this has ended.
    if !job.state.is_final()
        && job.log_stream.is_some()
        && !streams.contains(&job.log_stream.as_ref())
    {
        streams.push(job.log_stream.as_ref());
    }
    let name = match attempt {
        Some(number) => *streams.get(usize::try_from(number).ok()?.checked_sub(1)?)?,
        None => streams.into_iter().flatten().next_back(),
    };
    Some(LogStream { group: job.log_group.clone(), name: name?.clone() })
}

fn no_log(job: &Job, request: &LogsJob) -> Error {
    let why = match (request.attempt, job.attempts.len()) {
        (Some(number), count) if number as usize > count => {
            format!("it has no attempt {number}; it has had {count}")
        }
        (Some(number), _) => format!("no container ran in attempt {number}"),
        (None, _) if job.state.is_final() => "no container has run".to_owned(),
        (None, _) => format!("it is {}; follow it with -f", job.state.name()),
    };
    Error::NoLog { job: request.job.clone(), why }
}

/// A log stream, and how far it is read.
struct Reader {
    logs: CloudWatchLogs,
    place: Option<(LogStream, Option<String>)>,
}

impl Reader {
    /// Prints what is new in a stream, and returns the number of messages. A stream that is not there counts
    /// as empty if it `may_come`.
    async fn print_new(
        &mut self,
        stream: LogStream,
        may_come: bool,
        print: &impl Print,
    ) -> Result<usize, Error> {
        let mut token = match self.place.take() {
            Some((known, token)) if known == stream => token,
            Some(_) => {
                tracing::info!("another attempt has begun: {}", stream.name);
                None
            }
            None => None,
        };
        let mut printed = 0;
        loop {
            let page = match self.logs.read(&stream, token.as_deref()).await {
                Ok(page) => page,
                Err(error) if may_come && error.kind() == LogsErrorKind::Missing => break,
                Err(error) => return Err(error.into()),
            };
            printed += page.messages.len();
            if !page.messages.is_empty() {
                print(&(page.messages.join("\n") + "\n"))?;
            }
            let at_end = page.next.is_none() || page.next == token;
            token = page.next.or(token);
            if at_end {
                break;
            }
        }
        self.place = Some((stream, token));
        Ok(printed)
    }
}
