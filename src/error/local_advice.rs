//! Advice for local paths, which depends on the container that the worker runs in.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::container::{Container, Place};
use crate::request::{FRAMES_DIR, Location, PREVIEW_DIR, REPORTS_DIR};
use crate::storage::{Failure, Operation, PathMistake, StorageError};

/// Returns advice for a failure of storage if its location is local and the failure is about it.
pub(super) fn of(error: &StorageError, container: Option<&Container>) -> Option<String> {
    let Location::Local(path) = error.location() else { return None };
    let place = container.map(|container| container.place(path));
    let is_output = error.operation() == Operation::Write;
    match error.failure() {
        // Only `stitch` lists a folder that the user names.
        Failure::Mistaken(PathMistake::NoFolder(folder))
            if error.operation() == Operation::List && is_pattern(folder) =>
        {
            Some("give the folder itself, or a name with # for digits, as in shot_####.png".into())
        }
        Failure::Mistaken(PathMistake::NoFolder(_))
            if error.operation() == Operation::List && place != Some(Place::Own) =>
        {
            Some(format!("check the path, or {}", render_first(path)))
        }
        Failure::Mistaken(PathMistake::InputIsFile(_)) if error.operation() == Operation::Read => {
            Some("check the path".to_owned())
        }
        Failure::Mistaken(mistake) => Some(mistake_advice(path, mistake, place)),
        Failure::Missing(_) => Some("check the path".to_owned()),
        Failure::Denied(_) => Some(denied_advice(path, is_output, place, geteuid().as_raw())),
        Failure::Io(source) => Some(match place {
            Some(Place::Own) if is_output && is_read_only(source.as_ref()) => mount_advice(path),
            Some(Place::Mounted { .. }) if is_output && is_read_only(source.as_ref()) => {
                "mount this folder without `:ro`".to_owned()
            }
            _ => "make sure that this disk or volume is writable and has enough space".to_owned(),
        }),
        Failure::Archived(_)
        | Failure::Unrecognised(_)
        | Failure::Refused(_)
        | Failure::Misconfigured(_)
        | Failure::Lacking(_)
        | Failure::Transient(_) => None,
    }
}

/// Returns the advice to render the frames of a video.
pub(super) fn render_first(output: &Path) -> String {
    let output = output_of(output);
    format!("render the scene first (render-worker run -i SCENE -o {})", output.display())
}

/// Whether a path ends in a pattern of names, as shells and other programs have them.
fn is_pattern(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains(['*', '?', '%'])
}

