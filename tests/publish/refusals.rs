//! Errors before anything is changed.

use std::os::unix::fs::symlink;

use crate::checkout::Checkout;
use crate::cloud::Cloud;

#[test]
fn invalid_options_and_variables_are_refused() {
    let checkout = Checkout::new();
    for (options, message) in [
        ("--tag latest", "unknown option: --tag"),
        ("--region", "--region needs a value"),
        ("--dry-run --version 1.0.0+build5 --region eu-west-1", "'1.0.0+build5' cannot be a tag"),
        ("--dry-run", "no region is set"),
    ] {
        checkout.publish_as_nobody(options).run().exits(2).prints(&[message]);
    }
    let perhaps = checkout.publish_as_nobody("").env("DRY_RUN", "perhaps").run();
    perhaps.exits(2).prints(&["DRY_RUN is 'perhaps', which is neither true nor false"]);
}

#[test]
fn the_help_lists_every_option_and_exit_code() {
    let checkout = Checkout::new();
    let help = checkout.publish_as_nobody("--help").run().exits(0);
    for text in [
        "--repository",
        "--region",
        "--public",
        "--platforms",
        "--version",
        "--allow-dirty",
        "--dry-run",
        "\n  0  ",
        "\n  1  ",
        "\n  2  ",
        "\n  3  ",
    ] {
        assert!(help.stdout.contains(text), "{text:?}");
    }
}

#[test]
fn all_missing_programs_are_named() {
    let checkout = Checkout::new();
    let bin = tempfile::tempdir().expect("a folder");
    for program in ["bash", "cat", "dirname", "env", "git", "mktemp", "rm", "sed"] {
        let here = which::which(program).expect("a common program");
        symlink(here, bin.path().join(program)).expect("a link");
    }
    let missing = checkout
        .publish_as_nobody("--region eu-west-1")
        .env("PATH", bin.path().to_str().expect("UTF-8"))
        .run();
    missing.exits(2).prints(&["not installed, or not in PATH: aws docker"]);
}

#[test]
fn an_engine_that_does_not_respond_is_an_error() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let refused = checkout.publish(&cloud, "").env("DOCKER_HOST", "unix:///nowhere").run();
    refused.exits(2).prints(&["Docker does not answer", "/nowhere"]);
    assert!(cloud.front.log().is_empty(), "{:?}", cloud.front.log());
}

#[test]
fn ecr_public_requires_buildx() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.publish(&cloud, "--public").run().exits(2).prints(&["docker buildx is not installed"]);
    assert!(cloud.front.log().is_empty(), "{:?}", cloud.front.log());
}

#[test]
fn missing_credentials_are_explained() {
    let checkout = Checkout::new();
    let nobody = checkout.publish_as_nobody("--region eu-west-1");
    let nobody = nobody.env("AWS_EC2_METADATA_DISABLED", "true").run();
    nobody.exits(1).prints(&["AWS does not accept the credentials", "credentials"]);
}

#[test]
fn a_login_that_the_registry_rejects_is_an_error() {
    let (cloud, checkout) = (Cloud::that_refuses_the_login(), Checkout::new());
    let registry = cloud.front.address.to_string();
    checkout
        .publish(&cloud, "")
        .run()
        .exits(1)
        .prints(&[&format!("cannot log in to {registry}"), "401"])
        .never_prints(&["+ docker build"]);
    assert_eq!(cloud.changes(), ["CreateRepository"]);
}
