//! The two tags of an image, revision and version. They are set once and never moved, even if a run
//! is interrupted or another user publishes at the same time.

use crate::checkout::{Buildx, Checkout};
use crate::cloud::Cloud;

const NAME: &str = "render-worker";

/// Returns the output of a successful run.
fn image(cloud: &Cloud, digest: &str) -> String {
    format!("{}/{NAME}@{digest}\n", cloud.front.address)
}

/// Returns a hook in which another user adds a tag to an image.
fn tagging(cloud: &Cloud, digest: &str, tag: &str) -> impl FnOnce() + Send + 'static {
    let (other_user, digest, tag) = (cloud.front.other_user(), digest.to_owned(), tag.to_owned());
    move || other_user.tag(NAME, &digest, &tag)
}

/// Publishes an image of a second commit as version 0.2.0. Returns its digest.
fn another_image(cloud: &Cloud, checkout: &Checkout) -> String {
    checkout.commit();
    checkout.publish(cloud, "--version 0.2.0").run().exits(0);
    let digest = cloud.digest(NAME, "0.2.0").expect("an image");
    checkout.git("reset --quiet --hard HEAD^");
    digest
}

#[test]
fn a_new_image_gets_both_tags_and_the_metadata() {
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
fn the_revision_tag_is_set_before_the_version_tag() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.publish(&cloud, "").run().exits(0);
    let changes = cloud.changes();
    let revision = format!("PUT /v2/{NAME}/manifests/{}", checkout.tag());
    assert_eq!(changes[changes.len() - 2..], [revision, "PutImage".to_owned()]);
}

#[test]
fn the_password_is_not_printed() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout
        .publish(&cloud, "")
        .run()
        .exits(0)
        .prints(&["aws ecr get-login-password --region eu-central-1 | docker login"])
        .never_prints(&["auth-token"]);
}

#[test]
fn publishing_again_neither_builds_nor_changes_anything() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let first = checkout.publish(&cloud, "").run().exits(0);
    let before = cloud.changes();
    let again = checkout.publish(&cloud, "").run().exits(0);
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(cloud.changes(), before);
    let digest = cloud.digest(NAME, "0.1.0").expect("an image");
    again.prints(&[&format!("0.1.0 already exists: {digest}")]).never_prints(&[
        "+ docker build",
        "+ docker push",
        "+ aws ecr put-image",
    ]);
}

#[test]
fn a_version_that_equals_the_revision_tag_is_set_once() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let words = format!("--version {}", checkout.tag());
    let first = checkout.publish(&cloud, &words).run().exits(0);
    let before = cloud.changes();
    let again = checkout.publish(&cloud, &words).run().exits(0);
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(cloud.changes(), before);
}

#[test]
fn a_version_of_another_revision_is_refused_before_the_build() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.publish(&cloud, "").run().exits(0);
    let theirs = (cloud.digest(NAME, "0.1.0").expect("an image"), checkout.tag());
    let before = cloud.changes();
    checkout.commit();
    checkout
        .publish(&cloud, "")
        .run()
        .exits(3)
        .prints(&[
            "0.1.0 already exists and is another image",
            &theirs.0,
            &theirs.1,
            &format!("revision {}, which is not published", checkout.tag()),
            "use --version",
        ])
        .never_prints(&["+ docker build"]);
    assert_eq!(cloud.changes(), before);
    assert_eq!(cloud.digest(NAME, "0.1.0"), Some(theirs.0));
}

#[test]
fn a_version_of_another_published_image_is_refused_with_both_digests() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let theirs = another_image(&cloud, &checkout);
    checkout.publish(&cloud, "").run().exits(0);
    let ours = cloud.digest(NAME, "0.1.0").expect("an image");
    let before = cloud.changes();
    checkout.publish(&cloud, "--version 0.2.0").run().exits(3).prints(&[&theirs, &ours]);
    assert_eq!(cloud.changes(), before);
    assert_eq!(cloud.manifest(NAME, "0.2.0").0, theirs);
}

#[test]
fn another_version_of_a_revision_is_a_tag_of_the_same_image() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let first = checkout.publish(&cloud, "").run().exits(0);
    let second = checkout.publish(&cloud, "").env("VERSION", "0.1.7").run().exits(0);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(cloud.manifest(NAME, "0.1.7"), cloud.manifest(NAME, "0.1.0"));
    second.prints(&["already exists"]).never_prints(&["+ docker build", "+ docker push"]);
}

