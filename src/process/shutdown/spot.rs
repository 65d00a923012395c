//! The Spot notice: an EC2 instance tells two minutes ahead when it will be taken away.
//!
//! It tells only whoever asks its metadata service ("Spot Instance interruption
//! notices" in the EC2 user guide). From a container that may not be reachable: with
//! the usual hop limit of 1 the answers get lost, and away from EC2 nobody answers.
//! That is no fault, so whoever never answers is soon asked less often; not never again, for
//! the network of a container may come later than its worker.

use std::time::{Duration, SystemTime};

use aws_config::imds::client::{Client, error::ImdsError};
use aws_config::provider_config::ProviderConfig;
use serde::Deserialize;
use tokio::time::sleep;

use super::Shutdown;
use crate::http;

/// Where the notice stands. As long as there is none: 404.
const PATH: &str = "/latest/meta-data/spot/instance-action";

/// How often it is asked for, as the user guide recommends.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long an answer may take. The service is on the machine itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// The same of a service that has not answered the first few times: often enough to be in
/// time for a notice.
const SELDOM: Duration = Duration::from_secs(15);
const ATTEMPTS: u32 = 3;

/// Begins to ask, in the background, and tells `shutdown` of a notice.
pub fn watch(shutdown: &Shutdown) {
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        let goes = notice().await;
        shutdown.noticed(goes).await;
    });
}

/// Waits for a notice.
async fn notice() -> SystemTime {
    let mut service = service();
    let (mut failures, mut answered, mut warned) = (0_u32, false, false);
    // The containers of an instance may have started in step, and need not ask in step.
    let mut pause = INTERVAL.mul_f64(fraction_of_a_second(SystemTime::now()));
    loop {
        match service.get(PATH).await {
            Ok(answer) => {
                answered = true;
                match parse(answer.as_ref()) {
                    Ok(goes) => return goes,
                    Err(why) if !warned => {
                        warned = true;
                        tracing::warn!("the metadata service gives no usable Spot notice: {why}");
                    }
                    Err(_) => {}
                }
            }
            Err(ImdsError::ErrorResponse(error)) if error.response().status().as_u16() == 404 => {
                answered = true;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::debug!(?error, "the metadata service does not answer");
                if !answered && failures == ATTEMPTS {
                    tracing::debug!(
                        "no metadata service: asking for a Spot notice every {} s",
                        SELDOM.as_secs()
                    );
                }
                // With a new token: the old one may be what is wrong.
                service = self::service();
            }
        }
        sleep(pause).await;
        pause = if !answered && failures >= ATTEMPTS { SELDOM } else { INTERVAL };
    }
}

/// The metadata service, where the SDK finds it: `AWS_EC2_METADATA_SERVICE_ENDPOINT`,
/// the profile, or the usual address.
fn service() -> Client {
    let config = ProviderConfig::without_region().with_http_client(http::plain_client());
    Client::builder()
        .configure(&config)
        .max_attempts(1)
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .operation_attempt_timeout(PATIENCE)
        .operation_timeout(PATIENCE)
        .build()
}

fn fraction_of_a_second(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    f64::from(since.subsec_nanos()) / 1e9
}

/// When the instance goes.
fn parse(answer: &str) -> Result<SystemTime, String> {
    /// What happens to it. Whichever it is, the container does not come back.
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Action {
        Terminate,
        Stop,
        Hibernate,
    }

    #[derive(Deserialize)]
    struct Notice {
        #[serde(rename = "action")]
        _action: Action,
        time: String,
    }

    let notice: Notice = serde_json::from_str(answer).map_err(|error| error.to_string())?;
    humantime::parse_rfc3339(&notice.time).map_err(|error| format!("{error}: {:?}", notice.time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_has_an_action_and_a_time() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_mins(25_095_382);
        for action in ["terminate", "stop", "hibernate"] {
            let answer = format!(r#"{{"action": "{action}", "time": "2017-09-18T08:22:00Z"}}"#);
            assert_eq!(parse(&answer), Ok(at));
        }
        for nonsense in [
            "",
            "none",
            "<html>sign in</html>",
            "{}",
            r#"{"action": "terminate"}"#,
            r#"{"action": "terminate", "time": "soon"}"#,
            r#"{"action": "terminate", "time": 1505722920}"#,
            r#"{"action": "rebalance", "time": "2017-09-18T08:22:00Z"}"#,
        ] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
