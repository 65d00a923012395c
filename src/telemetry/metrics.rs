//! Metrics for Amazon CloudWatch, as lines in its Embedded Metric Format. CloudWatch Logs turns
//! such log events into metrics ("Specification: Embedded metric format" in the Amazon CloudWatch
//! user guide). They need no agent, no request and no permission.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// The namespace of the metrics in CloudWatch.
const NAMESPACE: &str = "RenderWorker";

/// The longest text in a line, in bytes. It keeps lines below 16 KiB, where log drivers split them,
/// even if JSON escapes every byte as six.
const MAX_TEXT_BYTES: usize = 1024;

/// The unit of a metric.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
            Self::Bytes => "Bytes",
        }
    }
}

/// A builder for one line.
#[derive(Debug, Default)]
pub struct MetricsLine {
    dimensions: Vec<&'static str>,
    definitions: Vec<Value>,
    members: Map<String, Value>,
}

impl MetricsLine {
    /// Adds a dimension that metrics can be grouped by. Never use ids: each combination of values
    /// is billed as a separate metric.
    pub fn dimension(&mut self, name: &'static str, value: &str) {
        self.dimensions.push(name);
        self.property(name, value);
    }

    /// Adds a metric with a whole number.
    #[expect(clippy::cast_precision_loss, reason = "metrics need no more precision")]
    pub fn whole(&mut self, name: &'static str, unit: Unit, value: u64) {
        self.number(name, unit, value as f64);
    }

    /// Adds a metric.
    pub fn number(&mut self, name: &'static str, unit: Unit, value: f64) {
        self.definitions.push(json!({ "Name": name, "Unit": unit.name() }));
        self.members.insert(name.to_owned(), json!(value));
    }

    /// Adds a field that appears only in the log.
    pub fn property(&mut self, name: &str, value: impl Into<Value>) {
        let mut value = value.into();
        if let Value::String(text) = &mut value {
            text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        }
        self.members.insert(name.to_owned(), value);
    }

    /// Formats the line with the time `now`, and a line break.
    pub fn finish(mut self, now: SystemTime) -> String {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let directive = json!({
            "Namespace": NAMESPACE,
            "Dimensions": [self.dimensions],
            "Metrics": self.definitions,
        });
        let milliseconds = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        let metadata = json!({ "Timestamp": milliseconds, "CloudWatchMetrics": [directive] });
        self.members.insert("_aws".to_owned(), metadata);
        Value::Object(self.members).to_string() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn lines_follow_the_embedded_metric_format() {
        let mut line = MetricsLine::default();
        line.dimension("JobQueue", "spot");
        line.number("FramesRendered", Unit::Count, 10.0);
        line.number("Seconds", Unit::Seconds, 1.5);
        line.property("job_id", "1:7");
        let line = line.finish(UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
        let expected = json!({
            "JobQueue": "spot",
            "FramesRendered": 10.0,
            "Seconds": 1.5,
            "job_id": "1:7",
            "_aws": {
                "Timestamp": 1_700_000_000_123u64,
                "CloudWatchMetrics": [{
                    "Namespace": "RenderWorker",
                    "Dimensions": [["JobQueue"]],
                    "Metrics": [
                        { "Name": "FramesRendered", "Unit": "Count" },
                        { "Name": "Seconds", "Unit": "Seconds" }
                    ]
                }]
            }
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
    }

    #[test]
    fn long_texts_do_not_make_lines_too_long() {
        let mut line = MetricsLine::default();
        line.property("cause", "\u{1}ü".repeat(100_000));
        line.dimension("JobQueue", &"\"".repeat(100_000));
        let line = line.finish(UNIX_EPOCH);
        assert!(line.len() < 16 * 1024, "{}", line.len());
    }
}
