//! Numbers for Amazon CloudWatch: lines in its Embedded Metric Format, which CloudWatch Logs
//! turns into metrics by itself where it receives them as log events ("Specification:
//! Embedded metric format" in the Amazon CloudWatch user guide). No agent, no request, no
//! right is needed.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// Where the metrics are found in CloudWatch.
const NAMESPACE: &str = "RenderWorker";

/// The longest text in a line, in bytes. With it no line is longer than log drivers take in
/// one piece, 16 KiB, though JSON may write a byte as six.
const LONGEST_TEXT: usize = 1024;

/// What a number counts, as CloudWatch calls it.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Things.
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

/// A line that is being put together.
#[derive(Debug, Default)]
pub struct MetricsLine {
    dimensions: Vec<&'static str>,
    definitions: Vec<Value>,
    members: Map<String, Value>,
}

impl MetricsLine {
    /// What the numbers can be grouped by. Each combination of values is a metric of its own
    /// that is paid for: no ids.
    pub fn dimension(&mut self, name: &'static str, value: &str) {
        self.dimensions.push(name);
        self.property(name, value);
    }

    /// A whole number.
    #[expect(clippy::cast_precision_loss, reason = "what is grouped and averaged needs no more")]
    pub fn whole(&mut self, name: &'static str, unit: Unit, value: u64) {
        self.number(name, unit, value as f64);
    }

    /// A number.
    pub fn number(&mut self, name: &'static str, unit: Unit, value: f64) {
        self.definitions.push(json!({ "Name": name, "Unit": unit.name() }));
        self.members.insert(name.to_owned(), json!(value));
    }

    /// What is only to be found in the log.
    pub fn property(&mut self, name: &str, value: impl Into<Value>) {
        let mut value = value.into();
        if let Value::String(text) = &mut value {
            text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        }
        self.members.insert(name.to_owned(), value);
    }

    /// The line, of this moment, with its end.
    pub fn finish(mut self, now: SystemTime) -> String {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let directive = json!({
            "Namespace": NAMESPACE,
            "Dimensions": [self.dimensions],
            "Metrics": self.definitions,
        });
        let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
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
    fn a_line_is_what_cloudwatch_expects() {
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
    fn no_text_makes_it_too_long() {
        let mut line = MetricsLine::default();
        line.property("cause", "\u{1}ü".repeat(100_000));
        line.dimension("JobQueue", &"\"".repeat(100_000));
        let line = line.finish(UNIX_EPOCH);
        assert!(line.len() < 16 * 1024, "{}", line.len());
    }
}
