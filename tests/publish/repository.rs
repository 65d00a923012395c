//! The repository: created with the right settings, or used as it is.

use crate::checkout::{Buildx, Checkout};
use crate::cloud::Cloud;
use crate::front::{ALIAS, PUBLIC_REGION, REGION};

#[test]
fn a_missing_repository_is_created_with_immutable_tags_and_scan_on_push() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.publish(&cloud, "--repository studio/worker").run().exits(0);
    let made = cloud.repository(REGION, "studio/worker");
    assert_eq!(made["imageTagMutability"], "IMMUTABLE");
    assert_eq!(made["imageScanningConfiguration"]["scanOnPush"], true);
    assert!(cloud.digest("studio/worker", "0.1.0").is_some());
}

#[test]
fn an_existing_repository_is_used_with_a_warning_if_its_tags_are_mutable() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    cloud.front.other_user().create_repository("render-worker");
    checkout.publish(&cloud, "").run().exits(0).prints(&[
        "tags of render-worker can be moved",
        "aws ecr put-image-tag-mutability --region eu-central-1 --repository-name render-worker",
    ]);
    let changes = cloud.changes();
    assert!(!changes.contains(&"CreateRepository".to_owned()), "{changes:?}");
    assert_eq!(cloud.repository(REGION, "render-worker")["imageTagMutability"], "MUTABLE");
    assert!(cloud.digest("render-worker", "0.1.0").is_some());
}

#[test]
fn a_repository_that_another_user_creates_concurrently_is_no_error() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    let other_user = cloud.front.other_user();
    let hook = move || other_user.create_repository("render-worker");
    cloud.front.just_before("CreateRepository", hook);
    checkout.publish(&cloud, "").run().exits(0);
    assert_eq!(cloud.changes()[0], "CreateRepository");
    assert!(cloud.digest("render-worker", "0.1.0").is_some());
}

#[test]
fn a_repository_that_may_not_be_created_is_an_error_in_the_words_of_aws() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    cloud.front.deny("CreateRepository");
    checkout
        .publish(&cloud, "")
        .run()
        .exits(1)
        .prints(&["cannot create repository render-worker", "AccessDeniedException"]);
}

#[test]
fn ecr_public_has_its_own_region_and_mutable_tags_that_are_still_not_moved() {
    let (cloud, checkout) = (Cloud::start(), Checkout::new());
    checkout.buildx(&Buildx::OfTheEngine);
    let published = checkout.publish(&cloud, "--public --region eu-west-1").run().exits(0);

    let repository = format!("{ALIAS}/render-worker");
    let (digest, _) = cloud.manifest(&repository, "0.1.0");
    assert_eq!(cloud.manifest(&repository, &checkout.tag()).0, digest);
    assert_eq!(published.stdout, format!("{}/{repository}@{digest}\n", cloud.front.address));
    published.prints(&["ecr-public create-repository --region us-east-1"]);
    let made = cloud.repository(PUBLIC_REGION, "render-worker");
    assert_eq!(made["imageTagMutability"], "MUTABLE");

    let before = cloud.changes();
    let again = checkout.publish(&cloud, "--public").run().exits(0);
    assert_eq!(cloud.changes(), before);
    again.prints(&["already exists"]);

    // ECR Public has no immutable tags, so the script itself must not move one.
    checkout.commit();
    checkout.publish(&cloud, "--public").run().exits(3).prints(&[&digest]);
    assert_eq!(cloud.manifest(&repository, "0.1.0").0, digest);
}
