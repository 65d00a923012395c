//! The two tags of an image, the revision and the version: put once, never moved, and
//! the same wherever a run was broken off and whoever else publishes.

use crate::checkout::{Buildx, Checkout};
use crate::cloud::Cloud;

const NAME: &str = "render-worker";

/// What a run that succeeds prints: one line.
fn image(cloud: &Cloud, digest: &str) -> String {
    format!("{}/{NAME}@{digest}\n", cloud.front.address)
}

/// Somebody else who puts a tag on an image in the same moment.
fn tagging(cloud: &Cloud, digest: &str, tag: &str) -> impl FnOnce() + Send + 'static {
    let (somebody, digest, tag) = (cloud.front.elsewhere(), digest.to_owned(), tag.to_owned());
    move || somebody.tag(NAME, &digest, &tag)
}

/// A second commit of which somebody publishes an image as version 0.2.0; its digest.
fn another_image(cloud: &Cloud, checkout: &Checkout) -> String {
    checkout.commit();
    checkout.publish(cloud, "--version 0.2.0").run().exits(0);
    let digest = cloud.digest(NAME, "0.2.0").expect("an image");
    checkout.git("reset --quiet --hard HEAD^");
    digest
}

#[test]
fn the_first_time_an_image_gets_both_and_tells_where_it_comes_from() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let published = checkout.publish(&cloud, "").env("SOURCE_DATE_EPOCH", "0").run().exits(0);

    let (digest, manifest) = cloud.manifest(NAME, "0.1.0");
    assert_eq!(cloud.manifest(NAME, &checkout.tag()), (digest.clone(), manifest.clone()));
    assert_eq!(cloud.digest(NAME, "0.1.0"), Some(digest.clone()));
    assert_eq!(cloud.digest(NAME, &checkout.tag()), Some(digest.clone()));
    assert_eq!(published.stdout, image(&cloud, &digest));

    let labels = cloud.labels(NAME, &manifest);
    assert_eq!(labels["version"], "0.1.0");
    assert_eq!(labels["revision"], checkout.revision());
    assert_eq!(labels["branch"], "main");
    assert_eq!(labels["created"], "1970-01-01T00:00:00Z");
}

#[test]
fn the_revision_is_put_first_and_the_version_last() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.publish(&cloud, "").run().exits(0);
    let changes = cloud.changes();
    let revision = format!("PUT /v2/{NAME}/manifests/{}", checkout.tag());
    assert_eq!(changes[changes.len() - 2..], [revision, "PutImage".to_owned()]);
}

#[test]
fn the_password_is_seen_nowhere() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout
        .publish(&cloud, "")
        .run()
        .exits(0)
        .says(&["aws ecr get-login-password --region eu-central-1 | docker login"])
        .never_says(&["auth-token"]);
}

#[test]
fn the_second_time_nothing_is_built_or_changed() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let first = checkout.publish(&cloud, "").run().exits(0);
    let before = cloud.changes();
    let again = checkout.publish(&cloud, "").run().exits(0);
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(cloud.changes(), before);
    let digest = cloud.digest(NAME, "0.1.0").expect("an image");
    again.says(&[&format!("0.1.0 is there already: {digest}")]).never_says(&[
        "+ docker build",
        "+ docker push",
        "+ aws ecr put-image",
    ]);
}

#[test]
fn a_version_that_is_the_tag_of_its_revision_is_put_once_and_found_again() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let words = format!("--version {}", checkout.tag());
    let first = checkout.publish(&cloud, &words).run().exits(0);
    let before = cloud.changes();
    let again = checkout.publish(&cloud, &words).run().exits(0);
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(cloud.changes(), before);
}

#[test]
fn a_version_of_another_revision_is_refused_before_anything_is_built() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.publish(&cloud, "").run().exits(0);
    let theirs = (cloud.digest(NAME, "0.1.0").expect("an image"), checkout.tag());
    let before = cloud.changes();
    checkout.commit();
    checkout
        .publish(&cloud, "")
        .run()
        .exits(3)
        .says(&[
            "0.1.0 is there already and is another image",
            &theirs.0,
            &theirs.1,
            &format!("revision {}, which is not published", checkout.tag()),
            "use --version",
        ])
        .never_says(&["+ docker build"]);
    assert_eq!(cloud.changes(), before);
    assert_eq!(cloud.digest(NAME, "0.1.0"), Some(theirs.0));
}

#[test]
fn a_version_on_another_image_is_refused_with_both_digests() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let theirs = another_image(&cloud, &checkout);
    checkout.publish(&cloud, "").run().exits(0);
    let ours = cloud.digest(NAME, "0.1.0").expect("an image");
    let before = cloud.changes();
    checkout.publish(&cloud, "--version 0.2.0").run().exits(3).says(&[&theirs, &ours]);
    assert_eq!(cloud.changes(), before);
    assert_eq!(cloud.manifest(NAME, "0.2.0").0, theirs);
}

#[test]
fn another_version_of_a_revision_is_put_on_the_same_image() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let first = checkout.publish(&cloud, "").run().exits(0);
    let second = checkout.publish(&cloud, "").env("VERSION", "0.1.7").run().exits(0);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(cloud.manifest(NAME, "0.1.7"), cloud.manifest(NAME, "0.1.0"));
    second.says(&["is there already"]).never_says(&["+ docker build", "+ docker push"]);
}

