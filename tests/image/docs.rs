//! The commands of the documents that run the image, on a terminal and in the order of a document.

use std::fs;
use std::process::Command;

use crate::stage::Stage;
use crate::support::documents::{Place, commands_for, write_photos};
use crate::support::engine::{LABEL, image};
use crate::support::scene;

#[test]
fn the_commands_run_as_they_are_written() {
    let commands = commands_for(Place::Image);
    let mut stage = Stage::new();
    for (index, command) in commands.iter().enumerate() {
        if index == 0 || commands[index - 1].document != command.document {
            stage = Stage::new();
            fs::copy(scene("tiny"), stage.path("scene.blend")).expect("a writable folder");
            write_photos(&stage.path("photos"));
        }
        // The name of the image can be the last word.
        let line = format!("{} ", command.line)
            .replacen("docker run", &format!("docker run --pull never --label {LABEL}"), 1)
            .replace(" render-worker ", &format!(" {} ", image()));
        let typed = ["-qec", &line, "/dev/null"];
        let run = Command::new("script").args(typed).current_dir(stage.path("")).output();
        let run = run.expect("script runs");
        let shown = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{line}: {shown}");
        assert_eq!(command.missing_from(&shown), [""; 0], "{line}: {shown}");
        if line.contains(" run -i scene.blend") {
            assert_eq!(stage.frames("out").len(), 12, "{shown}");
            assert!(stage.path("out/output.mp4").exists(), "{shown}");
        }
        if line.contains(" -o safe --frames 1-2") {
            assert_eq!(stage.frames("safe").len(), 2, "{shown}");
        }
    }
}
