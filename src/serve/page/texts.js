// Every text that the page shows, in English.

const number = new Intl.NumberFormat("en");
const date = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

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

export const texts = {
  product: "render-worker",
  title: (name) => `${name} – render-worker`,
  lost: "The server does not answer. Trying again…",
  signedOut: "The server was started again. Open the new link in its log.",
  failed: "The request failed: the server did not answer. Try again.",
  close: "Close",

  home: {
    heading: "Make a video",
    drop: "Drop pictures, a folder or a zip here",
    kinds: "PNG, JPEG, OpenEXR, TIFF, WebP, BMP, TGA, HDR and GIF, of any sizes and names",
    choosePictures: "Choose pictures",
    chooseFolder: "Choose a folder",
    list: "Videos",
    none: "The videos that you make are listed here.",
    open: (name) => `Open ${name}`,
    remove: (name) => `Remove ${name}`,
    sureToRemove: (name, n) => `Remove ${name} with its ${pictures(n)}?`,
    removed: (name) => `${name} is removed.`,
    about: (n, created) => `${pictures(n)} · ${date.format(created)}`,
  },

  states: {
    none: "Not made yet",
    waiting: "Waiting",
    running: "Being made",
    done: "Made",
    failed: "Failed",
    stopped: "Stopped",
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
    waiting: (ahead) => (ahead ? `Waiting for ${count(ahead, "other video", "other videos")}` : "Waiting"),
    reading: "Reading the pictures…",
    progress: (done, total) => `${number.format(done)} of ${number.format(total)} pictures`,
    left: (seconds) => `about ${time(Math.max(1, seconds))} left`,
    progressLabel: "Progress of the video",
    stopped: "Stopped. Nothing of the pictures is lost.",
    done: "The video is made.",
    result: "Video",
    download: (bytes) => `Download (${size(bytes)})`,
    downloadHint: "Browsers do not play this format. Download it.",
    showPicture: (name) => `Show ${name}`,
    removePicture: (name) => `Remove ${name}`,
    log: "Log",
    warnings: (n) => count(n, "remark", "remarks"),
  },
};
