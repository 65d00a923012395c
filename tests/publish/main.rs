//! `deploy/publish` as a black box: the real script with git, Amazon's command line and
//! Docker, against moto's API and Debian's registry. The one stand-in between these
//! two makes them the one service that ECR is; see `front`.
//!
//! `make test-publish` installs what is needed and runs this. It needs a Docker engine
//! that reaches 127.0.0.1 of this machine.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test ends by panicking, and has an environment of its own"
)]

mod checkout; // a git repository with the scripts in it, and runs of them
mod cloud; // an account on Amazon ECR: API, registry and what is in them
mod dry_run; // --dry-run: what it prints is what has to be done
mod front; // the stand-in: what ECR is and moto with a registry is not
mod metadata; // deploy/metadata: where an image comes from
mod platforms; // which builder makes the image, and for which architectures
mod refusals; // what is refused, and what fails, before anything is touched
mod repository; // the repository: made, found, raced for, public
mod tags; // the two tags: put once, never moved, whoever else publishes
