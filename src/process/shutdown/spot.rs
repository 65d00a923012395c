//! The Spot notice: EC2 announces two minutes ahead that it will reclaim a Spot instance.
//!
//! EC2 announces it only to clients that poll the instance's metadata service ("Spot Instance
//! interruption notices" in the EC2 user guide). A container may not reach that service: with the
//! usual hop limit of 1 its responses are lost, and outside of EC2 it does not exist. That is not
//! an error. A service that has never responded is polled less often, but polling never ends: a
//! container's network may come up after its worker.

use std::time::{Duration, SystemTime};

use aws_config::imds::client::{Client, error::ImdsError};
use aws_config::provider_config::ProviderConfig;
use serde::Deserialize;
use tokio::time::sleep;

use super::Shutdown;
use crate::http;

/// The path of the notice. The service responds with 404 while there is no notice.
const PATH: &str = "/latest/meta-data/spot/instance-action";

/// The polling interval that the user guide recommends.
const INTERVAL: Duration = Duration::from_secs(5);

/// How long a response may take. The service is on the same machine.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The polling interval for a service that did not respond to the first [`ATTEMPTS`] requests:
/// still short enough to act on a notice in time.
const SLOW_INTERVAL: Duration = Duration::from_secs(15);
const ATTEMPTS: u32 = 3;

/// Polls in the background, and passes a notice on to `shutdown`.
pub fn watch(shutdown: &Shutdown) {
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        let reclaimed = notice().await;
        shutdown.spot_notice(reclaimed).await;
    });
}

/// Waits for a notice, and returns when EC2 reclaims the instance.
async fn notice() -> SystemTime {
    let mut service = service();
    let (mut failures, mut responded, mut warned) = (0_u32, false, false);
    // The first pause differs between containers, which may have started at the same moment.
    let mut pause = INTERVAL.mul_f64(fraction_of_a_second(SystemTime::now()));
    loop {
        match service.get(PATH).await {
            Ok(response) => {
                responded = true;
                match parse(response.as_ref()) {
                    Ok(reclaimed) => return reclaimed,
                    Err(error) if !warned => {
                        warned = true;
                        tracing::warn!("the metadata service sent an invalid Spot notice: {error}");
                    }
                    Err(_) => {}
                }
            }
            Err(ImdsError::ErrorResponse(error)) if error.response().status().as_u16() == 404 => {
                responded = true;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::debug!(?error, "the metadata service does not respond");
                if !responded && failures == ATTEMPTS {
                    tracing::debug!(
                        "no metadata service: polling for a Spot notice every {} s",
                        SLOW_INTERVAL.as_secs()
                    );
                }
                // A new client requests a new token: the old one may be the cause.
                service = self::service();
            }
        }
        sleep(pause).await;
        pause = if !responded && failures >= ATTEMPTS { SLOW_INTERVAL } else { INTERVAL };
    }
}

/// A client for the metadata service. The SDK takes its address from
/// `AWS_EC2_METADATA_SERVICE_ENDPOINT`, the profile, or the default.
fn service() -> Client {
    let config = ProviderConfig::without_region().with_http_client(http::plain_client());
    Client::builder()
        .configure(&config)
        .max_attempts(1)
        .connect_timeout(TIMEOUT)
        .read_timeout(TIMEOUT)
        .operation_attempt_timeout(TIMEOUT)
        .operation_timeout(TIMEOUT)
        .build()
}

fn fraction_of_a_second(time: SystemTime) -> f64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    f64::from(since.subsec_nanos()) / 1e9
}

/// Parses a notice into the time at which EC2 reclaims the instance.
fn parse(notice: &str) -> Result<SystemTime, String> {
    /// What EC2 does with the instance. The container does not come back after any of these.
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

    let notice: Notice = serde_json::from_str(notice).map_err(|error| error.to_string())?;
    humantime::parse_rfc3339(&notice.time).map_err(|error| format!("{error}: {:?}", notice.time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_has_an_action_and_a_time() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_mins(25_095_382);
        for action in ["terminate", "stop", "hibernate"] {
            let notice = format!(r#"{{"action": "{action}", "time": "2017-09-18T08:22:00Z"}}"#);
            assert_eq!(parse(&notice), Ok(at));
        }
        for invalid in [
            "",
            "none",
            "<html>sign in</html>",
            "{}",
            r#"{"action": "terminate"}"#,
            r#"{"action": "terminate", "time": "soon"}"#,
            r#"{"action": "terminate", "time": 1505722920}"#,
            r#"{"action": "rebalance", "time": "2017-09-18T08:22:00Z"}"#,
        ] {
            assert!(parse(invalid).is_err(), "{invalid}");
        }
    }
}
