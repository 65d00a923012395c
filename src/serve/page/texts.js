// Every text that the page shows, in English.

const number = new Intl.NumberFormat("en");
const date = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

const moment = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
const clock = new Intl.DateTimeFormat("en", { hour: "numeric", minute: "2-digit" });
const isToday = (time) => new Date(time).toDateString() === new Date().toDateString();

/** A number of things: `1 picture`, `1,000 pictures`. */
const count = (n, one, many) => `${number.format(n)} ${n === 1 ? one : many}`;
const pictures = (n) => count(n, "picture", "pictures");

/** A size: `340 kB`, `1.2 MB`. */
export function size(bytes) {
  for (const [unit, name] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
    if (bytes >= unit) {
      const value = bytes / unit;
      return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${name}`;
    }
  }
  return `${bytes} bytes`;
}

/** A length of time: `0.4 s`, `12 s`, `3 min 20 s`, `1 h 2 min`. */
export function time(seconds) {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes} min ${whole % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How long ago something was: `just now`, `12 s ago`. */
function age(millis) {
  return millis < 2000 ? "just now" : `${time(Math.round(millis / 1000))} ago`;
}

export const texts = {
  product: "render-worker",
  title: (name) => `${name} – render-worker`,
  lost: "The server does not answer. Trying again…",
  signedOut: "The server was started again. Open the new link in its log.",
  failed: "The request failed: the server did not answer. Try again.",
  close: "Close",

  home: {
    heading: "Make a video, or render a scene",
    drop: "Drop pictures or a .blend here, a folder, a zip or a tar",
    kinds: "PNG, JPEG, OpenEXR, TIFF, WebP, BMP, TGA, HDR and GIF, of any sizes and names",
    choosePictures: "Choose pictures",
    chooseScene: "Choose a scene",
    chooseFolder: "Choose a folder",
    folders: "Folders on the server",
    folder: (path) => path || "All pictures of it",
    makeOf: (path) => `Make a video of ${path || "these pictures"}`,
    pictures,
    list: "Videos",
    renders: "Renders",
    none: "The videos that you make are listed here.",
    noRenders: "The scenes that you render are listed here.",
    open: (name) => `Open ${name}`,
    remove: (name) => `Remove ${name}`,
    sureToRemove: (name, n) => `Remove ${name} with its ${pictures(n)}?`,
    removed: (name) => `${name} is removed.`,
    about: (n, created) => `${pictures(n)} · ${date.format(created)}`,
    created: (at) => date.format(at),
    sureToRemoveRender: (name) => `Remove ${name} with its scene and frames?`,
  },

  states: {
    none: "Not made yet",
    waiting: "Waiting",
    running: "Being made",
    done: "Made",
    failed: "Failed",
    stopped: "Stopped",
  },

  renderStates: {
    none: "Not rendered yet",
    waiting: "Waiting",
    running: "Rendering",
    done: "Rendered",
    failed: "Failed",
    stopped: "Stopped",
  },

  render: {
    back: "All renders",
    name: "Name of the render",
    gone: "This render is not here. It may be removed.",
    which: "Frames to show",
    frames: "Frames",
    preview: "Quick look",
    add: "Add files",
    addFolder: "Add a folder",
    dropHere: "Drop to add",
    nothing: "There are no files in what you dropped.",
    files: (n, bytes) => (n ? `${count(n, "file", "files")} · ${size(bytes)}` : "No files yet"),
  },

  scene: {
    about: "The scene",
    settings: "Settings",
    none: "There is no .blend file yet. Drop one here, with its textures.",
    main: "Scene file",
    chooseMain: "Choose the scene file to render",
    opening: (main) => `Blender opens ${main}…`,
    asSaved: (value) => (value ? `As saved: ${value}` : "As saved"),
    scene: "Scene",
    frames: "Frames, such as 1-24 or 7,9",
    resolution: "Size, such as 50% or 1920x1080",
    samples: "Samples",
    camera: "Camera",
    format: "Format of the frames",
    formats: {
      "": "As saved",
      PNG: "PNG",
      JPEG: "JPEG",
      WEBP: "WebP",
      TIFF: "TIFF",
      OPEN_EXR: "OpenEXR",
      OPEN_EXR_MULTILAYER: "OpenEXR, all layers",
    },
    denoise: "Denoising",
    denoising: { "": "As saved", on: "On", off: "Off" },
    device: "Device of Cycles",
    devices: { "": "As saved", auto: "The best GPU", CPU: "CPU" },
    withoutMissing: "Render without the missing files",
    simulate: "Run simulations that are not baked from their beginning",
    fps: "Frames a second",
    facts: (scene, rate) => ({
      Frames: `${number.format(scene.frame_start)} to ${number.format(scene.frame_end)}${scene.frame_step > 1 ? `, every ${scene.frame_step}` : ""} · ${time((scene.frame_end - scene.frame_start + 1) / Number(rate))} at ${rate} a second`,
      Picture: `${scene.width} × ${scene.height} · ${scene.format || "unknown format"}`,
      Engine: scene.engine + (scene.samples ? ` · ${count(scene.samples, "sample", "samples")}` : ""),
      Camera: scene.camera ?? "none",
      Layers: scene.view_layers.map(({ name, is_rendered }) => (is_rendered ? name : `${name} (off)`)).join(", "),
    }),
    unusable: (n) => `${count(n, "file", "files")} that the scene needs cannot be used`,
    file: ({ kind, name, used_by, path, problem, damage }) => `${kind} ${name}${used_by ? ` of ${used_by}` : ""}: ${path} is ${damage ?? problem}`,
    lacking: (n) => `This Blender lacks ${count(n, "feature", "features")}`,
    feature: (feature, by) => `${feature}, for ${by.join(", ")}`,
    simulations: (n) => `${count(n, "simulation is", "simulations are")} not baked`,
    warnings: (n) => count(n, "remark", "remarks"),
    start: "Render",
    again: "Render the rest",
    stop: "Stop",
    preview: "Quick look",
    previewHint: "A quarter of the size, with few samples",
  },

  video: {
    back: "All videos",
    name: "Name of the video",
    gone: "This video is not here. It may be removed.",
    add: "Add pictures",
    addFolder: "Add a folder",
    sort: "Sort",
    order: { name: "By name", time: "By time", own: "Your own order" },
    remove: (n) => (n > 1 ? `Remove ${n}` : "Remove"),
    selected: (n) => `${number.format(n)} selected`,
    grid: "Pictures in the order of the video",
    help: "Drag pictures to move them, or press Alt with an arrow key. Delete removes the selected ones. Shift and Ctrl select several.",
    empty: "No pictures yet. Drop some here.",
    dropHere: "Drop to add",
    pictures,
    place: (place, all) => `${number.format(place)} of ${number.format(all)}`,
    moved: (what, place, all) => `${what}: moved to ${place} of ${all}`,
    several: pictures,
    removed: (n) => `${pictures(n)} removed.`,
    unreadable: "cannot be shown",
  },

  upload: {
    running: (done, all, bytes) => `Uploading ${number.format(done)} of ${number.format(all)} · ${size(bytes)}`,
    unpacking: "Unpacking the archive…",
    done: (n) => `${count(n, "file is", "files are")} uploaded.`,
    stop: "Stop uploading",
    leftOut: (names) =>
      names.length > 3
        ? `Left out ${names.slice(0, 3).join(", ")} and ${number.format(names.length - 3)} more, which are no pictures.`
        : `Left out ${names.join(", ")}: no picture${names.length > 1 ? "s" : ""}.`,
    leftOutOfArchive: (n) => `Left out ${count(n, "file", "files")} of the archive that ${n === 1 ? "is no picture" : "are no pictures"}.`,
    failed: (name, why) => `${name}: ${why}`,
    failedToo: (n) => `${count(n, "more file", "more files")} could not be uploaded.`,
    broken: "the upload broke off; add the file again",
    nothing: "There are no pictures in what you dropped.",
    tooLarge: (name, most) => `${name} is larger than ${size(most)}, which is the most. Make it smaller.`,
  },

  panel: {
    settings: "Settings",
    fps: "Pictures a second",
    length: (seconds) => `${time(seconds)} long`,
    codec: "Format",
    codecs: {
      h264: "H.264 · MP4, plays everywhere",
      h265: "H.265 · MP4, smaller",
      av1: "AV1 · MP4, smallest",
      vp9: "VP9 · WebM",
      prores: "ProRes 422 HQ · MOV, for editing",
      prores4444: "ProRes 4444 · MOV, for editing",
      dnxhr: "DNxHR · MOV, for editing",
      gif: "GIF, without sound",
    },
    size: "Size",
    sizes: {
      first: "As the first picture",
      largest: "As the largest picture",
      "3840x2160": "3840 × 2160 (4K)",
      "1920x1080": "1920 × 1080 (Full HD)",
      "1280x720": "1280 × 720 (HD)",
      "1080x1080": "1080 × 1080 (square)",
      "1080x1920": "1080 × 1920 (upright)",
      own: "Another size…",
    },
    ownSize: "Width x height",
    background: "Background",
    sound: "Sound",
    chooseSound: "Choose a file",
    removeSound: "Remove the sound",
    noSound: "None",
    noSoundInGif: "A GIF has no sound.",
    make: "Make the video",
    again: "Make it again",
    stop: "Stop",
  },

  work: {
    label: "Progress",
    waiting: (ahead) => (ahead ? `Waiting for ${count(ahead, "other", "others")}` : "Waiting"),
    preparing: "Preparing…",
    progress: {
      preparing: () => "Preparing…",
      rendering: (done, total) => `${number.format(done)} of ${number.format(total)} frames`,
      encoding: (done, total) => `${number.format(done)} of ${number.format(total)} pictures`,
    },
    left: (seconds) => `about ${time(Math.max(1, seconds))} left`,
    stopped: "Stopped. What is there is kept.",
    done: "The video is made.",
    /** What the page has in place of flags that a message recommends. */
    flags: {
      "--missing-files warn (MISSING_FILES)": "“Render without the missing files”",
      "--simulate (SIMULATE)": "“Run simulations that are not baked from their beginning”",
    },
    showPicture: (name) => `Show ${name}`,
    removePicture: (name) => `Remove ${name}`,
    log: "Log",
    warnings: (n) => count(n, "remark", "remarks"),
  },

  player: {
    label: "Video",
    download: (bytes) => `Download (${size(bytes)})`,
    hint: "Browsers do not play this format. Download it.",
  },

  output: {
    title: "Output",
    back: "First page",
    gone: "This output is not watched any more. Its frames are where they were.",
    reading: "Reading the output…",
    sheet: "Frames",
    video: "Video",
    chart: "Time and memory of each frame",
    slowest: "Slowest frames",
    jobs: "AWS Batch",
    progressLabel: "Stored frames",
    filter: "Which frames are shown",
    filters: { all: "All frames", absent: "Missing and failed", slow: "Slow", again: "Rendered again" },
    empty: "No frames yet.",
    noneSuch: "There are no such frames.",
    number: (n) => `${n}`,
    short: (uri) => uri.split("/").filter(Boolean).at(-1) ?? uri,
    tab: (name, { stored, total }) => `${number.format(stored)}${total ? `/${number.format(total)}` : ""} ${name}`,
    counts: ({ stored, total, failed, missing, pending, running, stuck }) =>
      [
        total ? `${number.format(stored)} of ${number.format(total)} frames` : count(stored, "frame", "frames"),
        failed && `${number.format(failed)} failed`,
        missing && `${number.format(missing)} missing`,
        pending && `${number.format(pending)} to come`,
        running && `${count(running, "attempt runs", "attempts run")}${stuck ? `, ${number.format(stuck)} stuck` : ""}`,
      ].filter(Boolean).join(" · "),
    pace: ({ rate, left, median, last_frame: last }, now) =>
      [
        rate && (rate >= 1 ? `${number.format(Math.round(rate * 10) / 10)} frames a minute` : `${number.format(Math.round(rate * 600) / 10)} frames an hour`),
        left && `about ${time(left)} left`,
        median && `median ${time(median)} a frame`,
        last && `last frame ${age(now - last)}`,
      ].filter(Boolean).join(" · "),
    notes: ({ size: pixels, others, skipped }, shown) =>
      [
        shown !== null && count(shown, "frame", "frames"),
        pixels && `${pixels[0]} × ${pixels[1]}`,
        others && count(others, "other file", "other files"),
        skipped && count(skipped, "unreadable report", "unreadable reports"),
      ].filter(Boolean).join(" · "),
    standings: { stored: "stored", pending: "to come", failed: "failed", missing: "missing: nothing renders it any more" },
    marks: { pending: "to come", failed: "✕ failed", missing: "missing", slow: "slow", again: (n) => `${n}× rendered` },
    seconds: time,
    memory: (mebibytes) => size(mebibytes * 1048576),
    about: (frame, isSlow) =>
      [
        frame.name,
        frame.standing === "stored" && size(frame.size),
        frame.seconds !== null && `${time(frame.seconds)}${isSlow ? ", slow" : ""}`,
        frame.memory && `${size(frame.memory * 1048576)} memory`,
        frame.modified && date.format(frame.modified),
        frame.renders > 1 && `rendered ${frame.renders} times`,
      ].filter(Boolean).join(" · "),
    describe: (frame, isSlow) =>
      [
        `Frame ${frame.number}`,
        frame.standing !== "stored" && texts.output.standings[frame.standing],
        frame.cause,
        frame.seconds !== null && `${time(frame.seconds)}${isSlow ? ", slow" : ""}`,
        frame.memory && `${size(frame.memory * 1048576)} memory`,
        frame.renders > 1 && `rendered ${frame.renders} times`,
      ].filter(Boolean).join(", "),
    legend: (seconds, mebibytes) =>
      [
        seconds && `bars above: up to ${time(seconds)}, median dashed`,
        mebibytes && `below: up to ${size(mebibytes * 1048576)} memory of the attempt`,
        seconds ? "at the foot: failed and missing" : "Times are known once an attempt has ended.",
      ].filter(Boolean).join(" · "),
    chartLabel: ({ median, failed, missing }, seconds, mebibytes) =>
      `Chart of each frame: median ${median ? time(median) : "unknown"}, longest ${seconds ? time(seconds) : "unknown"}, most memory ${mebibytes ? size(mebibytes * 1048576) : "unknown"}, ${failed} failed, ${missing} missing`,
    noJobs: (why) => `AWS Batch cannot be asked: ${why}`,
    viewer: {
      label: "Frame",
      title: (n) => `Frame ${n}`,
      previous: "Previous frame",
      next: "Next frame",
      download: "Download",
      compare: "Compare with before",
      slider: "How much is seen of the version before",
      part: (percent) => `${percent} %`,
      notKept: "The version before was not kept: this page had not shown it.",
      unreadable: "This picture cannot be shown.",
    },
    failures: {
      heading: "Failures",
      unknown: "No cause is known.",
      show: "Show the first frame",
      about: (attempts, codes, n, frames) =>
        [
          attempts && `${count(attempts, "attempt", "attempts")}${codes.length ? `, exit code ${codes.join(", ")}` : ""}`,
          n && `${n === 1 ? "frame" : "frames"} ${frames.length > 80 ? `${frames.slice(0, 80)}…` : frames}`,
        ].filter(Boolean).join(" · "),
    },
    attempts: {
      heading: "Attempts",
      columns: ["Attempt", "State", "Frames", "Began", "Took", "Memory", "Exit"],
      activities: { running: "running", stuck: "stuck", lost: "killed", succeeded: "done", failed: "failed" },
      all: (n) => `Show all ${number.format(n)}`,
      name: ({ action, index, number: n }) => [action, index === null ? "" : `#${index}`, n > 1 ? `try ${n}` : ""].filter(Boolean).join(" "),
      done: ({ action, done, count: all }) => (action === "render" ? `${number.format(done)} of ${number.format(all)}` : ""),
      when: (started) => (isToday(started) ? clock : moment).format(started),
      duration: (millis) => (millis === null ? "" : time(millis / 1000)),
      memory: ({ peak_memory: peak, memory_limit: limit }) => (peak ? `${size(peak)}${limit ? ` of ${size(limit)}` : ""}` : ""),
    },
    home: {
      heading: "Watch an output",
      label: "Address of the output",
      placeholder: "s3://bucket/shot or /renders/shot",
      add: "Watch",
      help: (folders) => (folders.length ? `On S3, or in ${folders.join(", ")}` : "On S3. Start the server with --watch DIR to watch folders as well."),
      sureToRemove: (uri) => `Stop watching ${uri}? Its files stay.`,
      removed: (uri) => `${uri} is not watched any more.`,
      remove: (uri) => `Stop watching ${uri}`,
      about: ({ stored, total, running, created }) =>
        [
          stored === null ? `added ${date.format(created)}` : total ? `${number.format(stored)} of ${number.format(total)} frames` : count(stored, "frame", "frames"),
          running && count(running, "attempt runs", "attempts run"),
        ].filter(Boolean).join(" · "),
    },
  },
};
