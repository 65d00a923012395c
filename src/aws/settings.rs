//! AWS settings from variables and the profile. They are checked before the first request, so that
//! an invalid one is reported at once instead of failing request after request.

use std::borrow::Cow;
use std::io;

use aws_config::profile::{self, ProfileSet};
use aws_config::{Region, SdkConfig};
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;

use super::causes;

/// An invalid setting. The message names the variable or file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(String);

/// An AWS service that has settings of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// S3, or another store with the same API.
    S3,
    /// AWS Batch.
    Batch,
    /// CloudWatch Logs.
    Logs,
    /// The Security Token Service, which says whose credentials are in use.
    Sts,
}

impl Service {
    /// Its ID in the SDK, and the variable for its endpoint.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::S3 => ("S3", "AWS_ENDPOINT_URL_S3"),
            Self::Batch => ("Batch", "AWS_ENDPOINT_URL_BATCH"),
            Self::Logs => ("CloudWatch Logs", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
            Self::Sts => ("STS", "AWS_ENDPOINT_URL_STS"),
        }
    }

    /// The endpoint that the environment or the profile sets. One for this service takes precedence
    /// over the general one.
    pub fn endpoint(self, config: &SdkConfig) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(self.names().0)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()?;
        let is_set = |url: &String| !url.is_empty();
        let specific = config.service_config().and_then(|source| source.load_config(key));
        let general = || config.endpoint_url().map(str::to_owned);
        specific.filter(is_set).or_else(|| general().filter(is_set))
    }

    /// Checks the endpoint and the region of `config`.
    ///
    /// # Errors
    /// If one of them is invalid.
    pub(super) fn check(self, config: &SdkConfig) -> Result<(), Misconfigured> {
        let endpoint = self.endpoint(config);
        match &endpoint {
            Some(url) if !is_endpoint(url) => {
                let source = source_of(&[self.names().1, "AWS_ENDPOINT_URL"], "endpoint_url");
                let hidden = "(hidden: it may contain a password)";
                let shown = if url.contains('@') { hidden } else { url };
                Err(Misconfigured(format!(
                    "{source}: `{shown}` is not the address of a server; use http://HOST:PORT or \
                     https://HOST"
                )))
            }
            Some(_) => Ok(()),
            // Only AWS's own host names contain the region. Other stores accept any name.
            None => match config.region().map(Region::as_ref) {
                Some(region) if !is_region(region) => {
                    let source = source_of(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region");
                    Err(Misconfigured(format!(
                        "{source}: `{region}` is not an AWS region, such as eu-central-1"
                    )))
                }
                _ => Ok(()),
            },
        }
    }
}

/// Names the source of a setting: the first of `variables` that is set, or else `setting` of the
/// profile.
fn source_of(variables: &[&str], setting: &str) -> String {
    variables.iter().find(|name| set(name).is_some()).map_or_else(
        || format!("`{setting}` of the profile (AWS_PROFILE, AWS_CONFIG_FILE)"),
        |variable| (*variable).to_owned(),
    )
}

/// The value of a variable; `None` if it is unset or empty. (The SDK treats empty ones as set.)
fn set(variable: &str) -> Option<String> {
    Env::real().get(variable).ok().filter(|value| !value.is_empty())
}

/// The region that the environment sets.
pub(super) fn region() -> Option<Region> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(set).map(Region::new)
}

/// The profile to use instead of the SDK's choice: an empty `AWS_PROFILE` means the default one.
pub(super) fn profile_name() -> Option<&'static str> {
    Env::real().get("AWS_PROFILE").is_ok_and(|name| name.is_empty()).then_some("default")
}

/// Whether the SDK accepts `url` as an endpoint: a scheme, a host, an optional port and path.
fn is_endpoint(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) => (host, port),
            None => return false,
        },
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port_fits =
        port.is_empty() || port.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
    let host_fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    let path_fits = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#');
    ["http", "https"].contains(&scheme)
        && !host.is_empty()
        && host.chars().all(host_fits)
        && port_fits
        && rest.chars().all(path_fits)
}

