//! The CloudWatch metrics of an attempt: one line on standard output when it ends.

use std::io::{self, Write as _};
use std::time::SystemTime;

use super::Worker;
use super::report::{FrameState, Report};
use crate::error::Error;
use crate::error_chain::chain;
use crate::exit::Exit;
use crate::telemetry::metrics::{MetricsLine, Unit};

impl Worker {
    /// Prints the metrics of an attempt that ends, unless metrics are off. Blocks as long as
    /// standard output does; the caller sets a time limit.
    pub(crate) async fn print_metrics(&self, report: &Report, result: Result<(), &Error>) {
        let Some(line) = self.metrics_line(report, result) else { return };
        let written = tokio::task::spawn_blocking(move || io::stdout().write_all(line.as_bytes()));
        // A failure is ignored: nobody reads standard output.
        drop(written.await);
    }

    fn metrics_line(&self, report: &Report, result: Result<(), &Error>) -> Option<String> {
        let settings = self.metrics.as_ref()?;
        let mut line = MetricsLine::default();
        if let Some(queue) = &settings.job_queue {
            line.dimension("JobQueue", queue);
        }
        if let Some(definition) = &settings.job_definition {
            line.dimension("JobDefinition", definition);
        }
        let in_state = |state| report.frames.values().filter(move |frame| frame.state == state);
        let (rendered, reused) =
            (in_state(FrameState::Rendered), in_state(FrameState::AlreadyThere));
        let seconds: Vec<f64> = rendered.clone().filter_map(|frame| frame.seconds).collect();
        let bytes: u64 = rendered.clone().map(|frame| frame.bytes).sum();
        let video = report.video.as_ref();
        line.whole("FramesRendered", Unit::Count, rendered.count() as u64);
        line.whole("FramesAlreadyThere", Unit::Count, reused.count() as u64);
        if let Some(video) = video {
            line.whole("FramesStitched", Unit::Count, video.frames);
        }
        if !seconds.is_empty() {
            #[expect(clippy::cast_precision_loss, reason = "frame counts are small")]
            let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
            line.number("SecondsPerFrame", Unit::Seconds, mean);
        }
        let stored = bytes + video.map_or(0, |video| video.bytes);
        line.whole("BytesStored", Unit::Bytes, stored);
        line.whole("StorageRetries", Unit::Count, self.storage.retries());
        if let Some(peak) = report.peak_memory() {
            line.whole("PeakMemory", Unit::Bytes, peak);
        }
        line.number("Duration", Unit::Seconds, report.age().as_secs_f64());
        let exit = result.map_or_else(Error::exit, |()| Exit::Success);
        let succeeded = exit == Exit::Success;
        let interrupted = matches!(exit, Exit::Terminated | Exit::Keyboard);
        for (name, applies) in [
            ("Succeeded", succeeded),
            ("Interrupted", interrupted),
            ("Failed", !succeeded && !interrupted),
        ] {
            line.whole(name, Unit::Count, applies.into());
        }
        line.property("action", report.action.name());
        line.property("exit_code", exit.code());
        if let Err(error) = result {
            line.property("cause", chain(error));
        }
        let attempt = &self.attempt;
        if let Some(job) = &attempt.job_id {
            line.property("job_id", job.as_str());
        }
        if let Some(number) = attempt.number {
            line.property("attempt", number);
        }
        if let Some(array) = attempt.array {
            line.property("array_index", array.index);
        }
        Some(line.finish(SystemTime::now()))
    }
}
