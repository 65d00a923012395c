//! The name of each setting: its flag, the variable behind it, and its default. `--help`, the
//! manual pages and `docs/reference.md` take them from here.

use super::setting::Setting;
use crate::request::{RenderJob, Unbaked};

pub const INPUT_URI: Setting = Setting::new("--input-uri", "INPUT_URI").required();
pub const OUTPUT_URI: Setting = Setting::new("--output-uri", "OUTPUT_URI").required();
pub const FRAMES_PER_JOB: Setting = Setting::new("--frames-per-job", "F_PER_JOB");
pub const TOTAL_FRAMES: Setting = Setting::new("--total-frames", "TOTAL_FRAMES");
pub const FIRST_FRAME: Setting = Setting::new("--first-frame", "FIRST_FRAME");
pub const FRAMES: Setting = Setting::new("--frames", "FRAMES");
pub const ARRAY_INDEX: Setting =
    Setting::new("--array-index", "ARRAY_INDEX").or_what("what the scheduler says");
pub const STRIDE: Setting = Setting::new("--stride", "STRIDE");
pub const TARGET_MINUTES: Setting = Setting::new("--target-minutes", "TARGET_MINUTES").or("15");
pub const TEST_FRAMES: Setting = Setting::new("--test-frames", "TEST_FRAMES");
pub const PRICE_PER_HOUR: Setting = Setting::new("--price-per-hour", "PRICE_PER_HOUR");
pub const SCRATCH_DIR: Setting =
    Setting::new("--scratch-dir", "SCRATCH_DIR").or_what("TMPDIR, else /tmp");
pub const SANDBOX: Setting = Setting::new("--sandbox", "SANDBOX").or("auto");
pub const ALLOW_READ: Setting = Setting::new("--allow-read", "ALLOW_READ");
pub const PASS_ENV: Setting = Setting::new("--pass-env", "PASS_ENV");
pub const STOP_GRACE: Setting = Setting::new("--stop-grace", "STOP_GRACE").or("25s");
pub const LOG_FORMAT: Setting =
    Setting::new("--log-format", "LOG_FORMAT").or_what("text on a terminal, else json");
pub const METRICS: Setting =
    Setting::new("--metrics", "METRICS").or_what("emf on AWS Batch, else off");
pub const LOG_LEVEL: Setting = Setting::new("--log-level", "LOG_LEVEL")
    .or_what("info; warn for inspect, and for submit and status without --wait");
pub const ENGINE: Setting =
    Setting::new("--engine", "ENGINE").or_what("the scene's for run, else CYCLES");
pub const CYCLES_DEVICE: Setting =
    Setting::new("--cycles-device", "CYCLES_DEVICE").or_what("the scene's");
pub const PROCESSES: Setting = Setting::new("--processes", "PROCESSES").or("1");
pub const GPUS_PER_PROCESS: Setting = Setting::new("--gpus-per-process", "GPUS_PER_PROCESS");
pub const CACHE_DIR: Setting = Setting::new("--cache-dir", "CACHE_DIR");
pub const CACHE_SIZE: Setting = Setting::new("--cache-size", "CACHE_SIZE").or("50GiB");
pub const DENOISE: Setting = Setting::new("--denoise", "DENOISE").or("scene");
pub const PREVIEW: Setting = Setting::new("--preview", "PREVIEW").or("false");
pub const NO_PREVIEWS: Setting = Setting::new("--no-previews", "NO_PREVIEWS").or("false");
pub const SAMPLES: Setting = Setting::new("--samples", "SAMPLES").or_what("the scene's");
pub const RESOLUTION: Setting = Setting::new("--resolution", "RESOLUTION").or_what("the scene's");
pub const SCENE: Setting = Setting::new("--scene", RenderJob::SCENE).or_what("the active scene");
pub const VIEW_LAYER: Setting =
    Setting::new("--view-layer", "VIEW_LAYER").or_what("those that the scene renders");
pub const CAMERA: Setting = Setting::new("--camera", RenderJob::CAMERA).or_what("the scene's");
pub const BORDER: Setting = Setting::new("--border", "BORDER").or_what("the scene's");
pub const FORMAT: Setting = Setting::new("--format", "FORMAT").or_what("the scene's");
pub const COLOR_DEPTH: Setting =
    Setting::new("--color-depth", "COLOR_DEPTH").or_what("the scene's");
pub const COLOR_MODE: Setting = Setting::new("--color-mode", "COLOR_MODE").or_what("the scene's");
pub const TIME_LIMIT: Setting = Setting::new("--time-limit", "TIME_LIMIT").or_what("the scene's");
pub const SEED: Setting = Setting::new("--seed", "SEED").or_what("the scene's");
pub const SIMPLIFY: Setting = Setting::new("--simplify", "SIMPLIFY").or_what("the scene's");
pub const PERSISTENT_DATA: Setting =
    Setting::new("--persistent-data", "PERSISTENT_DATA").or_what("the scene's");