#[test]
fn an_interrupted_run_can_be_continued() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    cloud.front.deny("PutImage");
    checkout.publish(&cloud, "").run().exits(1).prints(&[
        "AccessDeniedException",
        "cannot set tag 0.1.0 on",
        "Run this again",
    ]);
    let digest = cloud.digest(NAME, &checkout.tag()).expect("an image");
    assert_eq!(cloud.digest(NAME, "0.1.0"), None);

    cloud.front.allow_all();
    let again = checkout.publish(&cloud, "").run().exits(0).never_prints(&["+ docker build"]);
    assert_eq!(again.stdout, image(&cloud, &digest));
    assert_eq!(cloud.manifest(NAME, "0.1.0").0, digest);
}

#[test]
fn a_failed_build_sets_no_tag() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.write("Dockerfile", "FROM scratch\nCOPY nothing /\n");
    checkout.commit();
    checkout.publish(&cloud, "").run().exits(1).prints(&["no tag was set"]);
    assert_eq!(cloud.changes(), ["CreateRepository"]);
}

#[test]
fn a_denied_push_sets_no_tag() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let push = format!("PUT /v2/{NAME}/manifests/{}", checkout.tag());
    cloud.front.deny(&push);
    checkout.publish(&cloud, "").run().exits(1).prints(&["no tag was set"]);
    assert_eq!(cloud.digest(NAME, &checkout.tag()), None);
    assert_eq!(cloud.digest(NAME, "0.1.0"), None);
}

#[test]
fn a_revision_that_another_user_pushes_concurrently_is_used() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let theirs = another_image(&cloud, &checkout);
    let push = format!("/manifests/{}", checkout.tag());
    cloud.front.just_before(&push, tagging(&cloud, &theirs, &checkout.tag()));
    let published = checkout.publish(&cloud, "").run().exits(0);
    assert_eq!(published.stdout, image(&cloud, &theirs));
    assert_eq!(cloud.manifest(NAME, "0.1.0").0, theirs);
    assert_eq!(cloud.manifest(NAME, &checkout.tag()).0, theirs);
    published.prints(&["tag is immutable", "another publisher has pushed revision", &theirs]);
}

#[test]
fn a_version_that_another_user_sets_on_another_image_concurrently_is_not_moved() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let theirs = another_image(&cloud, &checkout);
    cloud.front.just_before("PutImage", tagging(&cloud, &theirs, "0.1.0"));
    let refused = checkout.publish(&cloud, "").run().exits(3);
    let ours = cloud.digest(NAME, &checkout.tag()).expect("an image");
    assert_eq!(cloud.manifest(NAME, "0.1.0").0, theirs);
    refused.prints(&[&theirs, &ours, "never moved"]);
}

#[test]
fn a_version_that_another_user_sets_on_this_image_concurrently_is_success() {
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
fn uncommitted_changes_are_published_only_on_request_and_without_a_revision_tag() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.write("Cargo.toml", "[package]\nname = \"worker\"\nversion = \"0.1.1\"\n");
    let words = format!(
        "uncommitted changes, and the image would not be that of revision {}",
        checkout.tag()
    );
    checkout.publish(&cloud, "").run().exits(2).prints(&[&words, "--allow-dirty"]);
    assert!(cloud.front.log().is_empty(), "{:?}", cloud.front.log());

    checkout.publish(&cloud, "--allow-dirty").run().exits(0);
    let (digest, manifest) = cloud.manifest(NAME, "0.1.1");
    let labels = cloud.labels(NAME, &manifest);
    assert_eq!(labels["revision"], format!("{}-dirty", checkout.revision()));
    assert_eq!(cloud.digest(NAME, &checkout.tag()), None);

    // Every build of uncommitted changes counts as another image.
    let again = checkout.publish(&cloud, "").env("ALLOW_DIRTY", "true").run();
    again.exits(3).prints(&[&digest, "a build of uncommitted changes"]);
    assert_eq!(cloud.manifest(NAME, "0.1.1").0, digest);
}

#[test]
fn the_real_buildx_sets_the_same_tags() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.buildx(&Buildx::OfTheEngine);
    let published = checkout.publish(&cloud, "").run().exits(0);
    let (digest, manifest) = cloud.manifest(NAME, "0.1.0");
    assert_eq!(published.stdout, image(&cloud, &digest));
    assert_eq!(cloud.manifest(NAME, &checkout.tag()).0, digest);
    assert_eq!(cloud.labels(NAME, &manifest)["revision"], checkout.revision());
}
