//! Everything that a frame is made from, as one hash.
//!
//! A frame's [`Fingerprint`] is the SHA-256 of a text with a line for each input that can change
//! its pixels. Frames with equal fingerprints show the same picture. The reverse is not true: a
//! frame may be rendered again although its picture does not change.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::external_state::ExternalState;
use crate::blender::{SETUP_FILES, SceneInfo};
use crate::hex::hex;
use crate::request::{Confinement, FrameNumber, RenderJob, Unbaked};
use crate::storage::Fingerprint;

/// The version of the text's layout and of the worker's own influence on pictures. Raise it when a
/// change of the worker makes the same inputs render differently, unless the change is in
/// [`SETUP_FILES`], which are hashed.
const VERSION: u32 = 1;

/// The inputs of all frames that are known before Blender starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderInputs {
    text: String,
    /// The external files that Blender may read.
    readable: String,
    /// Whether simulations that are not baked are left out.
    leaves_out_simulations: bool,
}

impl RenderInputs {
    /// The inputs of `job`. `scene` identifies the scene file and its location, `blender` the
    /// Blender, `user_code` the Python that the user adds to it. `locked_in` is whether the sandbox limits which files Blender can read.
    pub fn new(
        job: &RenderJob,
        scene: &str,
        blender: &str,
        user_code: &str,
        confinement: &Confinement,
        locked_in: bool,
    ) -> Self {
        // List every field, so that the compiler demands a decision on new ones.
        let RenderJob {
            // The argument `scene` stands for its absolute path and its content.
            scene: _,
            main: _,
            output: _,
            frames: _,
            // Frames that depend on earlier ones are rendered in ascending order.
            order: _,
            overrides,
            // They say the same as the other fields.
            settings: _,
            // Each of its jobs names its camera.
            cameras: _,
            cycles_device,
            // Who renders a frame does not change it.
            processes: _,
            cache_dir: _,
            cache_size: _,
            // Blender and scene determine what is missing.
            allow_missing: _,
            // The argument `user_code` stands for its content.
            user_code: _,
            // The state of the external files has what is missing.
            missing_files: _,
            strict: _,
            unbaked,
            enable_autoexec,
            max_backlog: _,
            resume: _,
            previews: _,
            start_jitter: _,
        } = job;
        // Never fails: every field is text, a number or a truth value.
        let overrides = serde_json::to_string(&overrides.of_pixels()).unwrap_or_default();
        let cycles_device =
            cycles_device.as_ref().map_or_else(|| "of the scene".to_owned(), ToString::to_string);
        let mut setup = Sha256::new();
        for (_, content) in SETUP_FILES {
            setup.update(content);
        }
        let setup = hex(&setup.finalize());
        let settings: Vec<_> = confinement.settings().collect();
        let readable = if locked_in { format!("{:?}", confinement.readable) } else { "all".into() };
        let lines = [
            format!("render-worker {VERSION}"),
            format!("scene {scene:?}"),
            format!("overrides {overrides}"),
            format!("cycles device {cycles_device:?}"),
            format!("autoexec {enable_autoexec}"),
            format!("setup script {setup}"),
            format!("blender {blender:?}"),
            format!("user code {user_code:?}"),
            format!("environment {settings:?}"),
        ];
        let leaves_out_simulations = *unbaked == Unbaked::Allow;
        Self { text: lines.join("\n"), readable, leaves_out_simulations }
    }

    /// A short name for these inputs, of 16 hexadecimal digits.
    pub fn name(&self) -> String {
        hex(&Sha256::digest(&self.text)).chars().take(16).collect()
    }

    /// The source of the frames of `scene`, with the state of its external files. Simulated frames
    /// are the same in every job, wherever it begins; those without their simulations are others.
    pub fn source(&self, scene: &SceneInfo, state: &ExternalState) -> Source {
        let Source(source) = self.with_external(state);
        if self.leaves_out_simulations && !scene.simulations.is_empty() {
            return Source(hex(&Sha256::digest(format!("{source}\nwithout simulations"))));
        }
        Source(source)
    }

    /// These inputs, with the state of the external files. If any of these exists, the sandbox
    /// counts as well: Blender may not be allowed to read it, and then renders without it.
    pub(super) fn with_external(&self, state: &ExternalState) -> Source {
        let readable = if state.found { &self.readable } else { "" };
        let (text, state) = (&self.text, &state.text);
        Source(hex(&Sha256::digest(format!(
            "{text}\nexternal files {state:?}\nreach {readable:?}"
        ))))
    }
}

