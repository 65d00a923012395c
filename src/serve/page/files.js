// What the user drops or chooses: pictures, folders, archives, a sound. And sending it.

import { api } from "./api.js";
import { texts } from "./texts.js";

const PICTURE = /\.(png|jpe?g|exr|tiff?|webp|bmp|tga|hdr|gif)$/i;
const SOUND = /\.(wav|mp3|flac|ogg|opus|m4a|aac|aiff?)$/i;
const ARCHIVE = /\.(zip|tar|tar\.gz|tgz|tar\.zst|tzst)$/i;
const SCENE = /\.blend$/i;

/** A zip has the names of its files at its end, and a tar those of the first ones at its beginning. */
const PART_OF_ARCHIVE = 8 << 20;

/** How many files are sent at the same time. A browser has six connections for a page. */
const AT_ONCE = 3;

export const SOUND_KINDS = ".wav,.mp3,.flac,.ogg,.opus,.m4a,.aac,.aif,.aiff";
export const SCENE_KINDS = ".blend,.zip,.tar,.gz,.tgz,.zst,.tzst";
export const PICTURE_KINDS = ".png,.jpg,.jpeg,.exr,.tif,.tiff,.webp,.bmp,.tga,.hdr,.gif,.zip,.tar,.gz,.tgz,.zst,.tzst";

/** The files of a drop, with those in folders. The drop must be read before the first wait. */
export async function dropped(transfer) {
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry());
  const plain = [...transfer.files];
  const files = [];
  for (const [index, entry] of entries.entries()) {
    if (entry?.isDirectory) await walk(entry, "", files);
    else if (plain[index] ?? entry) files.push({ path: (plain[index] ?? entry).name, file: plain[index] ?? (await fileOf(entry)) });
  }
  const folder = entries.find((entry) => entry?.isDirectory);
  return sorted(files, folder?.name);
}

/** The files of an input. Those of a folder have the path in it. */
export function chosen(list) {
  const inFolder = (file) => file.webkitRelativePath.split("/").slice(1).join("/");
  const files = list.map((file) => ({ path: inFolder(file) || file.name, file }));
  return sorted(files, list[0]?.webkitRelativePath.split("/")[0]);
}

const fileOf = (entry) => new Promise((resolve, reject) => entry.file(resolve, reject));

async function walk(folder, above, files) {
  const reader = folder.createReader();
  // A browser gives a hundred at a time.
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    for (const entry of entries) {
      const path = above + entry.name;
      if (entry.isDirectory) await walk(entry, `${path}/`, files);
      else files.push({ path, file: await fileOf(entry) });
    }
  }
}

/** The files by kind, all of them by their paths, and a name for what is made of them. */
function sorted(files, folder) {
  const found = { pictures: [], archives: [], sounds: [], others: [], all: [], hasScene: false, name: folder || "" };
  for (const { path, file } of files) {
    const name = path.replaceAll("/", "_").replaceAll("\\", "_");
    if (name.startsWith(".") || path.split("/").some((part) => part.startsWith("."))) continue;
    found.all.push({ path: path.replaceAll("\\", "/"), file });
    found.hasScene ||= SCENE.test(name);
    if (PICTURE.test(name)) found.pictures.push({ name, file });
    else if (ARCHIVE.test(name)) found.archives.push({ name, file });
    else if (SOUND.test(name)) found.sounds.push({ name, file });
    else found.others.push(name);
  }
  if (!found.name) {
    const scene = found.all.find(({ path }) => SCENE.test(path));
    const first = found.archives[0] ?? found.pictures[0];
    if (scene) found.name = scene.file.name.replace(/\.[^.]*$/, "");
    else found.name = first ? first.name.replace(/\.[^.]*$/, "").replace(/[\s_.-]*\d+$/, "") : "";
  }
  found.pictures.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  return found;
}

export const isEmpty = (found) => !found.pictures.length && !found.archives.length && !found.sounds.length;

