//! The commands of the documents that publish the image.

use crate::checkout::{Buildx, Checkout};
use crate::cloud::Cloud;
use crate::documents::{Place, commands_for};

#[test]
fn each_command_publishes_the_image() {
    for command in commands_for(Place::Publish) {
        let (cloud, checkout) = (Cloud::start(), Checkout::new());
        checkout.buildx(&Buildx::OfTheEngine);
        let line = format!("cd '{}' && {}", checkout.root().display(), command.line);
        let run = checkout.shell(&line).envs(cloud.env()).run().exits(0);
        let (digest, _) = cloud.manifest("render-worker", "0.1.0");
        assert!(run.stdout.ends_with(&format!("/render-worker@{digest}\n")), "{}", run.stdout);
    }
}
