//! `deploy/publish` as a black box: the real script with git, the AWS CLI and Docker, against
//! moto's API and Debian's registry. A proxy in front of both turns them into one ECR; see `front`.
//!
//! `make test-publish` installs the tools and runs these tests. They need a Docker engine that can
//! connect to 127.0.0.1 of this machine.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic and reads its environment"
)]

mod checkout; // a git repository with the scripts
mod cloud; // a fake ECR account: API and registry
mod document; // the commands of the documents
#[path = "../support/documents.rs"]
mod documents; // shared with the tests of the other commands
mod dry_run; // --dry-run prints the commands without running them
mod front; // the proxy that turns moto and a registry into ECR
mod metadata; // deploy/metadata: the origin of an image
mod platforms; // the builder and the architectures of an image
mod refusals; // errors before anything is changed
mod repository; // the repository: created, existing, created concurrently, public
mod tags; // the two tags: set once, never moved