/** Whether there is a scene among the files, or in an archive. */
export async function hasScene(found) {
  if (found.hasScene) return true;
  for (const { file } of found.archives) {
    // Browsers cannot unpack it. People who use it have projects.
    if (/zst$/i.test(file.name)) return true;
    for (const part of [file.slice(0, PART_OF_ARCHIVE), file.slice(-PART_OF_ARCHIVE)]) {
      const names = await readable(part, file.name);
      if (names.includes(".blend")) return true;
    }
  }
  return false;
}

/** A part of an archive as text, as far as the browser can unpack it. */
async function readable(part, name) {
  let stream = part.stream();
  if (/gz$/i.test(name)) stream = stream.pipeThrough(new DecompressionStream("gzip"));
  const reader = stream.getReader();
  const decoder = new TextDecoder("latin1");
  let text = "";
  try {
    for (let read = await reader.read(); !read.done && text.length < PART_OF_ARCHIVE; read = await reader.read()) text += decoder.decode(read.value);
  } catch {
    // A part ends in the middle; its end cannot be unpacked at all.
  }
  reader.cancel().catch(() => {});
  return text;
}

/** What is sent to a video. */
export function videoUploads(id, limits, found) {
  return [
    ...found.pictures.map(({ name, file }) => ({ name, file, most: limits.picture_bytes, path: api.pictureUpload(id, name, file.lastModified) })),
    ...found.sounds.slice(0, 1).map(({ name, file }) => ({ name, file, most: limits.sound_bytes, path: api.soundUpload(id, name) })),
    ...found.archives.map(({ name, file }) => ({ name, file, most: limits.archive_bytes, path: api.archiveUpload(id), isArchive: true })),
  ];
}

/** What is sent to a render: the largest first, so that the others go beside it. */
export function sceneUploads(id, limits, found) {
  const of = ({ path, file }) => {
    const isArchive = ARCHIVE.test(path);
    const at = isArchive ? api.renders.archiveUpload(id) : api.renders.fileUpload(id, path, file.lastModified);
    return { name: path, file, most: limits.scene_bytes, path: at, isArchive };
  };
  return found.all.map(of).sort((a, b) => b.file.size - a.file.size);
}

/** Sends files, a few at a time. */
export class Uploads {
  #abort = new AbortController();
  #sent = new Map();

  /** `onChange` gets `{ done, all, bytes, unpacking }`; `null` at the end. `onError` gets texts. */
  constructor({ onChange, onError }) {
    Object.assign(this, { onChange, onError });
  }

  stop() {
    this.#abort.abort();
  }

  /** Sends `{ name, file, most, path, isArchive }` each. The result is how many have arrived. */
  async send(files) {
    const queue = [...files];
    const archive = files.filter(({ isArchive }) => isArchive).at(-1);
    const total = queue.length;
    const failures = [];
    let done = 0;
    const report = () => {
      const bytes = [...this.#sent.values()].reduce((sum, sent) => sum + sent, 0);
      const unpacking = done === total - 1 && archive !== undefined && bytes >= archive.file.size;
      this.onChange({ done, all: total, bytes, unpacking });
    };
    report();
    const work = async () => {
      while (queue.length && !this.#abort.signal.aborted) {
        const { name, file, most, path } = queue.shift();
        try {
          // The server refuses it as well, but a browser may not get to read why.
          if (file.size > most) throw new Error(texts.upload.tooLarge(name, most));
          const onProgress = (sent) => {
            this.#sent.set(path, sent);
            report();
          };
          const answer = await api.upload(path, file, { onProgress, signal: this.#abort.signal });
          this.#sent.set(path, file.size);
          if (answer?.left_out) this.onError(texts.upload.leftOutOfArchive(answer.left_out));
        } catch (error) {
          if (!this.#abort.signal.aborted) failures.push(error.message.includes(name) ? error.message : texts.upload.failed(name, error.message));
        }
        done += 1;
        report();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    failures.slice(0, 3).forEach(this.onError);
    if (failures.length > 3) this.onError(texts.upload.failedToo(failures.length - 3));
    this.onChange(null);
    return total - failures.length;
  }
}
