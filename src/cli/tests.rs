use std::path::PathBuf;

use super::*;
use crate::request::{
    Engine, Limits, Location, SequenceSelection, StitchJob, StopGrace, Transfers,
};

fn render(arguments: &[&str], environment: &Environment) -> Result<Command, String> {
    command(&[&["render"], arguments].concat(), environment)
}

fn stitch(arguments: &[&str], environment: &Environment) -> Result<StitchJob, String> {
    let all = [&["stitch", "-i", "in", "-o", "out"], arguments].concat();
    let JobRequest::Stitch { job, .. } = command(&all, environment)?.action else {
        panic!("a request to stitch")
    };
    Ok(*job)
}

fn command(arguments: &[&str], environment: &Environment) -> Result<Command, String> {
    let all = ["render-worker"].iter().chain(arguments).map(OsString::from);
    parse(all, environment).map_err(|refusal| match refusal {
        Refusal::Answer(text) => text,
        Refusal::Usage { error, .. } => error.to_string(),
    })
}

fn frames(arguments: &[&str], environment: &Environment) -> String {
    let arguments: Vec<_> =
        ["-i", "a.blend", "-o", "out"].iter().chain(arguments).copied().collect();
    let command = render(&arguments, environment).unwrap();
    let JobRequest::Render { job, .. } = command.action else { panic!("a request to render") };
    job.frames.resolve(None).unwrap().to_string()
}

fn refused(arguments: &[&str], environment: &Environment) -> String {
    render(arguments, environment).expect_err("is refused")
}

#[test]
fn a_flag_wins_over_its_variable_and_an_empty_variable_is_unset() {
    let none = Environment::default();
    assert_eq!(frames(&["-f", "3"], &none), "1-3");
    assert_eq!(frames(&[], &[("F_PER_JOB", "4")].into()), "1-4");
    assert_eq!(frames(&["-f", "3"], &[("F_PER_JOB", "4")].into()), "1-3");
    let empty = [("FRAMES", ""), ("TOTAL_FRAMES", ""), ("AWS_BATCH_JOB_ARRAY_INDEX", "")].into();
    assert_eq!(frames(&["-f", "3"], &empty), "1-3");
}