fn is_read_only(source: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let source = source.downcast_ref::<io::Error>();
    source.is_some_and(|source| source.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

fn mistake_advice(path: &Path, mistake: &PathMistake, place: Option<Place>) -> String {
    match mistake {
        PathMistake::NoFile { .. } | PathMistake::NoFolder(_) => match place {
            Some(Place::Own) => {
                "check the path; is its folder mounted with -v? (docker run -v \"$PWD\":/work \
                 shows the current folder as /work)"
                    .to_owned()
            }
            Some(Place::Mounted { .. }) | None => "check the path".to_owned(),
        },
        PathMistake::SceneIsFolder(scenes) => match scenes.first() {
            Some(scene) => format!("give the .blend file, such as {}", path.join(scene).display()),
            None => "give the .blend file".to_owned(),
        },
        PathMistake::InputIsFile(_) => "give the folder of the frames, or the output of render, \
                                        which has a folder frames"
            .to_owned(),
        PathMistake::OutputIsFile(_) => "give another name, or the folder in which the frames and \
                                         the video are to be"
            .to_owned(),
    }
}

/// Returns advice for a path that the user of this process may not read or write.
fn denied_advice(path: &Path, is_output: bool, place: Option<Place>, user: u32) -> String {
    match place {
        Some(Place::Own) if is_output => mount_advice(path),
        Some(Place::Mounted { owner: Some((0, _)) }) if is_output && user != 0 => {
            "this folder, or the one that it would be in, belongs to root: give it to yourself (sudo \
             chown -R \"$(id -u):$(id -g)\" FOLDER, with its path outside of the container), and run \
             the container as yourself, with docker run --user \"$(id -u):$(id -g)\". A folder that \
             is not there is made by Docker, for root: make it yourself first (mkdir)"
                .to_owned()
        }
        Some(Place::Mounted { owner: Some((owner, group)) }) if is_output && owner != user => {
            format!(
                "run the container as the owner of this folder: docker run --user {owner}:{group}"
            )
        }
        Some(_) if !is_output => "make it readable for everybody (chmod a+rX), or run the \
                                  container as its owner (docker run --user)"
            .to_owned(),
        Some(_) => "give the user of this process the permission, or run the container as another \
                    user (docker run --user)"
            .to_owned(),
        None if is_output => "choose another output, or give the user of this process the \
                              permission to write there"
            .to_owned(),
        None => "give the user of this process the permission to read it (chmod)".to_owned(),
    }
}

/// Returns the output that a folder belongs to: errors may name one that the worker makes in it.
fn output_of(folder: &Path) -> PathBuf {
    let mut output = folder.to_owned();
    while [FRAMES_DIR, REPORTS_DIR, PREVIEW_DIR].iter().any(|name| output.ends_with(name)) {
        output.pop();
    }
    if output.as_os_str().is_empty() { PathBuf::from(".") } else { output }
}

/// Returns advice to mount a folder as the output.
fn mount_advice(output: &Path) -> String {
    let output = output_of(output);
    let output = std::path::absolute(&output).unwrap_or(output);
    format!(
        "this folder is not mounted into the container: make a folder (mkdir out), and add -v \
         \"$PWD/out\":{} and --user \"$(id -u):$(id -g)\" to docker run",
        output.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_for_a_denied_path_depends_on_where_it_lies() {
        let path = Path::new("/output/frames");
        let owned = |owner| Some(Place::Mounted { owner: Some(owner) });
        for (is_output, place, user, expected) in [
            (true, Some(Place::Own), 1000, "-v \"$PWD/out\":/output"),
            (true, owned((0, 0)), 1000, "make it yourself first"),
            (true, owned((1001, 100)), 1000, "--user 1001:100"),
            (false, owned((0, 0)), 1000, "chmod a+rX"),
            (true, owned((1000, 1000)), 1000, "give the user of this process the permission"),
            (true, owned((0, 0)), 0, "give the user of this process the permission"),
            (true, None, 1000, "choose another output"),
            (false, None, 1000, "permission to read"),
        ] {
            let advice = denied_advice(path, is_output, place, user);
            assert!(advice.contains(expected), "{place:?}: {advice}");
        }
    }

    #[test]
    fn advice_names_the_output_and_not_a_folder_in_it() {
        for (folder, output) in [
            ("/work/out/preview/frames", "/work/out"),
            ("out/frames/preview", "out"),
            ("frames", "."),
            ("shots", "shots"),
        ] {
            assert_eq!(output_of(Path::new(folder)), Path::new(output));
        }
    }

    #[test]
    fn a_folder_in_a_container_may_not_be_mounted() {
        let missing = PathMistake::NoFolder("/in".into());
        let advice = |place| mistake_advice(Path::new("/in/a.blend"), &missing, place);
        assert!(advice(Some(Place::Own)).contains("mounted with -v"));
        assert!(!advice(None).contains("mount"));
        assert!(!advice(Some(Place::Mounted { owner: None })).contains("mount"));
    }

    #[test]
    fn patterns_of_other_programs_are_recognised() {
        for path in ["photos/*.png", "photos/a_%04d.png", "a_???.png"] {
            assert!(is_pattern(Path::new(path)), "{path}");
        }
        assert!(!is_pattern(Path::new("photos/a_####.png")));
    }
}
