//! The name of each setting: its flag, and the variable behind it.

use super::setting::Setting;

pub const INPUT_URI: Setting = Setting { flag: "--input-uri", variable: "INPUT_URI" };
pub const OUTPUT_URI: Setting = Setting { flag: "--output-uri", variable: "OUTPUT_URI" };
pub const FRAMES_PER_JOB: Setting = Setting { flag: "--frames-per-job", variable: "F_PER_JOB" };
pub const TOTAL_FRAMES: Setting = Setting { flag: "--total-frames", variable: "TOTAL_FRAMES" };
pub const FIRST_FRAME: Setting = Setting { flag: "--first-frame", variable: "FIRST_FRAME" };
pub const FRAMES: Setting = Setting { flag: "--frames", variable: "FRAMES" };
pub const SCRATCH_DIR: Setting = Setting { flag: "--scratch-dir", variable: "SCRATCH_DIR" };
pub const SANDBOX: Setting = Setting { flag: "--sandbox", variable: "SANDBOX" };
pub const ALLOW_READ: Setting = Setting { flag: "--allow-read", variable: "ALLOW_READ" };
pub const PASS_ENV: Setting = Setting { flag: "--pass-env", variable: "PASS_ENV" };
pub const STOP_GRACE: Setting = Setting { flag: "--stop-grace", variable: "STOP_GRACE" };
pub const LOG_FORMAT: Setting = Setting { flag: "--log-format", variable: "LOG_FORMAT" };
pub const METRICS: Setting = Setting { flag: "--metrics", variable: "METRICS" };
pub const LOG_LEVEL: Setting = Setting { flag: "--log-level", variable: "LOG_LEVEL" };
pub const ENGINE: Setting = Setting { flag: "--engine", variable: "ENGINE" };
pub const CYCLES_DEVICE: Setting = Setting { flag: "--cycles-device", variable: "CYCLES_DEVICE" };
pub const DENOISE: Setting = Setting { flag: "--denoise", variable: "DENOISE" };
pub const ALLOW_MISSING: Setting = Setting { flag: "--allow-missing", variable: "ALLOW_MISSING" };
pub const BLENDER_VERSION: Setting =
    Setting { flag: "--blender-version", variable: "BLENDER_VERSION" };
pub const ENABLE_AUTOEXEC: Setting =
    Setting { flag: "--enable-autoexec", variable: "ENABLE_AUTOEXEC" };
pub const MAX_BACKLOG: Setting = Setting { flag: "--max-backlog", variable: "MAX_BACKLOG" };
pub const MAX_TRANSFERS: Setting = Setting { flag: "--max-transfers", variable: "MAX_TRANSFERS" };
pub const UPLOAD_BUFFER: Setting = Setting { flag: "--upload-buffer", variable: "UPLOAD_BUFFER" };
pub const REQUEST_PAYER: Setting = Setting { flag: "--request-payer", variable: "REQUEST_PAYER" };
pub const MAX_PREFETCH: Setting = Setting { flag: "--max-prefetch", variable: "MAX_PREFETCH" };
pub const NO_RESUME: Setting = Setting { flag: "--no-resume", variable: "NO_RESUME" };
pub const START_JITTER: Setting = Setting { flag: "--start-jitter", variable: "START_JITTER" };
pub const BLENDER: Setting = Setting { flag: "--blender", variable: "BLENDER" };
pub const FPS: Setting = Setting { flag: "--fps", variable: "FPS" };
pub const CODEC: Setting = Setting { flag: "--codec", variable: "CODEC" };
pub const CRF: Setting = Setting { flag: "--crf", variable: "CRF" };
pub const PRESET: Setting = Setting { flag: "--preset", variable: "PRESET" };
pub const OUTPUT_NAME: Setting = Setting { flag: "--output-name", variable: "OUTPUT_NAME" };
pub const ALLOW_GAPS: Setting = Setting { flag: "--allow-gaps", variable: "ALLOW_GAPS" };
pub const FFMPEG: Setting = Setting { flag: "--ffmpeg", variable: "FFMPEG" };
pub const FFPROBE: Setting = Setting { flag: "--ffprobe", variable: "FFPROBE" };
pub const JOB_QUEUE: Setting = Setting { flag: "--job-queue", variable: "JOB_QUEUE" };
pub const JOB_DEFINITION: Setting =
    Setting { flag: "--job-definition", variable: "JOB_DEFINITION" };
pub const STITCH_JOB_DEFINITION: Setting =
    Setting { flag: "--stitch-job-definition", variable: "STITCH_JOB_DEFINITION" };
pub const JOB_NAME: Setting = Setting { flag: "--job-name", variable: "JOB_NAME" };
pub const SHARE_IDENTIFIER: Setting =
    Setting { flag: "--share-identifier", variable: "SHARE_IDENTIFIER" };
pub const POLL_INTERVAL: Setting = Setting { flag: "--poll-interval", variable: "POLL_INTERVAL" };
pub const STALL_TIMEOUT: Setting = Setting { flag: "--stall-timeout", variable: "STALL_TIMEOUT" };
pub const JOB_TIMEOUT: Setting = Setting { flag: "--job-timeout", variable: "JOB_TIMEOUT" };
pub const FRAME_TIMEOUT: Setting = Setting { flag: "--frame-timeout", variable: "FRAME_TIMEOUT" };
pub const BLENDER_ATTEMPTS: Setting =
    Setting { flag: "--blender-attempts", variable: "BLENDER_ATTEMPTS" };
