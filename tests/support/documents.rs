//! The commands in README.md and `docs/`, and the tests that run each of them.
//!
//! A command is a line after `$ ` in a `console` block, with the lines that continue it. The lines
//! below it are its output. [`PLACES`] says for each command where it is run; `tests/product/docs.rs` fails
//! for a command without a place.
#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::fs;
use std::path::{Path, PathBuf};

/// Where a command is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `tests/product/docs.rs`: the built program with stand-ins for Blender, AWS Batch and S3.
    Here,
    /// `tests/image/docs.rs`: the built image.
    Image,
    /// `tests/deploy/document.rs`: a fake AWS account with the stack.
    Deploy,
    /// `tests/publish/document.rs`: a fake registry.
    Publish,
    /// `tests/slurm`: a Slurm cluster in containers.
    Slurm,
    /// No test runs it, for this reason.
    Nowhere(&'static str),
}

use Place::{Deploy, Here, Image, Nowhere, Publish, Slurm};

const CLUSTER: &str =
    "needs a cluster of Kubernetes; tests/deploy/kubernetes.rs runs the containers of the Jobs";
const ENGINE: &str = "changes the container engine of the machine";
const QUOTAS: &str = "moto has no quotas of EC2";
const STEP: &str = "a step of .ci/run, under the same name";

/// The place of the commands in documents whose name ends so, and that begin so. The first match
/// counts.
const PLACES: &[(&str, &str, Place)] = &[
    ("", "deploy/publish", Publish),
    ("", "aws service-quotas", Nowhere(QUOTAS)),
    ("", "aws logs tail", Nowhere("only version 2 of the AWS CLI has it, which is not on PyPI")),
    ("", "render-worker status JOB-ID --wait", Deploy),
    ("", "render-worker status JOB-ID", Here),
    ("docs/aws-batch.md", "", Deploy),
    ("docs/slurm.md", "", Slurm),
    ("", "kubectl", Nowhere(CLUSTER)),
    ("", "until kubectl", Nowhere(CLUSTER)),
    ("docs/publishing.md", "aws iam", Deploy),
    ("", "docker run --privileged", Nowhere(ENGINE)),
    ("", "docker buildx create", Nowhere(ENGINE)),
    (
        "",
        "docker build",
        Nowhere("takes minutes; `make image` and tests/image/dockerfile.rs do it"),
    ),
    (
        "",
        "docker run --rm -it -p",
        Nowhere("runs until ctrl-C; tests/page/serve.rs starts the same"),
    ),
    ("", "docker run", Image),
    ("", "make demo", Nowhere(STEP)),
    ("", "make test", Nowhere(STEP)),
    ("", "sudo apt-get", Nowhere("changes the machine; .ci/tools installs the same")),
    (
        "docs/projects.md",
        "",
        Nowhere(
            "needs a real Blender; tests/projects/pack.rs packs with it, and renders what it has packed",
        ),
    ),
    ("docs/web.md", "curl", Here),
    ("docs/web.md", "id=", Here),
    ("docs/web.md", "for", Here),
    ("docs/web.md", "while", Here),
    ("docs/web.md", "kill", Here),
    ("", "curl", Nowhere("needs the network; no official release has been tried")),
    ("", "deploy/image/wheel", Nowhere("downloads a gigabyte; .ci/blender does it")),
    ("", "render-worker doctor", Nowhere("needs a real Blender; tests/product/doctor.rs runs it")),
    (
        "",
        "render-worker bake",
        Nowhere("needs a real Blender; tests/scenes/simulations.rs bakes with it"),
    ),
    ("", "render-worker", Here),
    ("", "export PATH=", Here),
    ("", "mkdir", Here),
    ("", "jq", Here),
    ("", "sha256sum", Here),
    ("", "tar", Here),
];

/// A command in a document.
#[derive(Clone, Debug)]
pub struct Command {
    /// The document, relative to the project.
    pub document: String,
    /// The heading above it.
    pub section: String,
    /// The command as it is typed, on one or several lines.
    pub line: String,
    /// The lines below it.
    pub output: Vec<String>,
}

