//! The repository: made if it is missing, as it should be; found if it is there.

use crate::checkout::{Buildx, Checkout};
use crate::cloud::Cloud;
use crate::front::{ALIAS, PUBLIC_REGION, REGION};

#[test]
fn one_that_is_missing_is_made_with_tags_that_cannot_be_moved_and_scanned_on_push() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let published = checkout.publish(&cloud, "--repository studio/worker").run().exits(0);
    published.never_says(&["can be moved"]);
    let made = cloud.repository(REGION, "studio/worker");
    assert_eq!(made["imageTagMutability"], "IMMUTABLE");
    assert_eq!(made["imageScanningConfiguration"]["scanOnPush"], true);
    assert!(cloud.digest("studio/worker", "0.1.0").is_some());
}

#[test]
fn one_that_is_there_is_used_as_it_is_with_a_warning_if_its_tags_can_be_moved() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    cloud.front.elsewhere().make_repository("render-worker");
    checkout.publish(&cloud, "").run().exits(0).says(&[
        "tags of render-worker can be moved",
        "aws ecr put-image-tag-mutability --region eu-central-1 --repository-name render-worker",
    ]);
    let changes = cloud.changes();
    assert!(!changes.contains(&"CreateRepository".to_owned()), "{changes:?}");
    assert_eq!(cloud.repository(REGION, "render-worker")["imageTagMutability"], "MUTABLE");
    assert!(cloud.digest("render-worker", "0.1.0").is_some());
}

#[test]
fn one_that_somebody_else_makes_in_the_same_moment_is_no_error() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let somebody = cloud.front.elsewhere();
    let errand = move || somebody.make_repository("render-worker");
    cloud.front.just_before("CreateRepository", errand);
    checkout.publish(&cloud, "").run().exits(0);
    assert_eq!(cloud.changes()[0], "CreateRepository");
    assert!(cloud.digest("render-worker", "0.1.0").is_some());
}

#[test]
fn one_that_may_not_be_made_ends_it_with_the_words_of_aws() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    cloud.front.deny("CreateRepository");
    checkout
        .publish(&cloud, "")
        .run()
        .exits(1)
        .says(&["cannot make repository render-worker", "AccessDeniedException"]);
}

#[test]
fn ecr_public_has_its_own_region_and_registry_and_protects_nothing() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.buildx(&Buildx::OfTheEngine);
    let published = checkout.publish(&cloud, "--public --region eu-west-1").run().exits(0);

    let repository = format!("{ALIAS}/render-worker");
    let (digest, _) = cloud.manifest(&repository, "0.1.0");
    assert_eq!(cloud.manifest(&repository, &checkout.tag()).0, digest);
    assert_eq!(published.stdout, format!("{}/{repository}@{digest}\n", cloud.front.address));
    published.says(&["ecr-public create-repository --region us-east-1"]).never_says(&["eu-west-1"]);
    let made = cloud.repository(PUBLIC_REGION, "render-worker");
    assert_eq!(made["imageTagMutability"], "MUTABLE");

    let before = cloud.changes();
    let again = checkout.publish(&cloud, "--public").run().exits(0);
    assert_eq!(cloud.changes(), before);
    again.says(&["is there already"]);

    // Nothing but the script keeps a tag here from being moved.
    checkout.commit();
    checkout.publish(&cloud, "--public").run().exits(3).says(&[&digest]);
    assert_eq!(cloud.manifest(&repository, "0.1.0").0, digest);
}
