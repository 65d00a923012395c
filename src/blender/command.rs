//! One launch of Blender as a command line.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use super::setup::{SETUP_EXIT_CODE, SETUP_SCRIPT};
use crate::request::{Engine, FrameNumber, FrameSet, RenderJob};

/// What one Blender process is to do.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The program.
    pub blender: &'a Path,
    /// The scene file, absolute.
    pub scene: &'a Path,
    /// The folder with [`SETUP_FILES`](super::SETUP_FILES) and their settings, absolute.
    pub setup_dir: &'a Path,
    /// The folder that the setup script answers in, absolute.
    pub answer_dir: &'a Path,
    /// The folder for the frames, absolute and empty.
    pub frames_dir: &'a Path,
    /// HOME and TMPDIR, absolute. Blender 3.4 crashes without a HOME.
    pub home: &'a Path,
    /// The rest of its environment.
    pub environment: &'a [(String, String)],
    /// The frames to render; not empty.
    pub frames: &'a FrameSet,
    /// How to render them.
    pub job: &'a RenderJob,
}

impl Launch<'_> {
    /// The command. Blender works through its arguments in order, so everything that
    /// configures stands before what renders.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.blender);
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            // English, whatever the container speaks: the log is parsed.
            .env("LC_ALL", "C.UTF-8")
            .env("LANG", "C.UTF-8")
            .env("HOME", self.home)
            .env("TMPDIR", self.home)
            // Where it was built with PulseAudio, this makes a link in HOME otherwise, which
            // the sandbox denies.
            .env("PULSE_RUNTIME_PATH", self.home)
            .arg("--background")
            .arg(if self.job.enable_autoexec { "--enable-autoexec" } else { "--disable-autoexec" })
            .arg(self.scene);
        if let Engine::Named(engine) = &self.job.engine {
            command.arg("--engine").arg(engine);
        }
        command
            .arg("--python-exit-code")
            .arg(SETUP_EXIT_CODE.to_string())
            .arg("--python")
            .arg(self.setup_dir.join(SETUP_SCRIPT))
            .arg("--render-output")
            .arg(output_pattern(self.frames_dir));
        self.render(&mut command);
        if let Some(device) = &self.job.cycles_device {
            // Cycles reads its own arguments behind the separator.
            command.args(["--", "--cycles-device", device.as_str()]);
        }
        command
    }

    fn render(&self, command: &mut Command) {
        match self.frames.ranges().as_slice() {
            // One run of frames, and the scene's own step must not thin it out.
            [range] => command
                .args([OsStr::new("--frame-start"), &absolute(range.first)])
                .args([OsStr::new("--frame-end"), &absolute(range.last)])
                .args(["--frame-jump", "1", "--render-anim"]),
            ranges => {
                let terms: Vec<_> = ranges
                    .iter()
                    .map(|range| match range {
                        range if range.first == range.last => absolute_text(range.first),
                        range => {
                            format!("{}..{}", absolute_text(range.first), absolute_text(range.last))
                        }
                    })
                    .collect();
                for list in lists(&terms) {
                    command.arg("--render-frame").arg(list);
                }
                command
            }
        };
    }
}

/// The longest list of frames in one argument; Linux takes 128 KiB (`MAX_ARG_STRLEN` in
/// execve(2)). Several are rendered one after the other, in the same Blender.
const LIST: usize = 100 * 1024;

/// `terms`, separated by commas, in lists that are not too long.
fn lists(terms: &[String]) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for term in terms {
        match lists.last_mut() {
            Some(list) if list.len() + term.len() < LIST => {
                list.push(',');
                list.push_str(term);
            }
            _ => lists.push(term.clone()),
        }
    }
    lists
}

/// Blender appends number and extension to what ends in a slash.
fn output_pattern(frames_dir: &Path) -> OsString {
    let mut pattern = OsString::from(frames_dir);
    pattern.push("/");
    pattern
}

fn absolute(frame: FrameNumber) -> OsString {
    absolute_text(frame).into()
}

/// A number that begins with a sign is relative to the scene's range; behind a
/// space it is not (`parse_int_relative` in Blender's `creator_args.cc`).
fn absolute_text(frame: FrameNumber) -> String {
    if frame.get() < 0 { format!(" {frame}") } else { frame.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(frames: &str, change: impl FnOnce(&mut RenderJob)) -> String {
        let mut job = RenderJob::example();
        change(&mut job);
        let launch = Launch {
            blender: Path::new("blender"),
            scene: Path::new("/in/a.blend"),
            setup_dir: Path::new("/s/setup"),
            answer_dir: Path::new("/s/answer"),
            frames_dir: Path::new("/s/frames"),
            home: Path::new("/s/home"),
            environment: &[("PATH".to_owned(), "/bin".to_owned())],
            frames: &frames.parse().unwrap(),
            job: &job,
        };
        let command = launch.command();
        let words: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        words.join("|")
    }

    #[test]
    fn everything_that_configures_stands_before_what_renders() {
        assert_eq!(
            arguments("11-20", |_| ()),
            "--background|--disable-autoexec|/in/a.blend|--engine|CYCLES|--python-exit-code|86|\
             --python|/s/setup/setup.py|--render-output|/s/frames/|--frame-start|11|--frame-end|20|\
             --frame-jump|1|--render-anim"
        );
    }

    #[test]
    fn what_was_asked_for_reaches_blender() {
        assert!(arguments("1", |job| job.enable_autoexec = true).contains("|--enable-autoexec|"));
        assert!(!arguments("1", |job| job.engine = Engine::Scene).contains("--engine"));
        let gpu = arguments("1", |job| job.cycles_device = Some("CUDA".parse().unwrap()));
        assert!(gpu.ends_with("--render-anim|--|--cycles-device|CUDA"));
    }

    #[test]
    fn a_list_that_is_too_long_for_one_argument_is_given_in_several() {
        let arguments = arguments("1-100001x2", |_| ());
        let lists: Vec<_> = arguments.split("|--render-frame|").skip(1).collect();
        assert!(lists.len() > 1 && lists.iter().all(|list| list.len() < 128 * 1024));
        let frames: Vec<_> = lists.join(",").split(',').map(str::to_owned).collect();
        let expected: Vec<_> = (1..=100_001).step_by(2).map(|n: i32| n.to_string()).collect();
        assert_eq!(frames, expected);
    }

    #[test]
    fn frames_with_holes_are_listed_and_negative_ones_are_absolute() {
        assert!(arguments("1-3,7", |_| ()).ends_with("|--render-frame|1..3,7"));
        assert!(arguments("-3--2,5", |_| ()).ends_with("|--render-frame| -3.. -2,5"));
        assert!(
            arguments("-3-2", |_| ())
                .ends_with("--frame-start| -3|--frame-end|2|--frame-jump|1|--render-anim")
        );
    }
}