/// Whether `text` is two or more words and a number, as in `us-gov-west-1`, `ap-southeast-2` or
/// `eusc-de-east-1`. There is no fixed list: AWS adds regions.
fn is_region(text: &str) -> bool {
    let words: Vec<_> = text.split('-').collect();
    let Some((number, words)) = words.split_last() else { return false };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(is_word)
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// Reads the profile files, and checks the settings for profile and keys.
///
/// # Errors
/// If a file cannot be read or parsed, if `AWS_PROFILE` names a profile that does not exist, or if
/// only one of `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` is set.
pub(super) async fn profiles() -> Result<ProfileSet, Misconfigured> {
    for variable in FILES {
        let Some(path) = set(variable) else { continue };
        match tokio::fs::read(&path).await {
            // All AWS SDKs ignore a missing file: the credentials may come from another source.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Misconfigured(format!("{variable}: cannot read {path}: {error}")));
            }
            Ok(_) => {}
        }
    }
    #[expect(clippy::default_trait_access, reason = "of a crate that is not a dependency")]
    let files = Default::default();
    let name = profile_name().map(Cow::Borrowed);
    let profiles = profile::load(&Fs::real(), &Env::real(), &files, name).await;
    let profiles = profiles.map_err(|error| {
        let [config, credentials] = FILES;
        Misconfigured(format!(
            "cannot parse the AWS profile files: {} ({config}, {credentials})",
            causes(&error)
        ))
    })?;
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    match keys.map(|name| set(name).is_some()) {
        [true, false] => return Err(missing_half(keys[0], keys[1])),
        [false, true] => return Err(missing_half(keys[1], keys[0])),
        [true, true] => return Ok(profiles),
        [false, false] => {}
    }
    match set("AWS_PROFILE") {
        Some(name) if profiles.get_profile(&name).is_none() => {
            let known: Vec<_> = profiles.profiles().collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(Misconfigured(format!(
                "AWS_PROFILE: there is no profile {name:?}; known profiles: {known} \
                 (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE)"
            )))
        }
        _ => Ok(profiles),
    }
}

/// The variables with the paths of the profile files.
const FILES: [&str; 2] = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];

fn missing_half(set: &str, missing: &str) -> Misconfigured {
    Misconfigured(format!("{set} is set but {missing} is not: set both or neither"))
}

/// Whether the credentials come from variables. These cannot be renewed while the worker runs.
pub fn has_static_keys() -> bool {
    set("AWS_ACCESS_KEY_ID").is_some()
}

/// Reports a profile file that a variable names but that does not exist: it may have been meant to
/// hold the credentials.
pub(super) fn missing_file() -> Option<String> {
    FILES.iter().find_map(|variable| {
        let path = set(variable)?;
        let missing = std::fs::metadata(&path).is_err();
        missing.then(|| format!("{variable} names {path}, which does not exist"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_the_address_of_a_server() {
        for url in [
            "http://localhost:9000",
            "https://minio_1.example.org/base/path/",
            "http://10.0.0.1",
            "http://[::1]:9000",
            "https://s3.eu-west-1.amazonaws.com",
        ] {
            assert!(is_endpoint(url), "{url}");
        }
        for text in [
            "",
            "not a url",
            "localhost:9000",
            "ftp://localhost",
            "http://",
            "http:///path",
            "http://host:port",
            "http://host:99999",
            "http://[::1",
            "http://id:key@host",
            "http://host/?x=y",
            "http://ho st",
            "s3://bucket",
            "http://host\n",
        ] {
            assert!(!is_endpoint(text), "{text:?}");
        }
    }

    #[test]
    fn a_region_is_words_and_a_number() {
        for region in
            ["eu-central-1", "us-gov-west-1", "ap-southeast-5", "cn-north-1", "eusc-de-east-1"]
        {
            assert!(is_region(region), "{region}");
        }
        for text in [
            "",
            "eu",
            "Frankfurt",
            "eu west/1",
            "us-east-1a",
            "EU-CENTRAL-1",
            "eu_central_1",
            "eu-central",
            "eu-1",
            "-eu-central-1",
            "eu-central-",
            "auto",
            "us-east-1 ",
        ] {
            assert!(!is_region(text), "{text:?}");
        }
    }
}
