//! The builder and the architectures of an image.

use crate::checkout::{Buildx, Checkout};
use crate::cloud::Cloud;

const NAME: &str = "render-worker";

/// The platform of this machine.
fn own_platform() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        other => panic!("unsupported architecture: {other}"),
    }
}

#[test]
fn a_builder_for_both_architectures_makes_one_multi_platform_image() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.buildx(&Buildx::ForBoth);
    let published = checkout.publish(&cloud, "").run().exits(0);

    let (digest, index) = cloud.manifest(NAME, "0.1.0");
    assert_eq!(cloud.manifest(NAME, &checkout.tag()), (digest.clone(), index.clone()));
    assert!(published.stdout.ends_with(&format!("{NAME}@{digest}\n")), "{}", published.stdout);
    let images = index["manifests"].as_array().expect("an index");
    let architectures: Vec<_> =
        images.iter().map(|image| &image["platform"]["architecture"]).collect();
    assert_eq!(architectures, ["amd64", "arm64"]);
    for image in images {
        let (_, manifest) = cloud.manifest(NAME, image["digest"].as_str().expect("a digest"));
        assert_eq!(cloud.labels(NAME, &manifest)["revision"], checkout.revision());
    }

    for words in ["", "--platforms linux/arm64,linux/amd64"] {
        let again = checkout.publish(&cloud, words).run().exits(0);
        assert_eq!(again.stdout, published.stdout);
    }
    let before = cloud.changes();
    let refused = checkout.publish(&cloud, "--platforms linux/arm64 --version 0.1.7").run();
    refused.exits(3).prints(&[&digest, "is for linux/amd64,linux/arm64, not for linux/arm64"]);
    assert_eq!(cloud.changes(), before);
}

#[test]
fn without_such_a_builder_the_image_is_for_this_machine_with_a_note() {
    for which in [Buildx::Missing, Buildx::OfTheEngine] {
        let (cloud, checkout) = (Cloud::start(), Checkout::new());
        checkout.buildx(&which);
        checkout
            .publish(&cloud, "")
            .run()
            .exits(0)
            .prints(&["for this machine's architecture only", "+ docker build --tag"]);
        let (_, manifest) = cloud.manifest(NAME, "0.1.0");
        assert!(manifest["config"].is_object(), "{manifest}");
    }
}

#[test]
fn requested_platforms_are_built_or_refused() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.buildx(&Buildx::OfTheEngine);
    // An unsupported platform, and two that the engine's builder cannot build together.
    for platforms in ["linux/mips", "linux/amd64,linux/386"] {
        let refused = checkout.publish(&cloud, &format!("--platforms {platforms}")).run();
        refused.exits(2).prints(&[&format!("cannot build for {platforms} here"), "QEMU"]);
    }
    assert!(cloud.front.log().is_empty(), "{:?}", cloud.front.log());

    let own = own_platform();
    let published = checkout.publish(&cloud, "").env("PLATFORMS", own).run().exits(0);
    published.prints(&[&format!("+ docker buildx build --platform {own} --tag")]);
    let (digest, manifest) = cloud.manifest(NAME, "0.1.0");
    assert_eq!(cloud.manifest(NAME, &checkout.tag()).0, digest);
    assert_eq!(cloud.labels(NAME, &manifest)["version"], "0.1.0");

    let again = checkout.publish(&cloud, "").env("PLATFORMS", own).run().exits(0);
    again.prints(&["already exists"]);
}

/// How a builder of both architectures compresses with zstd.
const ZSTD: &str =
    "--output type=image,push=true,compression=zstd,force-compression=true,oci-mediatypes=true .";

#[test]
fn layers_are_compressed_with_zstd_where_the_builder_can() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.buildx(&Buildx::ForBoth);
    for (words, push) in [
        ("", ZSTD),
        ("--compression zstd", ZSTD),
        ("--compression gzip", "--push ."),
        ("--public", "--push ."),
        ("--public --compression zstd", ZSTD),
    ] {
        let printed = checkout.publish(&cloud, &format!("--dry-run {words}")).run().exits(0);
        let build = printed.stdout.lines().find(|line| line.starts_with("docker buildx build"));
        assert!(build.expect("a build").ends_with(push), "{words}: {}", printed.stdout);
    }

    checkout.buildx(&Buildx::OfTheEngine);
    let own = format!("--platforms {}", own_platform());
    let printed = checkout.publish(&cloud, &format!("--dry-run {own}")).run().exits(0);
    assert!(printed.stdout.contains(" --push ."), "{}", printed.stdout);
    let refused = checkout.publish(&cloud, &format!("{own} --compression zstd")).run().exits(2);
    refused.prints(&["cannot compress with zstd", "docker buildx create --use"]);
    let refused = checkout.publish(&cloud, "").env("COMPRESSION", "brotli").run().exits(2);
    refused.prints(&["brotli", "gzip and zstd"]);
}

#[test]
fn arguments_after_two_hyphens_are_passed_to_the_build() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.publish(&cloud, "-- --label studio=ours").run().exits(0);
    let (_, manifest) = cloud.manifest(NAME, "0.1.0");
    assert_eq!(cloud.labels(NAME, &manifest)["studio"], "ours");

    // The existing image may have been built without these arguments.
    let before = cloud.changes();
    let refused = checkout.publish(&cloud, "--version 0.1.7 -- --label studio=theirs").run();
    refused.exits(3).prints(&["without --label studio=theirs", "--repository", "make a commit"]);
    assert_eq!(cloud.changes(), before);
}