/// The hash of everything that the frames of a job have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(String);

impl Source {
    /// The fingerprint of a frame with this source. `sides` are the side files that are stored with
    /// it, as their paths below the output and their sizes in bytes: a frame that has lost one has
    /// another fingerprint.
    pub fn fingerprint(&self, frame: FrameNumber, sides: &BTreeMap<String, u64>) -> Fingerprint {
        let mut text = format!("{}\nframe {frame}", self.0);
        for (path, bytes) in sides {
            // Writing to memory does not fail.
            _ = write!(text, "\nwith {path:?} of {bytes} bytes");
        }
        <[u8; 32]>::from(Sha256::digest(text)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{AllowMissing, Denoise, Engine, Feature, FrameSelection, Location};
    use std::collections::BTreeSet;

    /// The fingerprint of frame 7 after a change of the job.
    fn fingerprint_after(change: impl FnOnce(&mut RenderJob)) -> Fingerprint {
        let mut job = RenderJob::example();
        change(&mut job);
        fingerprint(&job, "sha256 1", "elf 2", "none", 7)
    }

    fn fingerprint(
        job: &RenderJob,
        scene: &str,
        blender: &str,
        external: &str,
        frame: i64,
    ) -> Fingerprint {
        let source = inputs(job, scene, blender).with_external(&state(external));
        source.fingerprint(FrameNumber::new(frame).unwrap(), &BTreeMap::new())
    }

    fn state(text: &str) -> ExternalState {
        let found = text.contains("bytes");
        let mut state = ExternalState::default();
        (state.text, state.found) = (text.to_owned(), found);
        state
    }

    fn inputs(job: &RenderJob, scene: &str, blender: &str) -> RenderInputs {
        RenderInputs::new(job, scene, blender, "none", &Confinement::default(), true)
    }

    #[test]
    fn every_input_that_changes_pixels_changes_the_fingerprint() {
        let job = RenderJob::example();
        let different = [
            fingerprint_after(|_| ()),
            fingerprint_after(|job| job.overrides.engine = Engine::Named("BLENDER_EEVEE".into())),
            fingerprint_after(|job| job.overrides.engine = Engine::Scene),
            fingerprint_after(|job| job.cycles_device = Some("CPU".parse().unwrap())),
            fingerprint_after(|job| job.cycles_device = Some("CUDA".parse().unwrap())),
            fingerprint_after(|job| job.overrides.denoise = Denoise::Off),
            fingerprint_after(|job| job.overrides.camera = "Cam".parse().ok()),
            fingerprint_after(|job| job.overrides.set = "cycles.seed=1".parse().unwrap()),
            fingerprint_after(|job| job.enable_autoexec = true),
            fingerprint(&job, "sha256 2", "elf 2", "none", 7),
            fingerprint(&job, "sha256 1", "elf 3", "none", 7),
            fingerprint(&job, "sha256 1", "elf 2", "a texture", 7),
            fingerprint(&job, "sha256 1", "elf 2", "none", 8),
            fingerprint(&job, "sha256 1", "elf 2", "none", -7),
        ];
        let set: BTreeSet<_> = different.iter().map(ToString::to_string).collect();
        assert_eq!(set.len(), different.len());
    }

    #[test]
    fn the_side_files_of_a_frame_change_its_fingerprint() {
        let source = inputs(&RenderJob::example(), "1", "2").with_external(&state(""));
        let fingerprint = |sides: &[(&str, u64)]| {
            let sides = sides.iter().map(|(path, bytes)| ((*path).to_owned(), *bytes)).collect();
            source.fingerprint(FrameNumber::ONE, &sides).to_string()
        };
        let different = [
            fingerprint(&[]),
            fingerprint(&[("outputs/a/0001.png", 7)]),
            fingerprint(&[("outputs/a/0001.png", 8)]),
            fingerprint(&[("outputs/b/0001.png", 7)]),
            fingerprint(&[("outputs/a/0001.png", 7), ("outputs/b/0001.png", 7)]),
        ];
        assert_eq!(BTreeSet::from(different.clone()).len(), different.len());
    }

    #[test]
    fn other_settings_do_not_change_the_fingerprint() {
        let same = fingerprint_after(|_| ());
        assert_eq!(
            fingerprint_after(|job| job.output = Location::Local("/elsewhere".into())),
            same
        );
        let frames = FrameSelection::Exactly("7".parse().unwrap());
        assert_eq!(fingerprint_after(|job| job.frames = frames), same);
        assert_eq!(fingerprint_after(|job| job.resume = false), same);
        assert_eq!(fingerprint_after(|job| job.overrides.threads = "2".parse().ok()), same);
        let allowed = AllowMissing([Feature::Osl].into());
        assert_eq!(fingerprint_after(|job| job.allow_missing = allowed), same);
    }

    #[test]
    fn variables_that_can_change_pixels_change_the_source() {
        let job = RenderJob::example();
        let source = |environment: &[(&str, &str)], external: &str| {
            let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
            let confinement = Confinement {
                environment: environment.iter().map(owned).collect(),
                passed: vec!["STUDIO".to_owned()],
                ..Confinement::default()
            };
            RenderInputs::new(&job, "1", "2", "none", &confinement, true)
                .with_external(&state(external))
        };
        let plain = source(&[], "");
        for changes in [("OCIO", "/a"), ("BLENDER_USER_CONFIG", "/a"), ("STUDIO", "1")] {
            assert_ne!(source(&[changes], ""), plain, "{changes:?}");
            assert_ne!(source(&[changes], ""), source(&[(changes.0, "2")], ""), "{changes:?}");
        }
        assert_eq!(source(&[("CUDA_VISIBLE_DEVICES", "1"), ("PATH", "/bin")], ""), plain);
    }

    #[test]
    fn readable_files_change_the_source_only_if_external_files_exist() {
        let job = RenderJob::example();
        let source = |readable: &[&str], locked_in, external: &str| {
            let readable = readable.iter().map(Into::into).collect();
            let confinement = Confinement { readable, ..Confinement::default() };
            RenderInputs::new(&job, "1", "2", "none", &confinement, locked_in)
                .with_external(&state(external))
        };
        for nothing in ["", "wood missing"] {
            assert_eq!(source(&["/a"], true, nothing), source(&[], false, nothing), "{nothing}");
        }
        let wood = "wood 7 bytes";
        assert_ne!(source(&["/a"], true, wood), source(&[], true, wood));
        assert_ne!(source(&[], false, wood), source(&[], true, wood));
        assert_eq!(source(&["/a"], false, wood), source(&[], false, wood));
    }

    #[test]
    fn the_content_of_user_code_changes_the_source() {
        let job = RenderJob::example();
        let source = |code| RenderInputs::new(&job, "1", "2", code, &Confinement::default(), true);
        assert_ne!(source("none"), source("sha256 3"));
    }

    #[test]
    fn only_simulations_that_are_left_out_change_the_source() {
        let source = |unbaked, simulations: &str| {
            let job = RenderJob { unbaked, ..RenderJob::example() };
            let scene = format!(
                r#"{{"blender":"4.5","engine":"CYCLES","fps":24,"fps_base":1.0,"width":1,"height":1,
                    "frame_start":1,"frame_end":9,"extension":".png","simulations":[{simulations}]}}"#
            );
            inputs(&job, "1", "2").source(&serde_json::from_str(&scene).unwrap(), &state(""))
        };
        let cloth = r#"{"name":"cloth Cloth of object Flag","first_frame":1}"#;
        let plain = source(Unbaked::Refuse, "");
        for (unbaked, simulations) in
            [(Unbaked::Refuse, cloth), (Unbaked::Simulate, cloth), (Unbaked::Allow, "")]
        {
            assert_eq!(source(unbaked, simulations), plain, "{unbaked:?}");
        }
        assert_ne!(source(Unbaked::Allow, cloth), plain);
    }

    #[test]
    fn no_input_can_pass_for_a_line_of_another() {
        let job = RenderJob::example();
        let split = fingerprint(&job, "1\"\nengine \"x", "2", "", 1);
        assert_ne!(split, fingerprint(&job, "1", "2", "", 1));
        assert_ne!(fingerprint(&job, "12", "", "", 1), fingerprint(&job, "1", "2", "", 1));
        let lines = |scene| inputs(&job, scene, "3").text.lines().count();
        assert_eq!(lines("1\n2"), lines("1"));
    }

    #[test]
    fn the_name_depends_on_the_inputs() {
        let job = RenderJob::example();
        let other = RenderJob { enable_autoexec: true, ..RenderJob::example() };
        let name = inputs(&job, "1", "2").name();
        assert_eq!(name.len(), 16);
        assert_eq!(name, inputs(&job, "1", "2").name());
        assert_ne!(name, inputs(&other, "1", "2").name());
    }
}
