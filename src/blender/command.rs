//! The command line of one Blender process.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::description::SavedIn;
use super::setup::{ADDONS_SCRIPT, MIX_AUDIO, SETUP_EXIT_CODE, SETUP_SCRIPT, SceneProject};
use crate::request::{
    CyclesDevice, Engine, FrameNumber, FrameRange, FrameSet, Location, RenderJob,
};

/// The folder of compiled kernels and shaders, in that of the cache.
pub const KERNELS_DIR: &str = "kernels";

/// Everything that one Blender process is started with.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The Blender executable.
    pub blender: &'a Path,
    /// The scene file, absolute.
    pub scene: &'a Path,
    /// The project that the scene is in; `None` for a scene file on its own.
    pub project: Option<&'a SceneProject>,
    /// The folder with [`SETUP_FILES`](super::SETUP_FILES) and their settings, absolute.
    pub setup_dir: &'a Path,
    /// The folder with the Python that the user adds to Blender.
    pub user_code_dir: &'a Path,
    /// The folder that the setup script writes its description of the scene to, absolute.
    pub description_dir: &'a Path,
    /// The folder for the frames, absolute and empty.
    pub frames_dir: &'a Path,
    /// The folder for the files of File Output nodes, absolute and empty.
    pub outputs_dir: &'a Path,
    /// HOME and TMPDIR, absolute. Blender 3.4 crashes without a HOME.
    pub home: &'a Path,
    /// The rest of Blender's environment.
    pub environment: &'a [(String, String)],
    /// The frames to render; not empty.
    pub frames: &'a FrameSet,
    /// These and other frames, in the order in which they are rendered; empty for ascending order.
    pub order: &'a [FrameNumber],
    /// The number of threads; `None` leaves it to Blender.
    pub threads: Option<usize>,
    /// Whether to mix the scene's sound after that.
    pub mix_audio: bool,
    /// How to render them.
    pub job: &'a RenderJob,
}

/// The short command that renders one frame of a job's scene, for a person who wants to see on a
/// desktop what happens at it. `engine` is the name of the engine in force, if Blender has told it.
pub fn desktop_command(job: &RenderJob, engine: Option<&str>, frame: FrameNumber) -> String {
    let scene = match &job.scene {
        Location::Local(path) => path.to_string_lossy().into_owned(),
        // Blender opens only files: this one has to be downloaded.
        Location::S3 { key, .. } => key.rsplit('/').next().unwrap_or_default().to_owned(),
    };
    let mut words = vec!["blender".to_owned(), "--background".to_owned()];
    words.extend(job.enable_autoexec.then(|| "--enable-autoexec".to_owned()));
    words.push(scene);
    if let Some(scene) = &job.overrides.scene {
        words.extend(["--scene", scene.as_str()].map(str::to_owned));
    }
    if let Engine::Named(name) = &job.overrides.engine {
        words.extend(["--engine", engine.unwrap_or(name)].map(str::to_owned));
    }
    words.extend(["--render-output", "/tmp/frame-", "--render-frame"].map(str::to_owned));
    words.push(absolute_text(frame));
    if let Some(device) = job.cycles_device.as_ref().and_then(CyclesDevice::for_blender) {
        words.extend(["--", "--cycles-device", device].map(str::to_owned));
    }
    shell_words::join(words)
}

