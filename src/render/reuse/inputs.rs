//! What a frame is made from, as one hash.
//!
//! A frame's [`Fingerprint`] is the SHA-256 of a text with a line for each thing that
//! changes its pixels. Two frames of equal fingerprints show the same. Two that show the
//! same may have different ones: then one is rendered again for nothing.

use sha2::{Digest as _, Sha256};

use super::external_state::ExternalState;
use crate::blender::SETUP_FILES;
use crate::request::{Confinement, Denoise, Engine, FrameNumber, RenderJob};
use crate::storage::Fingerprint;

/// The layout of the text, and what the worker itself has its part in. To be raised when
/// a change of the worker makes it render differently from the same; what it does in
/// [`SETUP_FILES`] is taken into account as it is.
const VERSION: u32 = 1;

/// Everything that is known of how frames are made before Blender is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderInputs {
    text: String,
    /// Which files outside of the scene file Blender can read.
    reach: String,
}

impl RenderInputs {
    /// How `job` makes its frames. `scene` tells this scene file in its place from others,
    /// `blender` this Blender. `locked_in` is whether that reads only what is opened to it.
    pub fn new(
        job: &RenderJob,
        scene: &str,
        blender: &str,
        confinement: &Confinement,
        locked_in: bool,
    ) -> Self {
        // Every field: one that is added must be decided upon.
        let RenderJob {
            // A path may be relative, and says nothing of the content: `scene` tells both.
            scene: _,
            output: _,
            frames: _,
            engine,
            cycles_device,
            denoise,
            // What is lacking is known by the Blender and the scene.
            allow_missing: _,
            enable_autoexec,
            max_backlog: _,
            resume: _,
            start_jitter: _,
        } = job;
        let engine = match engine {
            Engine::Named(name) => format!("named {name}"),
            Engine::Scene => "of the scene".to_owned(),
        };
        let cycles_device = cycles_device.as_ref().map_or("of the scene", |name| name.as_str());
        let denoise = match denoise {
            Denoise::Scene => "as the scene says",
            Denoise::Off => "off",
        };
        let mut setup = Sha256::new();
        for (_, content) in SETUP_FILES {
            setup.update(content);
        }
        let setup = hex(setup.finalize());
        let settings: Vec<_> = confinement.settings().collect();
        let reach = if locked_in { format!("{:?}", confinement.readable) } else { "all".into() };
        let lines = [
            format!("render-worker {VERSION}"),
            format!("scene {scene:?}"),
            format!("engine {engine:?}"),
            format!("cycles device {cycles_device:?}"),
            format!("denoise {denoise}"),
            format!("autoexec {enable_autoexec}"),
            format!("setup script {setup}"),
            format!("blender {blender:?}"),
            format!("environment {settings:?}"),
        ];
        Self { text: lines.join("\n"), reach }
    }

    /// A short name for it, in letters and digits.
    pub fn name(&self) -> String {
        hex(Sha256::digest(&self.text)).chars().take(16).collect()
    }

    /// The same with the state of the files outside of the scene file. A file that is found
    /// may be closed to Blender, which renders without it.
    pub fn with_external(&self, state: &ExternalState) -> Source {
        let reach = if state.found { &self.reach } else { "" };
        let (text, state) = (&self.text, &state.text);
        Source(hex(Sha256::digest(format!("{text}\nexternal files {state:?}\nreach {reach:?}"))))
    }
}

/// Everything that all frames are made from: a hash of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(String);

impl Source {
    /// The fingerprint of a frame that is made from this.
    pub fn fingerprint(&self, frame: FrameNumber) -> Fingerprint {
        <[u8; 32]>::from(Sha256::digest(format!("{}\nframe {frame}", self.0))).into()
    }
}

