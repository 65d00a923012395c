//! Classifies the errors of all AWS services by who must act.
//!
//! Many errors of the SDK differ only in their message. The messages below are those of the SDK's
//! crates and of rustls. `tests/s3/credentials.rs` and `tests/s3/failures.rs` check the common ones
//! against the real crates.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http::endpoint::error::{InvalidEndpointError, ResolveEndpointError};
use aws_smithy_runtime_api::client::result::SdkError;

use super::causes;
use super::settings::missing_file;

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The person who set the variables, flags or the profile.
    Settings,
    /// The person who set up this machine: something that the settings name is missing or broken.
    Machine,
    /// The person who provided the credentials: they are not accepted.
    Credentials,
    /// The person who grants permissions.
    Access,
    /// Nobody: no credentials are available at the moment, so no request was sent.
    NoCredentials,
    /// Nobody: the service cannot be reached at the moment.
    Network,
}

/// Why a request got no response from the service.
#[derive(Debug)]
pub struct Trouble {
    /// Who must act.
    pub blame: Blame,
    /// What happened.
    pub message: String,
}

/// Errors of credential providers, except that of having no credentials: parts of the message, who
/// must act, and a hint. The first match counts.
const CREDENTIALS_ERRORS: [(&[&str], Blame, &str); 10] = [
    (
        &["credentials-login"],
        Blame::Settings,
        "`aws login` is not supported; pass on its credentials with: eval \"$(aws configure \
         export-credentials --format env)\"",
    ),
    // The helper was killed, for example by Ctrl-C in a terminal.
    (&["external process exited with code signal"], Blame::NoCredentials, ""),
    (
        &["external process"],
        Blame::Machine,
        "`credential_process` of the profile (AWS_PROFILE, AWS_CONFIG_FILE)",
    ),
    (
        &["cached SSO token", "SSO token has expired", "UnauthorizedException"],
        Blame::Credentials,
        "get a new token with `aws sso login`",
    ),
    (&["ForbiddenException", "AccessDenied"], Blame::Access, ""),
    (
        &["ExpiredToken", "InvalidIdentityToken", "InvalidClientTokenId", "SignatureDoesNotMatch"],
        Blame::Credentials,
        "",
    ),
    (&["ValidationError", "MalformedPolicyDocument"], Blame::Settings, PROFILE),
    (&["IDPCommunicationError"], Blame::NoCredentials, ""),
    (
        &["No such file or directory", "Permission denied", "Is a directory"],
        Blame::Settings,
        "AWS_WEB_IDENTITY_TOKEN_FILE or AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ),
    (&["ECS provider"], Blame::Settings, "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
];

/// The hint for an invalid profile.
const PROFILE: &str = "AWS_PROFILE, AWS_CONFIG_FILE";

/// Errors of a provider chain that found no credentials although a provider is configured: a part
/// of the message, and the variables to check. Of a provider that is not configured, the message
/// says only that it has no credentials.
const PROVIDER_CHAIN_ERRORS: [(&str, &str); 2] = [
    ("Profile: the credential provider was not enabled: ", PROFILE),
    ("AWS_ROLE_ARN environment variable must be set", "AWS_ROLE_ARN"),
];

/// Permanent errors of connections: a part of the message, who must act, and a hint.
const CONNECTION_ERRORS: [(&str, Blame, &str); 2] = [
    (
        "invalid peer certificate",
        Blame::Machine,
        "only the certificate authorities of the system, or of SSL_CERT_FILE, are trusted",
    ),
    (
        "received corrupt message of type InvalidContentType",
        Blame::Settings,
        "AWS_ENDPOINT_URL says https:, but that server does not use TLS",
    ),
];

impl Trouble {
    /// Classifies an error of the SDK that is not a response of the service.
    pub fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        match error {
            SdkError::ConstructionFailure(_) => Self::new(Blame::Settings, causes(error)),
            SdkError::DispatchFailure(_) => Self::of_dispatch(error),
            // A timeout, or a response that is not the service's.
            _ => Self::new(Blame::Network, causes(error)),
        }
    }

    fn new(blame: Blame, message: String) -> Self {
        Self { blame, message }
    }

    /// Appends `hint`, if not empty, to `message`.
    fn with_hint(blame: Blame, message: String, hint: &str) -> Self {
        let message = if hint.is_empty() { message } else { format!("{message} ({hint})") };
        Self::new(blame, message)
    }

    fn of_connection(error: &(dyn Error + 'static)) -> Self {
        let message = causes(error);
        match CONNECTION_ERRORS.iter().find(|(part, ..)| message.contains(part)) {
            Some((_, blame, hint)) => Self::with_hint(*blame, message, hint),
            None => Self::new(Blame::Network, message),
        }
    }

    fn of_dispatch(error: &(dyn Error + 'static)) -> Self {
        if let Some(error) = find::<CredentialsError>(error) {
            Self::of_credentials(error)
        } else if let Some(error) = find::<ResolveEndpointError>(error) {
            Self::new(Blame::Settings, causes(error))
        } else if let Some(error) = find::<InvalidEndpointError>(error) {
            Self::new(Blame::Settings, causes(error))
        } else {
            Self::of_connection(error)
        }
    }

    fn of_credentials(error: &CredentialsError) -> Self {
        let message = causes(error);
        let has = |part: &str| message.contains(part);
        let listed =
            CREDENTIALS_ERRORS.iter().find(|(parts, ..)| parts.iter().any(|part| has(part)));
        match (error, listed) {
            (CredentialsError::CredentialsNotLoaded(_), _) => {
                let configured = PROVIDER_CHAIN_ERRORS.iter().find(|(part, _)| has(part));
                match (configured, missing_file()) {
                    (Some((_, hint)), _) => Self::with_hint(Blame::Settings, message, hint),
                    (None, Some(missing)) => {
                        Self::new(Blame::Settings, format!("{missing}; {message}"))
                    }
                    (None, None) => Self::new(Blame::NoCredentials, message),
                }
            }
            (CredentialsError::InvalidConfiguration(_), Some((_, Blame::Settings, hint))) => {
                Self::with_hint(Blame::Settings, message, hint)
            }
            (CredentialsError::InvalidConfiguration(_), _) => {
                Self::with_hint(Blame::Settings, message, PROFILE)
            }
            // The provider reports an error of the profile to its first caller only. A new provider
            // would report it again.
            _ if has("initialization error already taken") => {
                Self::new(Blame::NoCredentials, message)
            }
            (CredentialsError::ProviderTimedOut(_), _) | (_, None) => {
                Self::new(Blame::NoCredentials, message)
            }
            (_, Some((_, blame, hint))) => Self::with_hint(*blame, message, hint),
        }
    }
}

/// Who must act on an error code that all AWS services share, about the caller's credentials,
/// permissions or settings; `None` for other codes. ("Common errors" in the API references of the
/// services, "Error responses" in that of S3.)
pub fn blame_of(code: &str) -> Option<Blame> {
    match code {
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "MissingSecurityHeader"
        | "CredentialsNotSupported"
        | "InvalidSecurity"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "TokenRefreshRequired" => Some(Blame::Credentials),
        "AccessDenied"
        | "AccessDeniedException"
        | "AccountProblem"
        | "AllAccessDisabled"
        | "NotAuthorized"
        | "NotSignedUp"
        | "OptInRequired"
        | "UnauthorizedAccess"
        | "UnauthorizedOperation"
        | "InvalidPayer" => Some(Blame::Access),
        "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "PermanentRedirect" => Some(Blame::Settings),
        _ => None,
    }
}

/// The first error of type `T` among `error` and its causes.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