impl Launch<'_> {
    /// The folders that it saves pictures to.
    pub fn saved_in(&self) -> SavedIn<'_> {
        SavedIn { frames: self.frames_dir, outputs: self.outputs_dir }
    }

    /// The frames in the order in which they are rendered.
    pub fn arranged(&self) -> Vec<FrameNumber> {
        if self.order.is_empty() {
            return self.frames.iter().collect();
        }
        self.order.iter().copied().filter(|&frame| self.frames.contains(frame)).collect()
    }

    /// Builds the command. Blender processes its arguments in order, so every option that
    /// configures the render comes before the ones that start it.
    pub fn command(&self) -> Command {
        let autoexec = self.job.enable_autoexec;
        let mut command = background(self.blender, self.home, self.environment, autoexec);
        command
            .envs(self.caches())
            .envs(self.colours())
            .args(self.threads.iter().flat_map(|n| ["--threads".to_owned(), n.to_string()]))
            .arg("--python-exit-code")
            .arg(SETUP_EXIT_CODE.to_string());
        if self.job.user_code.has_addons() {
            command.arg("--python").arg(self.setup_dir.join(ADDONS_SCRIPT));
        }
        command.arg(self.scene);
        if let Some(scene) = &self.job.overrides.scene {
            // The setup script refuses the job if there is no such scene: Blender ignores that.
            command.args(["--scene", scene.as_str()]);
        }
        command
            .arg("--python")
            .arg(self.setup_dir.join(SETUP_SCRIPT))
            .arg("--render-output")
            .arg(output_pattern(self.frames_dir));
        self.add_frames(&mut command);
        if self.mix_audio {
            command.args(["--python-expr", MIX_AUDIO]);
        }
        if let Some(device) = self.job.cycles_device.as_ref().and_then(CyclesDevice::for_blender) {
            // Cycles reads only the arguments after the separator.
            command.args(["--", "--cycles-device", device]);
        }
        command
    }

    /// The folder in which compiled kernels and shaders outlive the job. Blender may write to it.
    pub fn kernel_cache(&self) -> Option<PathBuf> {
        self.job.cache_dir.as_ref().map(|cache| cache.join(KERNELS_DIR))
    }

    /// The folders in which Blender and drivers keep compiled kernels and shaders. Without the
    /// variables they are below HOME, which is removed after the job, or in `/var/tmp`, which the
    /// sandbox denies.
    fn caches(&self) -> Vec<(&str, PathBuf)> {
        let Some(cache) = self.kernel_cache() else { return Vec::new() };
        vec![
            // Cycles, Mesa, and the compilers of AMD and Intel.
            ("XDG_CACHE_HOME", cache.clone()),
            // NVIDIA.
            ("CUDA_CACHE_PATH", cache.join("cuda")),
            ("OPTIX_CACHE_PATH", cache.join("optix")),
            ("__GL_SHADER_DISK_CACHE_PATH", cache.join("nvidia")),
        ]
    }

    /// The configuration of colours of the project, unless this machine has one.
    fn colours(&self) -> Option<(&str, PathBuf)> {
        const VARIABLE: &str = "OCIO";

        let project = self.project?;
        let colours = project.colours.as_ref()?;
        let is_given = self.environment.iter().any(|(name, _)| name == VARIABLE);
        (!is_given).then(|| (VARIABLE, project.folder.join(colours)))
    }

    fn add_frames(&self, command: &mut Command) {
        match runs(&self.arranged()).as_slice() {
            // `--frame-jump` overrides the scene's own step, which would leave out frames.
            [range] => command
                .args([OsStr::new("--frame-start"), &absolute(range.first)])
                .args([OsStr::new("--frame-end"), &absolute(range.last)])
                .args(["--frame-jump", "1", "--render-anim"]),
            ranges => {
                let terms: Vec<_> = ranges
                    .iter()
                    .map(|range| {
                        let (first, last) = (absolute_text(range.first), absolute_text(range.last));
                        if first == last { first } else { format!("{first}..{last}") }
                    })
                    .collect();
                for list in join_in_lists(&terms) {
                    command.arg("--render-frame").arg(list);
                }
                command
            }
        };
    }
}

/// Frames as ranges, in their order.
fn runs(frames: &[FrameNumber]) -> Vec<FrameRange> {
    let runs = frames.chunk_by(|one, next| one.get() + 1 == next.get());
    runs.filter_map(|run| Some(FrameRange { first: *run.first()?, last: *run.last()? })).collect()
}

/// A command that starts Blender in the background. `autoexec` is whether Python scripts in a scene
/// file run automatically.
pub(super) fn background(
    blender: &Path,
    home: &Path,
    environment: &[(String, String)],
    autoexec: bool,
) -> Command {
    let mut command = Command::new(blender);
    command
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (name, value)))
        // The log is parsed, so it must be in English whatever the container's locale is.
        .env("LC_ALL", "C.UTF-8")
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .env("TMPDIR", home)
        // Without this, a Blender built with PulseAudio creates a link in HOME, which the sandbox
        // denies.
        .env("PULSE_RUNTIME_PATH", home)
        .arg("--background")
        .arg(if autoexec { "--enable-autoexec" } else { "--disable-autoexec" });
    command
}

/// The longest list of frames in one argument, in bytes. Linux accepts 128 KiB
/// (`MAX_ARG_STRLEN` in execve(2)). One Blender process renders several lists in turn.
const MAX_LIST_LENGTH: usize = 100 * 1024;

/// Joins `terms` with commas into as few lists as [`MAX_LIST_LENGTH`] allows.
fn join_in_lists(terms: &[String]) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for term in terms {
        match lists.last_mut() {
            Some(list) if list.len() + term.len() < MAX_LIST_LENGTH => {
                list.push(',');
                list.push_str(term);
            }
            _ => lists.push(term.clone()),
        }
    }
    lists
}

/// The output path for frames in `frames_dir`. Blender appends the frame's number and extension
/// to a path that ends in a slash.
fn output_pattern(frames_dir: &Path) -> OsString {
    let mut pattern = OsString::from(frames_dir);
    pattern.push("/");
    pattern
}

fn absolute(frame: FrameNumber) -> OsString {
    absolute_text(frame).into()
}