#[test]
fn a_run_that_was_broken_off_is_gone_on_with() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    cloud.front.deny("PutImage");
    checkout.publish(&cloud, "").run().exits(1).says(&[
        "AccessDeniedException",
        "cannot put tag 0.1.0 on",
        "Run this again",
    ]);
    let digest = cloud.digest(NAME, &checkout.tag()).expect("an image");
    assert_eq!(cloud.digest(NAME, "0.1.0"), None);

    cloud.front.allow_all();
    let again = checkout.publish(&cloud, "").run().exits(0).never_says(&["+ docker build"]);
    assert_eq!(again.stdout, image(&cloud, &digest));
    assert_eq!(cloud.manifest(NAME, "0.1.0").0, digest);
}

#[test]
fn a_build_that_fails_leaves_no_tag() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.write("Dockerfile", "FROM scratch\nCOPY nothing /\n");
    checkout.commit();
    checkout.publish(&cloud, "").run().exits(1).says(&["no tag was put"]);
    assert_eq!(cloud.changes(), ["CreateRepository"]);
}

#[test]
fn a_push_that_is_denied_leaves_no_tag() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let push = format!("PUT /v2/{NAME}/manifests/{}", checkout.tag());
    cloud.front.deny(&push);
    checkout.publish(&cloud, "").run().exits(1).says(&["no tag was put"]);
    assert_eq!(cloud.digest(NAME, &checkout.tag()), None);
    assert_eq!(cloud.digest(NAME, "0.1.0"), None);
}

#[test]
fn a_revision_that_somebody_else_pushes_meanwhile_is_taken_as_it_is() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let theirs = another_image(&cloud, &checkout);
    let push = format!("/manifests/{}", checkout.tag());
    cloud.front.just_before(&push, tagging(&cloud, &theirs, &checkout.tag()));
    let published = checkout.publish(&cloud, "").run().exits(0);
    assert_eq!(published.stdout, image(&cloud, &theirs));
    assert_eq!(cloud.manifest(NAME, "0.1.0").0, theirs);
    assert_eq!(cloud.manifest(NAME, &checkout.tag()).0, theirs);
    published.says(&["tag is immutable", "another publisher has put revision", &theirs]);
}

#[test]
fn a_version_that_somebody_else_puts_on_another_image_meanwhile_is_not_moved() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let theirs = another_image(&cloud, &checkout);
    cloud.front.just_before("PutImage", tagging(&cloud, &theirs, "0.1.0"));
    let refused = checkout.publish(&cloud, "").run().exits(3);
    let ours = cloud.digest(NAME, &checkout.tag()).expect("an image");
    assert_eq!(cloud.manifest(NAME, "0.1.0").0, theirs);
    refused.says(&[&theirs, &ours, "never moved"]);
}

#[test]
fn a_version_that_somebody_else_puts_on_this_image_meanwhile_is_success() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    cloud.front.deny("PutImage");
    checkout.publish(&cloud, "").run().exits(1);
    cloud.front.allow_all();
    let ours = cloud.digest(NAME, &checkout.tag()).expect("an image");
    cloud.front.just_before("PutImage", tagging(&cloud, &ours, "0.1.0"));
    let published = checkout.publish(&cloud, "").run().exits(0);
    assert_eq!(published.stdout, image(&cloud, &ours));
}

#[test]
fn uncommitted_changes_are_published_under_the_version_alone_and_only_if_asked() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.write("Cargo.toml", "[package]\nname = \"worker\"\nversion = \"0.1.1\"\n");
    let words = format!(
        "uncommitted changes, and the image would not be that of revision {}",
        checkout.tag()
    );
    checkout.publish(&cloud, "").run().exits(2).says(&[&words, "--allow-dirty"]);
    assert!(cloud.front.log().is_empty(), "{:?}", cloud.front.log());

    checkout.publish(&cloud, "--allow-dirty").run().exits(0);
    let (digest, manifest) = cloud.manifest(NAME, "0.1.1");
    let labels = cloud.labels(NAME, &manifest);
    assert_eq!(labels["revision"], format!("{}-dirty", checkout.revision()));
    assert_eq!(cloud.digest(NAME, &checkout.tag()), None);

    // Another build of uncommitted changes is another image, whatever was changed.
    let again = checkout.publish(&cloud, "").env("ALLOW_DIRTY", "true").run();
    again.exits(3).says(&[&digest, "a build of uncommitted changes"]);
    assert_eq!(cloud.manifest(NAME, "0.1.1").0, digest);
}

#[test]
fn the_real_buildx_leaves_them_as_they_should_be_as_well() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.buildx(&Buildx::OfTheEngine);
    let published = checkout.publish(&cloud, "").run().exits(0);
    let (digest, manifest) = cloud.manifest(NAME, "0.1.0");
    assert_eq!(published.stdout, image(&cloud, &digest));
    assert_eq!(cloud.manifest(NAME, &checkout.tag()).0, digest);
    assert_eq!(cloud.labels(NAME, &manifest)["revision"], checkout.revision());
}