impl Command {
    /// Returns where the command is run, if there is such a place.
    pub fn place(&self) -> Option<Place> {
        let matches = |(document, beginning, _): &&(&str, &str, _)| {
            self.document.ends_with(document) && self.line.starts_with(beginning)
        };
        PLACES.iter().find(matches).map(|(_, _, place)| *place)
    }

    /// Returns the exit code that the documented output names, or 0.
    pub fn exit_code(&self) -> i32 {
        let text = self.output.join("\n");
        text.split_once("(exit code ")
            .and_then(|(_, rest)| rest.split_once(')'))
            .map_or(0, |(code, _)| code.parse().expect("an exit code"))
    }

    /// Returns the lines of the documented output that the real output lacks. A line is there if
    /// one line of the real output has all its words. Words that contain `…` can be anything.
    pub fn missing_from(&self, real: &str) -> Vec<String> {
        let is_there = |line: &&String| {
            let words: Vec<_> = line.split_whitespace().filter(|it| !it.contains('…')).collect();
            real.lines().any(|real| words.iter().all(|word| real.contains(word)))
        };
        self.output.iter().filter(|line| !is_there(line)).cloned().collect()
    }
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Creates the folder of pictures that the documents make a video of.
pub fn write_photos(folder: &Path) {
    fs::create_dir(folder).expect("a writable folder");
    for (fixture, name) in [
        ("blender-rgb.jpg", "IMG_1.jpg"),
        ("blender-rgb-8.png", "holiday.png"),
        ("blender-rgb-lossy.webp", "sea.webp"),
    ] {
        let fixture = project("fixtures/frames").join(fixture);
        fs::copy(fixture, folder.join(name)).expect("a writable folder");
    }
}

/// Returns the names of the documents: README.md and those in `docs/`.
pub fn documents() -> Vec<String> {
    let folder = fs::read_dir(project("docs")).expect("the documents");
    let names = folder.map(|entry| entry.expect("an entry").file_name().into_string());
    let mut names: Vec<_> = names
        .map(|name| format!("docs/{}", name.expect("UTF-8")))
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"))
        .collect();
    names.sort();
    names.insert(0, "README.md".to_owned());
    names
}

/// Returns the text of a document.
pub fn text(document: &str) -> String {
    fs::read_to_string(project(document)).expect("a document")
}

/// Returns the blocks of code in a document that have this language.
pub fn blocks(document: &str, language: &str) -> Vec<String> {
    let (text, fence) = (text(document), format!("```{language}\n"));
    let blocks = text.split(&fence).skip(1);
    blocks.map(|block| block.split("```").next().expect("its end").to_owned()).collect()
}

/// Returns the commands in all documents, in order.
pub fn commands() -> Vec<Command> {
    documents().iter().flat_map(|document| commands_of(document)).collect()
}

/// Returns the commands in all documents that are run in this place, in order.
pub fn commands_for(place: Place) -> Vec<Command> {
    commands().into_iter().filter(|command| command.place() == Some(place)).collect()
}

fn commands_of(document: &str) -> Vec<Command> {
    let (mut commands, mut section) = (Vec::new(), String::new());
    let (mut in_block, mut console, mut continues) = (false, false, false);
    for line in text(document).lines() {
        if let Some(language) = line.strip_prefix("```") {
            in_block = !in_block;
            console = in_block && language == "console";
        } else if !in_block {
            if let Some(heading) = line.strip_prefix('#') {
                heading.trim_start_matches('#').trim().clone_into(&mut section);
            }
        } else if console {
            if let Some(typed) = line.strip_prefix("$ ") {
                let (document, section) = (document.to_owned(), section.clone());
                let (line, output) = (typed.to_owned(), Vec::new());
                commands.push(Command { document, section, line, output });
            } else {
                let command = commands.last_mut().expect("a console block begins with a command");
                if continues {
                    command.line.push('\n');
                    command.line.push_str(line);
                } else {
                    command.output.push(line.to_owned());
                }
            }
            continues = line.ends_with('\\');
        }
    }
    commands
}