fn hex(hash: impl Into<[u8; 32]>) -> String {
    Fingerprint::from(hash.into()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{AllowMissing, Feature, FrameSelection, Location};
    use std::collections::BTreeSet;

    /// The fingerprint of frame 7, after a change of what it is made from.
    fn fingerprint(change: impl FnOnce(&mut RenderJob)) -> Fingerprint {
        let mut job = RenderJob::example();
        change(&mut job);
        of(&job, "sha256 1", "elf 2", "none", 7)
    }

    fn of(job: &RenderJob, scene: &str, blender: &str, external: &str, frame: i64) -> Fingerprint {
        let source = inputs(job, scene, blender).with_external(&state(external));
        source.fingerprint(FrameNumber::new(frame).unwrap())
    }

    fn state(text: &str) -> ExternalState {
        let found = text.contains("bytes");
        let mut state = ExternalState::default();
        (state.text, state.found) = (text.to_owned(), found);
        state
    }

    fn inputs(job: &RenderJob, scene: &str, blender: &str) -> RenderInputs {
        RenderInputs::new(job, scene, blender, &Confinement::default(), true)
    }

    #[test]
    fn everything_that_changes_pixels_changes_it() {
        let job = RenderJob::example();
        let different = [
            fingerprint(|_| ()),
            fingerprint(|job| job.engine = Engine::Named("BLENDER_EEVEE".into())),
            fingerprint(|job| job.engine = Engine::Scene),
            fingerprint(|job| job.cycles_device = Some("CPU".parse().unwrap())),
            fingerprint(|job| job.cycles_device = Some("CUDA".parse().unwrap())),
            fingerprint(|job| job.denoise = Denoise::Off),
            fingerprint(|job| job.enable_autoexec = true),
            of(&job, "sha256 2", "elf 2", "none", 7),
            of(&job, "sha256 1", "elf 3", "none", 7),
            of(&job, "sha256 1", "elf 2", "a texture", 7),
            of(&job, "sha256 1", "elf 2", "none", 8),
            of(&job, "sha256 1", "elf 2", "none", -7),
        ];
        let set: BTreeSet<_> = different.iter().map(ToString::to_string).collect();
        assert_eq!(set.len(), different.len());
    }

    #[test]
    fn nothing_else_does() {
        let same = fingerprint(|_| ());
        assert_eq!(fingerprint(|job| job.output = Location::Local("/elsewhere".into())), same);
        let frames = FrameSelection::Exactly("7".parse().unwrap());
        assert_eq!(fingerprint(|job| job.frames = frames), same);
        assert_eq!(fingerprint(|job| job.resume = false), same);
        let allowed = AllowMissing([Feature::Osl].into());
        assert_eq!(fingerprint(|job| job.allow_missing = allowed), same);
    }

    #[test]
    fn variables_that_pictures_can_depend_on_do() {
        let job = RenderJob::example();
        let of = |environment: &[(&str, &str)], external: &str| {
            let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
            let confinement = Confinement {
                environment: environment.iter().map(owned).collect(),
                passed: vec!["STUDIO".to_owned()],
                ..Confinement::default()
            };
            RenderInputs::new(&job, "1", "2", &confinement, true).with_external(&state(external))
        };
        let plain = of(&[], "");
        for changes in [("OCIO", "/a"), ("BLENDER_USER_CONFIG", "/a"), ("STUDIO", "1")] {
            assert_ne!(of(&[changes], ""), plain, "{changes:?}");
            assert_ne!(of(&[changes], ""), of(&[(changes.0, "2")], ""), "{changes:?}");
        }
        assert_eq!(of(&[("CUDA_VISIBLE_DEVICES", "1"), ("PATH", "/bin")], ""), plain);
    }

    #[test]
    fn what_blender_can_read_does_where_it_needs_it() {
        let job = RenderJob::example();
        let of = |readable: &[&str], locked_in, external: &str| {
            let readable = readable.iter().map(Into::into).collect();
            let confinement = Confinement { readable, ..Confinement::default() };
            RenderInputs::new(&job, "1", "2", &confinement, locked_in)
                .with_external(&state(external))
        };
        for nothing in ["", "wood missing"] {
            assert_eq!(of(&["/a"], true, nothing), of(&[], false, nothing), "{nothing}");
        }
        let wood = "wood 7 bytes";
        assert_ne!(of(&["/a"], true, wood), of(&[], true, wood));
        assert_ne!(of(&[], false, wood), of(&[], true, wood));
        assert_eq!(of(&["/a"], false, wood), of(&[], false, wood));
    }

    #[test]
    fn no_text_can_pass_for_another_line() {
        let job = RenderJob::example();
        let split = of(&job, "1\"\nengine \"x", "2", "", 1);
        assert_ne!(split, of(&job, "1", "2", "", 1));
        assert_ne!(of(&job, "12", "", "", 1), of(&job, "1", "2", "", 1));
        let lines = |scene| inputs(&job, scene, "3").text.lines().count();
        assert_eq!(lines("1\n2"), lines("1"));
    }

    #[test]
    fn a_recipe_is_named_by_what_is_known_of_it() {
        let job = RenderJob::example();
        let other = RenderJob { enable_autoexec: true, ..RenderJob::example() };
        let name = inputs(&job, "1", "2").name();
        assert_eq!(name.len(), 16);
        assert_eq!(name, inputs(&job, "1", "2").name());
        assert_ne!(name, inputs(&other, "1", "2").name());
    }
}
