//! One table for all of AWS: from what went wrong to who must act.
//!
//! The SDK tells much in words alone. Those below are the words of its own crates, and of
//! rustls; `tests/credentials.rs` and `tests/s3_failures.rs` hold each against the real thing.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http::endpoint::error::{InvalidEndpointError, ResolveEndpointError};
use aws_smithy_runtime_api::client::result::SdkError;

use super::causes;
use super::settings::missing_file;

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The one who set the variables, flags or the profile.
    Settings,
    /// The one who set up this machine: it lacks what the settings speak of.
    Machine,
    /// The one who gave us the credentials: they are not accepted.
    Identity,
    /// The one who gives rights.
    Access,
    /// Nobody: there are no credentials at the moment. Nothing was asked of the service.
    NoIdentity,
    /// Nobody: the way there does not work at the moment.
    Way,
}

/// What went wrong on the way to a service, or before.
#[derive(Debug)]
pub struct Trouble {
    /// Who must act.
    pub blame: Blame,
    /// What happened.
    pub words: String,
}

/// What is said in errors of credentials that are more than "not there". The first that fits
/// counts.
const OF_CREDENTIALS: [(&[&str], Blame, &str); 10] = [
    (
        &["credentials-login"],
        Blame::Settings,
        "`aws login` is not built in; hand over what it makes: eval \"$(aws configure \
         export-credentials --format env)\"",
    ),
    // Killed, as by ctrl-C on a terminal.
    (&["external process exited with code signal"], Blame::NoIdentity, ""),
    (
        &["external process"],
        Blame::Machine,
        "`credential_process` of the profile (AWS_PROFILE, AWS_CONFIG_FILE)",
    ),
    (
        &["cached SSO token", "SSO token has expired", "UnauthorizedException"],
        Blame::Identity,
        "`aws sso login` makes a new one",
    ),
    (&["ForbiddenException", "AccessDenied"], Blame::Access, ""),
    (
        &["ExpiredToken", "InvalidIdentityToken", "InvalidClientTokenId", "SignatureDoesNotMatch"],
        Blame::Identity,
        "",
    ),
    (&["ValidationError", "MalformedPolicyDocument"], Blame::Settings, PROFILE),
    (&["IDPCommunicationError"], Blame::NoIdentity, ""),
    (
        &["No such file or directory", "Permission denied", "Is a directory"],
        Blame::Settings,
        "AWS_WEB_IDENTITY_TOKEN_FILE or AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    ),
    (&["ECS provider"], Blame::Settings, "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
];

const PROFILE: &str = "AWS_PROFILE, AWS_CONFIG_FILE";

/// What a source of the chain says that has no credentials, although something is set for it;
/// and which variables that are. Of each source that has nothing, it says no more than that.
const OF_THE_CHAIN: [(&str, &str); 2] = [
    ("Profile: the credential provider was not enabled: ", PROFILE),
    ("AWS_ROLE_ARN environment variable must be set", "AWS_ROLE_ARN"),
];

/// Words of connections that say who must act, and which variables are about it.
const OF_CONNECTIONS: [(&str, Blame, &str); 2] = [
    (
        "invalid peer certificate",
        Blame::Machine,
        "the authorities that are trusted here are those of the system, or of SSL_CERT_FILE",
    ),
    (
        "received corrupt message of type InvalidContentType",
        Blame::Settings,
        "AWS_ENDPOINT_URL says https:, and what answers there speaks no TLS",
    ),
];

impl Trouble {
    /// What there is instead of an answer of the service.
    pub fn of<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        match error {
            SdkError::ConstructionFailure(_) => Self::new(Blame::Settings, causes(error)),
            SdkError::DispatchFailure(_) => Self::before_an_answer(error),
            // None in time, or one that is not the service's.
            _ => Self::new(Blame::Way, causes(error)),
        }
    }

    fn new(blame: Blame, words: String) -> Self {
        Self { blame, words }
    }

    /// The same, with what it is about.
    fn about(blame: Blame, words: String, what: &str) -> Self {
        let words = if what.is_empty() { words } else { format!("{words} ({what})") };
        Self::new(blame, words)
    }

    fn of_connection(error: &(dyn Error + 'static)) -> Self {
        let words = causes(error);
        match OF_CONNECTIONS.iter().find(|(said, ..)| words.contains(said)) {
            Some((_, blame, what)) => Self::about(*blame, words, what),
            None => Self::new(Blame::Way, words),
        }
    }

    fn before_an_answer(error: &(dyn Error + 'static)) -> Self {
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
        let words = causes(error);
        let has = |said: &str| words.contains(said);
        let listed = OF_CREDENTIALS.iter().find(|(said, ..)| said.iter().any(|said| has(said)));
        match (error, listed) {
            (CredentialsError::CredentialsNotLoaded(_), _) => {
                let set = OF_THE_CHAIN.iter().find(|(said, _)| has(said));
                match (set, missing_file()) {
                    (Some((_, what)), _) => Self::about(Blame::Settings, words, what),
                    (None, Some(missing)) => {
                        Self::new(Blame::Settings, format!("{missing}; {words}"))
                    }
                    (None, None) => Self::new(Blame::NoIdentity, words),
                }
            }
            (CredentialsError::InvalidConfiguration(_), Some((_, Blame::Settings, what))) => {
                Self::about(Blame::Settings, words, what)
            }
            (CredentialsError::InvalidConfiguration(_), _) => {
                Self::about(Blame::Settings, words, PROFILE)
            }
            // The first to ask was told what is wrong with the profile. Who asks anew is, too.
            _ if has("initialization error already taken") => Self::new(Blame::NoIdentity, words),
            (CredentialsError::ProviderTimedOut(_), _) | (_, None) => {
                Self::new(Blame::NoIdentity, words)
            }
            (_, Some((_, blame, what))) => Self::about(*blame, words, what),
        }
    }
}

/// Whom a code blames that all services of AWS have for what is wrong with who asks; `None`
/// for other codes. ("Common errors" in their API references, "Error responses" in that of S3.)
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
        | "TokenRefreshRequired" => Some(Blame::Identity),
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

/// The cause of that type, where there is one.
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