pub const THREADS: Setting = Setting::new("--threads", "THREADS").or_what("the scene's");
pub const SET: Setting = Setting::new("--set", "SET");
pub const PYTHON_FILE: Setting = Setting::new("--python", "PYTHON_FILE");
pub const ADDON: Setting = Setting::new("--addon", "ADDON");
pub const ADDONS_DIR: Setting = Setting::new("--addons-dir", "ADDONS_DIR");
pub const ALLOW_MISSING: Setting = Setting::new("--allow-missing", "ALLOW_MISSING");
pub const MISSING_FILES: Setting = Setting::new("--missing-files", "MISSING_FILES").or("fail");
pub const STRICT: Setting = Setting::new("--strict", "STRICT").or("false");
pub const SIMULATE: Setting = Setting::new("--simulate", Unbaked::SIMULATE).or("false");
pub const ALLOW_UNBAKED: Setting = Setting::new("--allow-unbaked", Unbaked::ALLOW).or("false");
pub const ORDER: Setting = Setting::new("--order", "ORDER").or("sequential");
pub const BLENDER_VERSION: Setting = Setting::new("--blender-version", "BLENDER_VERSION");
pub const ENABLE_AUTOEXEC: Setting =
    Setting::new("--enable-autoexec", "ENABLE_AUTOEXEC").or("false");
pub const MAIN: Setting = Setting::new("--main", "MAIN").or_what("the only .blend file");
pub const PROJECT: Setting = Setting::new("--project", "PROJECT_URI");
pub const PROJECT_DIR: Setting =
    Setting::new("--project-dir", "PROJECT_DIR").or_what("the folder of the scene");
pub const PROJECT_NAME: Setting =
    Setting::new("--name", "PROJECT_NAME").or_what("the scene's file name without its extension");
pub const EXCLUDE: Setting = Setting::new("--exclude", "EXCLUDE");
pub const MAX_BACKLOG: Setting = Setting::new("--max-backlog", "MAX_BACKLOG").or("1GiB");
pub const MAX_TRANSFERS: Setting = Setting::new("--max-transfers", "MAX_TRANSFERS").or("auto");
pub const UPLOAD_BUFFER: Setting = Setting::new("--upload-buffer", "UPLOAD_BUFFER").or("32MiB");
pub const REQUEST_PAYER: Setting =
    Setting::new("--request-payer", "REQUEST_PAYER").or_what("the bucket's owner");
pub const MAX_PREFETCH: Setting = Setting::new("--max-prefetch", "MAX_PREFETCH").or("64MiB");
pub const NO_RESUME: Setting = Setting::new("--no-resume", "NO_RESUME").or("false");
pub const START_JITTER: Setting = Setting::new("--start-jitter", "START_JITTER")
    .or_what("1 ms for each child of an array job, at most 10s; off for other jobs");
pub const BLENDER: Setting = Setting::new("--blender", "BLENDER").or("blender");
pub const FPS: Setting = Setting::new("--fps", "FPS")
    .or_what("the scene's; 25 for images that render did not make, 5 for FOLDER");
pub const CODEC: Setting = Setting::new("--codec", "CODEC").or("h264");
pub const CRF: Setting = Setting::new("--crf", "CRF")
    .or_what("the encoder's: 23 for h264, 28 for h265, 35 for av1, 31 for vp9");
pub const PRESET: Setting =
    Setting::new("--preset", "PRESET").or_what("medium for h264 and h265, 8 for av1");
pub const OUTPUT_NAME: Setting =
    Setting::new("--output-name", "OUTPUT_NAME").or_what("output.mp4, or as the codec needs it");
pub const BIT_DEPTH: Setting =
    Setting::new("--bit-depth", "BIT_DEPTH").or_what("10 for prores and prores4444, else 8");
pub const ALPHA: Setting = Setting::new("--alpha", "ALPHA").or("false");
pub const BACKGROUND: Setting = Setting::new("--background", "BACKGROUND").or("black");
pub const SIZE: Setting = Setting::new("--size", "SIZE").or_what("that of the pictures");
pub const VIEW: Setting = Setting::new("--view", "VIEW").or("scene");
pub const LAYER: Setting = Setting::new("--layer", "LAYER").or_what("the rendered picture");
pub const BURN_IN: Setting = Setting::new("--burn-in", "BURN_IN");
pub const AUDIO: Setting = Setting::new("--audio", "AUDIO").or_what("the scene's sound");
pub const AUDIO_OFFSET: Setting = Setting::new("--audio-offset", "AUDIO_OFFSET").or_what("0");
pub const NO_AUDIO: Setting = Setting::new("--no-audio", "NO_AUDIO").or("false");
pub const IN_ORDER: Setting =
    Setting::new("--in-order", "IN_ORDER").or_what("number; name for FOLDER");
