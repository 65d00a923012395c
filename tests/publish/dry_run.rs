//! `--dry-run` prints the commands that publish an image, and runs none of them.

use crate::checkout::{Buildx, Checkout};
use crate::cloud::Cloud;
use crate::front::ALIAS;

#[test]
fn a_dry_run_needs_neither_credentials_nor_an_engine() {
    let checkout = Checkout::new();
    let printed = checkout
        .publish_as_nobody("--dry-run --region eu-central-1 --platforms linux/amd64,linux/arm64")
        .env("DOCKER_HOST", "unix:///nowhere")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .run()
        .exits(0);
    for command in [
        "aws ecr create-repository --region eu-central-1 --repository-name render-worker \
         --image-tag-mutability IMMUTABLE --image-scanning-configuration scanOnPush=true\n",
        "\naws ecr get-login-password --region eu-central-1 | \
         docker login --username AWS --password-stdin \"$registry\"\n",
        &format!(
            "\ndocker buildx build --platform linux/amd64,linux/arm64 --tag \"$uri\":{} \
             --build-arg VERSION=0.1.0 --build-arg REVISION={} --build-arg BRANCH=main ",
            checkout.tag(),
            checkout.revision(),
        ),
        "\necho \"$uri\"@\"$published\"\n",
    ] {
        assert!(printed.stdout.contains(command), "no {command:?} in:\n{}", printed.stdout);
    }
    printed.prints(&["nothing was run"]);
}

#[test]
fn the_printed_commands_publish_when_pasted_into_a_shell() {
    let public = format!("{ALIAS}/render-worker");
    for (options, repository) in [("", "render-worker"), ("--public", &public)] {
        let (cloud, checkout) = (Cloud::start(), Checkout::new());
        checkout.buildx(&Buildx::OfTheEngine);
        let printed = checkout.publish(&cloud, &format!("--dry-run {options}")).run().exits(0);
        assert!(cloud.front.log().is_empty(), "{:?}", cloud.front.log());

        let pasted = checkout.shell(&printed.stdout).envs(cloud.env()).run();
        let (digest, _) = cloud.manifest(repository, "0.1.0");
        assert_eq!(cloud.manifest(repository, &checkout.tag()).0, digest);
        assert!(pasted.stdout.ends_with(&format!("/{repository}@{digest}\n")), "{}", pasted.stderr);
    }
}
