//! `deploy/metadata`: the origin of an image.

use std::fs;

use crate::checkout::Checkout;

/// Returns the lines that it prints with these variables.
fn metadata(checkout: &Checkout, variables: &[(&'static str, &str)]) -> Vec<String> {
    let mut script = checkout.script("deploy/metadata");
    for (name, value) in variables {
        script = script.env(name, value);
    }
    script.run().exits(0).stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_metadata_comes_from_git_and_cargo_toml() {
    let checkout = Checkout::new();
    let printed = metadata(&checkout, &[("SOURCE_DATE_EPOCH", "1700000000")]);
    assert_eq!(
        printed,
        [
            "VERSION=0.1.0",
            &format!("REVISION={}", checkout.revision()),
            "BRANCH=main",
            "CREATED=2023-11-14T22:13:20Z",
        ]
    );
}

#[test]
fn a_revision_is_dirty_if_tracked_files_are_modified() {
    let checkout = Checkout::new();
    checkout.git("tag v0.1.0");
    assert_eq!(metadata(&checkout, &[])[1], format!("REVISION={}", checkout.revision()));
    checkout.write("Dockerfile", "FROM scratch\n");
    assert_eq!(metadata(&checkout, &[])[1], format!("REVISION={}-dirty", checkout.revision()));
    checkout.git("add Dockerfile");
    assert_eq!(metadata(&checkout, &[])[1], format!("REVISION={}-dirty", checkout.revision()));
}

#[test]
fn a_revision_is_dirty_if_untracked_files_would_be_in_the_image() {
    let checkout = Checkout::new();
    // This setting only hides untracked files in `git status`.
    checkout.git("config status.showUntrackedFiles no");
    for (file, dirt) in [
        ("notes", ""),
        ("deploy/notes", ""),
        ("src/bin/more.rs", "-dirty"),
        ("deploy/image/more", "-dirty"),
        ("docs/notes", ""),
        ("docs/schemas/more", "-dirty"),
        ("Cargo.lock", "-dirty"),
        (".dockerignore", "-dirty"),
    ] {
        let path = checkout.root().join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, "not tracked").expect("a file");
        let printed = metadata(&checkout, &[]);
        assert_eq!(printed[1], format!("REVISION={}{dirt}", checkout.revision()), "{file}");
        fs::remove_file(path).expect("a removable file");
    }
}

#[test]
fn the_branch_of_a_detached_commit_comes_from_variables_of_ci() {
    let checkout = Checkout::new();
    checkout.git("checkout --quiet --detach");
    for (variables, branch) in [
        (vec![], "BRANCH="),
        (vec![("GITHUB_REF_NAME", "main")], "BRANCH=main"),
        (vec![("GITHUB_REF_NAME", "7/merge"), ("GITHUB_HEAD_REF", "idea")], "BRANCH=idea"),
        (vec![("CIRCLE_BRANCH", "work")], "BRANCH=work"),
        (vec![("CIRCLE_TAG", "v1")], "BRANCH=v1"),
    ] {
        assert_eq!(metadata(&checkout, &variables)[2], branch);
    }
    checkout.git("checkout --quiet main");
    assert_eq!(metadata(&checkout, &[("CIRCLE_BRANCH", "work")])[2], "BRANCH=main");
}

#[test]
fn variables_override_the_metadata() {
    let set = [("VERSION", "9.9.9"), ("REVISION", "r"), ("BRANCH", "b"), ("CREATED", "c")];
    let printed = metadata(&Checkout::new(), &set);
    assert_eq!(printed, ["VERSION=9.9.9", "REVISION=r", "BRANCH=b", "CREATED=c"]);
}

#[test]
fn outside_of_a_git_checkout_the_error_names_the_variables_to_set() {
    let checkout = Checkout::new();
    fs::remove_dir_all(checkout.root().join(".git")).expect("a removable folder");
    let ceiling = checkout.root().parent().expect("a parent").display().to_string();
    let script = || checkout.script("deploy/metadata").env("GIT_CEILING_DIRECTORIES", &ceiling);
    script().run().exits(1).prints(&["not a git repository", "set REVISION", "BRANCH"]);

    let run = script().env("REVISION", "r").run().exits(0);
    assert!(run.stdout.contains("\nREVISION=r\nBRANCH=\n"), "{}", run.stdout);
    assert_eq!(run.stderr, "");
}