pub const ALLOW_GAPS: Setting = Setting::new("--allow-gaps", "ALLOW_GAPS").or("false");
pub const FFMPEG: Setting = Setting::new("--ffmpeg", "FFMPEG").or("ffmpeg");
pub const FFPROBE: Setting = Setting::new("--ffprobe", "FFPROBE").or("ffprobe");
pub const LISTEN: Setting = Setting::new("--listen", "LISTEN")
    .or_what("SERVER_NAME:SERVER_PORT, or 127.0.0.1 and 7861 for what is not set");
pub const DATA: Setting = Setting::new("--data", "DATA_DIR").or("render-worker-data");
pub const ALLOW_HOST: Setting = Setting::new("--allow-host", "ALLOW_HOST");
pub const WATCH: Setting = Setting::new("--watch", "WATCH_DIR");
pub const JOB_QUEUE: Setting = Setting::new("--job-queue", "JOB_QUEUE").required();
pub const JOB_DEFINITION: Setting = Setting::new("--job-definition", "JOB_DEFINITION").required();
pub const STITCH_JOB_DEFINITION: Setting =
    Setting::new("--stitch-job-definition", "STITCH_JOB_DEFINITION")
        .or_what("that of the array job");
pub const JOB_NAME: Setting =
    Setting::new("--job-name", "JOB_NAME").or_what("the scene's file name without its extension");
pub const SHARE_IDENTIFIER: Setting = Setting::new("--share-identifier", "SHARE_IDENTIFIER");
pub const DOWNLOAD: Setting = Setting::new("--download", "DOWNLOAD_DIR");
pub const POLL_INTERVAL: Setting = Setting::new("--poll-interval", "POLL_INTERVAL").or("10s");
pub const NOTIFY: Setting = Setting::new("--notify", "NOTIFY_URL");
pub const CONFIG: Setting = Setting::new("--config", "CONFIG_FILE");
pub const STALL_TIMEOUT: Setting = Setting::new("--stall-timeout", "STALL_TIMEOUT").or("10m");
pub const JOB_TIMEOUT: Setting = Setting::new("--job-timeout", "JOB_TIMEOUT").or("off");
pub const FRAME_TIMEOUT: Setting = Setting::new("--frame-timeout", "FRAME_TIMEOUT").or("off");
pub const BLENDER_ATTEMPTS: Setting =
    Setting::new("--blender-attempts", "BLENDER_ATTEMPTS").or("3");

/// All settings.
pub const ALL: [Setting; 103] = [
    INPUT_URI,
    OUTPUT_URI,
    FRAMES_PER_JOB,
    TOTAL_FRAMES,
    FIRST_FRAME,
    FRAMES,
    ARRAY_INDEX,
    STRIDE,
    TARGET_MINUTES,
    TEST_FRAMES,
    PRICE_PER_HOUR,
    SCRATCH_DIR,
    SANDBOX,
    ALLOW_READ,
    PASS_ENV,
    STOP_GRACE,
    LOG_FORMAT,
    METRICS,
    LOG_LEVEL,
    ENGINE,
    CYCLES_DEVICE,
    PROCESSES,
    GPUS_PER_PROCESS,
    CACHE_DIR,
    CACHE_SIZE,
    DENOISE,
    PREVIEW,
    NO_PREVIEWS,
    SAMPLES,
    RESOLUTION,
    SCENE,
    VIEW_LAYER,
    CAMERA,
    BORDER,
    FORMAT,
    COLOR_DEPTH,
    COLOR_MODE,
    TIME_LIMIT,
    SEED,
    SIMPLIFY,
    PERSISTENT_DATA,
    THREADS,
    SET,
    PYTHON_FILE,
    ADDON,
    ADDONS_DIR,
    ALLOW_MISSING,
    MISSING_FILES,
    STRICT,
    SIMULATE,
    ALLOW_UNBAKED,
    ORDER,
    BLENDER_VERSION,
    ENABLE_AUTOEXEC,
    MAIN,
    PROJECT,
    PROJECT_DIR,
    PROJECT_NAME,
    EXCLUDE,
    MAX_BACKLOG,
    MAX_TRANSFERS,
    UPLOAD_BUFFER,
    REQUEST_PAYER,
    MAX_PREFETCH,
    NO_RESUME,
    START_JITTER,
    BLENDER,
    FPS,
    CODEC,
    CRF,
    PRESET,
    OUTPUT_NAME,
    BIT_DEPTH,
    ALPHA,
    BACKGROUND,
    SIZE,
    VIEW,
    LAYER,
    BURN_IN,
    AUDIO,
    AUDIO_OFFSET,
    NO_AUDIO,
    IN_ORDER,
    ALLOW_GAPS,
    FFMPEG,
    FFPROBE,
    LISTEN,
    DATA,
    ALLOW_HOST,
    WATCH,
    JOB_QUEUE,
    JOB_DEFINITION,
    STITCH_JOB_DEFINITION,
    JOB_NAME,
    SHARE_IDENTIFIER,
    DOWNLOAD,
    POLL_INTERVAL,
    NOTIFY,
    CONFIG,
    STALL_TIMEOUT,
    JOB_TIMEOUT,
    FRAME_TIMEOUT,
    BLENDER_ATTEMPTS,
];