#[test]
fn everything_can_come_from_the_environment() {
    let environment = [
        ("INPUT_URI", "s3://bucket/a.blend"),
        ("OUTPUT_URI", "s3://bucket/out"),
        ("FRAMES", "1-3"),
        ("ENGINE", "scene"),
        ("ENABLE_AUTOEXEC", "true"),
        ("MAX_BACKLOG", "512MiB"),
        ("BLENDER_ATTEMPTS", "5"),
        ("STALL_TIMEOUT", "90"),
        ("FRAME_TIMEOUT", "1h"),
        ("JOB_TIMEOUT", "off"),
        ("NO_RESUME", "yes"),
        ("START_JITTER", "3s"),
        ("BLENDER", "/opt/blender/blender"),
        ("STOP_GRACE", "110s"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let command = render(&[], &environment.into()).unwrap();
    assert_eq!(command.stop_grace, "110".parse().unwrap());
    assert!(!command.asks_instance);
    let limits = command.limits;
    assert_eq!(limits.blender_attempts.get(), 5);
    assert_eq!(limits.stall.get().map(|span| span.as_secs()), Some(90));
    assert_eq!(limits.frame.get().map(|span| span.as_secs()), Some(3600));
    assert_eq!(limits.job.get(), None);
    let JobRequest::Render { job, blender } = command.action else { panic!("a request to render") };
    assert_eq!(job.overrides.engine, Engine::Scene);
    assert!(job.enable_autoexec);
    assert_eq!(job.max_backlog.bytes(), 512 << 20);
    assert!(!job.resume);
    assert_eq!(job.start_jitter, "3s".parse().unwrap());
    assert_eq!(blender, PathBuf::from("/opt/blender/blender"));
}

#[test]
fn frames_are_chosen_by_slice_or_by_name() {
    let child = |index| Environment::from([("AWS_BATCH_JOB_ARRAY_INDEX", index)]);
    let none = Environment::default();
    assert_eq!(frames(&["-f", "10"], &child("2")), "21-30");
    assert_eq!(frames(&["-f", "10", "-t", "25"], &child("2")), "21-25");
    assert_eq!(frames(&["-f", "2", "--first-frame", "-5"], &none), "-5--4");
    assert_eq!(frames(&["--frames", "-3,7-9"], &none), "-3,7-9");
    assert_eq!(frames(&["--frames", "1-9x2", "-f", "1"], &none), "1,3,5,7,9");
    assert_eq!(frames(&["--frames", "1-9x2", "-f", "2"], &child("1")), "5,7");
    assert_eq!(frames(&["-t", "7"], &none), "1-7");
    let error = refused(&["-i", "a.blend", "-o", "out"], &child("2"));
    assert!(
        error.contains("--frames-per-job (F_PER_JOB)") && error.contains("array job"),
        "{error}"
    );
}

#[test]
fn without_a_number_of_frames_the_whole_animation_is_rendered() {
    let command = render(&["-i", "a.blend", "-o", "out"], &Environment::default()).unwrap();
    let JobRequest::Render { job, .. } = command.action else { panic!("a request to render") };
    assert!(job.frames.needs_scene_range());
    let range = "5-9".parse::<crate::request::FrameSet>().unwrap().ranges()[0];
    assert_eq!(job.frames.resolve(Some(range)).unwrap().to_string(), "5-9");
}

#[test]
fn run_renders_with_the_scenes_engine_and_stitches_what_it_rendered() {
    let run = |arguments: &[&str], environment: &Environment| {
        let all = [&["run", "-i", "a.blend", "-o", "out"], arguments].concat();
        let JobRequest::Run { job, .. } = command(&all, environment)?.action else {
            panic!("a request to run")
        };
        Ok::<_, String>(job)
    };
    let none = Environment::default();
    let job = run(&["--codec", "h265"], &none).unwrap();
    assert_eq!(job.render.overrides.engine, Engine::Scene);
    let stitch = job.stitch("3-4".parse().unwrap());
    assert_eq!((&stitch.input, &stitch.output), (&job.render.output, &job.render.output));
    assert_eq!(stitch.frames, SequenceSelection::Exactly("3-4".parse().unwrap()));
    assert_eq!(stitch.video.codec, "h265".parse().unwrap());
    let job = run(&["--engine", "CYCLES"], &none).unwrap();
    assert_eq!(job.render.overrides.engine, Engine::Named("CYCLES".to_owned()));
    let child = Environment::from([("AWS_BATCH_JOB_ARRAY_INDEX", "1")]);
    let error = run(&[], &child).unwrap_err();
    assert!(error.contains("AWS_BATCH_JOB_ARRAY_INDEX"), "{error}");
}

#[test]
fn a_preview_is_kept_apart() {
    let none = Environment::default();
    let preview = Location::Local("out/preview".into());
    let base = ["-i", "a.blend", "-o", "out", "-f", "1", "--samples", "4"];
    let command = render(&base, &[("PREVIEW", "true")].into()).unwrap();
    let JobRequest::Render { job, .. } = command.action else { panic!("a request to render") };
    assert!(job.overrides.preview && job.overrides.samples.is_some());
    assert_eq!(job.output, preview);
    assert_eq!(stitch(&["--preview"], &none).unwrap().output, preview);
}

#[test]
fn previews_are_made_unless_they_are_switched_off() {
    let base = ["-i", "a.blend", "-o", "out", "-f", "1"];
    for (environment, expected) in [
        (Environment::default(), true),
        ([("NO_PREVIEWS", "false")].into(), true),
        ([("NO_PREVIEWS", "true")].into(), false),
    ] {
        let command = render(&base, &environment).unwrap();
        let JobRequest::Render { job, .. } = command.action else { panic!("a request to render") };
        assert_eq!(job.previews, expected);
        assert_eq!(stitch(&[], &environment).unwrap().previews, expected);
    }
    let none = Environment::default();
    assert!(!stitch(&["--no-previews"], &none).unwrap().previews);
}

#[test]
fn every_refusal_names_flag_and_variable() {
    let none = Environment::default();
    let base = ["-i", "a.blend", "-o", "out"];
    let with = |more: &[&'static str]| [&base[..], more].concat();
    let table: &[(Vec<&str>, &[&str])] = &[
        (vec!["-o", "out", "-f", "1"], &["--input-uri", "INPUT_URI", "required"]),
        (vec!["-i", "a", "-f", "1"], &["--output-uri", "OUTPUT_URI", "required"]),
        (with(&["--samples", "0"]), &["--samples", "SAMPLES", "`0`"]),
        (with(&["--resolution", "50"]), &["--resolution", "RESOLUTION", "`50`"]),
        (with(&["-f", "0"]), &["--frames-per-job", "F_PER_JOB", "`0`"]),
        (with(&["-f", "ten"]), &["--frames-per-job", "F_PER_JOB", "`ten`"]),
        (with(&["-f", "1", "-t", "-1"]), &["--total-frames", "TOTAL_FRAMES"]),
        (with(&["-f", "1", "--first-frame", "x"]), &["--first-frame", "FIRST_FRAME", "`x`"]),
        (with(&["--frames", "5-1"]), &["--frames", "FRAMES", "`5-1`"]),
        (with(&["--frames", "1", "-t", "4"]), &["FRAMES", "contradicts", "TOTAL_FRAMES"]),
        (with(&["-f", "1", "--engine", "a b"]), &["--engine", "ENGINE", "`a b`"]),
        (with(&["-f", "1", "--cycles-device", "GPU"]), &["--cycles-device", "CYCLES_DEVICE"]),
        (with(&["-f", "1", "--sandbox", "on"]), &["--sandbox", "SANDBOX", "auto, require or off"]),
        (with(&["-f", "1", "--pass-env", "A,B=1"]), &["--pass-env", "PASS_ENV", "`A,B=1`"]),
        (with(&["-f", "1", "--allow-read", "/a::/b"]), &["--allow-read", "ALLOW_READ", "/a::/b"]),
        (with(&["-f", "1", "--max-backlog", "-1"]), &["--max-backlog", "MAX_BACKLOG", "`-1`"]),
        (with(&["-f", "1", "--stop-grace", "0"]), &["--stop-grace", "STOP_GRACE", "`0`"]),
        (with(&["-f", "1", "--log-format", "xml"]), &["--log-format", "LOG_FORMAT", "`xml`"]),
        (with(&["-f", "1", "--blender-attempts", "0"]), &["BLENDER_ATTEMPTS", "`0`", "1 to 100"]),
        (with(&["-f", "1", "--stall-timeout", "-1"]), &["--stall-timeout", "STALL_TIMEOUT", "off"]),
        (with(&["-f", "1", "--frame-timeout", "1x"]), &["--frame-timeout", "FRAME_TIMEOUT", "off"]),
        (with(&["-f", "1", "--start-jitter", "-1"]), &["--start-jitter", "START_JITTER", "off"]),
        (with(&["-f", "1", "--job-timeout", "0"]), &["--job-timeout", "JOB_TIMEOUT", "off"]),
        (vec!["-i", "gs://b/a", "-o", "out", "-f", "1"], &["--input-uri", "INPUT_URI", "gs://b/a"]),
        (
            vec!["-i", "s3://bucket", "-o", "out", "-f", "1"],
            &["--input-uri", "INPUT_URI", "bucket"],
        ),
        (vec!["-i", "", "-o", "out", "-f", "1"], &["--input-uri", "INPUT_URI", "empty"]),
        (vec!["-i", "Ref::inputUri", "-o", "out"], &["Ref::inputUri", "parameters"]),
        (with(&["-f", "1", "--unknown"]), &["--unknown"]),
    ];
    for (arguments, words) in table {
        let text = refused(arguments, &none);
        for word in *words {
            assert!(text.contains(word), "{arguments:?}: {word:?} is not in {text:?}");
        }
    }
}

#[test]
fn what_programs_get_and_read_can_be_given_in_one_word_or_in_several() {
    let given = |arguments: &[&str], environment: &Environment| {
        let arguments = [&["-i", "a.blend", "-o", "out", "-f", "1"], arguments].concat();
        let confinement = render(&arguments, environment).unwrap().confinement;
        let names = confinement.environment.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        (confinement.readable, names)
    };
    let mut environment =
        [("A", "1"), ("B", "2"), ("ALLOW_READ", "/c:/d"), ("PASS_ENV", "B"), ("AWS_A", "")].into();
    let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(given(&[], &environment), (paths(&["/c", "/d"]), names(&["B"])));
    let several = ["--allow-read", "/a:/b", "--allow-read", "/c", "--pass-env", "A,B"];
    assert_eq!(given(&several, &environment), (paths(&["/a", "/b", "/c"]), names(&["A", "B"])));
    environment = Environment::default();
    assert_eq!(given(&[], &environment), (vec![], vec![]));
}

#[test]
fn variables_are_refused_like_flags() {
    let arguments = ["-i", "a.blend", "-o", "out", "-f", "1"];
    for (variable, value, word) in [
        ("TOTAL_FRAMES", "many", "--total-frames"),
        ("FIRST_FRAME", "Ref::firstFrame", "parameter `firstFrame`"),
        ("ENABLE_AUTOEXEC", "maybe", "true or false"),
        ("STOP_GRACE", "3h", "1s to 2h"),
        ("NO_RESUME", "frames", "true or false"),
        ("NO_PREVIEWS", "frames", "true or false"),
        ("AWS_BATCH_JOB_ARRAY_INDEX", "-1", "whole number"),
        ("AWS_BATCH_JOB_ATTEMPT", "first", "whole number"),
    ] {
        let text = refused(&arguments, &[(variable, value)].into());
        assert!(text.contains(variable) && text.contains(word), "{text}");
    }
    let outside = [("AWS_BATCH_JOB_ARRAY_INDEX", "4"), ("AWS_BATCH_JOB_ARRAY_SIZE", "4")];
    assert!(refused(&arguments, &outside.into()).contains("0 to 3"));
}

#[test]
fn frames_alone_in_an_array_would_be_rendered_by_every_child() {
    let child = [("AWS_BATCH_JOB_ARRAY_INDEX", "1")].into();
    let text = refused(&["-i", "a.blend", "-o", "out", "--frames", "1-9"], &child);
    assert!(text.contains("F_PER_JOB"), "{text}");
}

#[test]
fn options_that_mean_nothing_to_the_codec_are_refused() {
    let error = stitch(&["--codec", "prores", "--crf", "1"], &Environment::default()).unwrap_err();
    assert!(error.contains("--crf (CRF)"), "{error}");
}

#[test]
fn what_is_fetched_ahead_is_a_size() {
    let none = Environment::default();
    let variable = [("MAX_PREFETCH", "1GiB")].into();
    let window = |arguments: &[&str], environment: &Environment| {
        stitch(arguments, environment).map(|job| job.max_prefetch.bytes())
    };
    assert_eq!(window(&[], &none), Ok(64 << 20));
    assert_eq!(window(&[], &variable), Ok(1 << 30));
    assert_eq!(window(&["--max-prefetch", "0"], &none), Ok(0));
    let error = window(&["--max-prefetch", "-1"], &none).unwrap_err();
    assert!(error.contains("--max-prefetch (MAX_PREFETCH): `-1`"), "{error}");
}

#[test]
fn the_defaults_of_settings_are_those_of_their_types() {
    let command = render(&["-i", "a.blend", "-o", "out", "-f", "1"], &[].into()).unwrap();
    assert_eq!(command.limits, Limits::default());
    assert_eq!(command.stop_grace, StopGrace::default());
    let (given, types) = (command.transfers, Transfers::default());
    assert_eq!((given.at_once, given.upload_buffer), (types.at_once, types.upload_buffer));
}