/// `frame` as an absolute number. Blender takes a number that begins with a sign as relative to
/// the scene's range, but not one that begins with a space (`parse_int_relative` in its
/// `creator_args.cc`).
fn absolute_text(frame: FrameNumber) -> String {
    if frame.get() < 0 { format!(" {frame}") } else { frame.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::FrameOrder;

    fn arguments(frames: &str, change: impl FnOnce(&mut RenderJob)) -> String {
        let mut job = RenderJob::example();
        change(&mut job);
        let frames: FrameSet = frames.parse().unwrap();
        let order = job.order.arrange(&frames);
        let launch = Launch {
            blender: Path::new("blender"),
            scene: Path::new("/in/a.blend"),
            project: None,
            setup_dir: Path::new("/s/setup"),
            user_code_dir: Path::new("/s/user_code"),
            description_dir: Path::new("/s/description"),
            frames_dir: Path::new("/s/frames"),
            outputs_dir: Path::new("/s/outputs"),
            home: Path::new("/s/home"),
            environment: &[("PATH".to_owned(), "/bin".to_owned())],
            frames: &frames,
            order: &order,
            threads: None,
            mix_audio: false,
            job: &job,
        };
        let command = launch.command();
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        arguments.join("|")
    }

    #[test]
    fn options_that_configure_come_before_those_that_render() {
        assert_eq!(
            arguments("11-20", |_| ()),
            "--background|--disable-autoexec|--python-exit-code|86|/in/a.blend|--python|\
             /s/setup/setup.py|--render-output|/s/frames/|--frame-start|11|--frame-end|20|\
             --frame-jump|1|--render-anim"
        );
    }

    #[test]
    fn settings_of_the_job_become_arguments() {
        let scene = arguments("1", |job| job.overrides.scene = "B".parse().ok());
        assert!(scene.contains("|/in/a.blend|--scene|B|--python|"), "{scene}");
        let addon = arguments("1", |job| job.user_code.addons = "tool".parse().unwrap());
        assert!(addon.contains("|86|--python|/s/setup/addons.py|/in/a.blend|"), "{addon}");
        assert!(arguments("1", |job| job.enable_autoexec = true).contains("|--enable-autoexec|"));
        let gpu = arguments("1", |job| job.cycles_device = Some("CUDA".parse().unwrap()));
        assert!(gpu.ends_with("--render-anim|--|--cycles-device|CUDA"));
        let auto = arguments("1", |job| job.cycles_device = Some("auto".parse().unwrap()));
        assert!(auto.ends_with("--render-anim"), "the setup script chooses");
    }

    #[test]
    fn the_command_for_a_desktop_is_short_and_can_be_pasted() {
        let command = |frame: i64, engine, change: fn(&mut RenderJob)| {
            let mut job =
                RenderJob { scene: "my shot.blend".parse().unwrap(), ..RenderJob::example() };
            change(&mut job);
            desktop_command(&job, engine, FrameNumber::new(frame).unwrap())
        };
        assert_eq!(
            command(7, None, |_| ()),
            "blender --background 'my shot.blend' --engine CYCLES --render-output /tmp/frame- \
             --render-frame 7"
        );
        assert_eq!(
            command(7, Some("BLENDER_EEVEE_NEXT"), |job| {
                job.overrides.engine = "eevee".parse().unwrap();
                job.overrides.scene = "Shot 4".parse().ok();
            }),
            "blender --background 'my shot.blend' --scene 'Shot 4' --engine BLENDER_EEVEE_NEXT \
             --render-output /tmp/frame- --render-frame 7"
        );
        let of_s3 = command(-3, Some("CYCLES"), |job| {
            job.scene = "s3://bucket/shots/a.blend".parse().unwrap();
            job.overrides.engine = Engine::Scene;
            job.enable_autoexec = true;
            job.cycles_device = Some("CUDA".parse().unwrap());
        });
        assert_eq!(
            of_s3,
            "blender --background --enable-autoexec a.blend --render-output /tmp/frame- \
             --render-frame ' -3' -- --cycles-device CUDA"
        );
    }

    #[test]
    fn frames_are_listed_in_their_order() {
        let arranged = |frames, order| arguments(frames, |job| job.order = order);
        let middle = arranged("1-12", FrameOrder::FirstLastMiddle);
        assert!(middle.ends_with("|--render-frame|1,12,6,2..5,7..11"), "{middle}");
        let tenth = arranged("-9-12", FrameOrder::EveryTenth);
        assert!(tenth.ends_with("|--render-frame| -9,1,11, -8..0,2..10,12"), "{tenth}");
        // These are in ascending order anyway.
        let few = arranged("7-8", FrameOrder::FirstLastMiddle);
        assert!(few.ends_with("|--frame-start|7|--frame-end|8|--frame-jump|1|--render-anim"));
    }

    #[test]
    fn a_list_too_long_for_one_argument_is_split() {
        let arguments = arguments("1-100001x2", |_| ());
        let lists: Vec<_> = arguments.split("|--render-frame|").skip(1).collect();
        assert!(lists.len() > 1 && lists.iter().all(|list| list.len() < 128 * 1024));
        let frames: Vec<_> = lists.join(",").split(',').map(str::to_owned).collect();
        let expected: Vec<_> = (1..=100_001).step_by(2).map(|n: i32| n.to_string()).collect();
        assert_eq!(frames, expected);
    }

    #[test]
    fn frames_with_gaps_are_listed_and_negative_ones_are_absolute() {
        assert!(arguments("1-3,7", |_| ()).ends_with("|--render-frame|1..3,7"));
        assert!(arguments("-3--2,5", |_| ()).ends_with("|--render-frame| -3.. -2,5"));
        assert!(
            arguments("-3-2", |_| ())
                .ends_with("--frame-start| -3|--frame-end|2|--frame-jump|1|--render-anim")
        );
    }
}
