// Requests to the server. `openapi.json` describes them.

import { texts } from "./texts.js";

/** An answer that is no success: its text is for the user. */
export class Refusal extends Error {
  constructor(status, message, picture) {
    super(message);
    this.status = status;
    this.picture = picture;
  }
}

async function refusal(status, text) {
  try {
    const { error, picture } = JSON.parse(text);
    return new Refusal(status, error, picture);
  } catch {
    return new Refusal(status, status === 401 ? texts.signedOut : texts.failed);
  }
}

async function request(method, path, body) {
  let response;
  try {
    response = await fetch(path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refusal(0, texts.failed);
  }
  const text = await response.text();
  if (!response.ok) throw await refusal(response.status, text);
  return text ? JSON.parse(text) : null;
}

const at = (id, ...parts) => ["/api/videos", id, ...parts.map(encodeURIComponent)].join("/");
const render = (id, ...parts) => ["/api/renders", id, ...parts.map(encodeURIComponent)].join("/");

export const api = {
  list: () => request("GET", "/api/videos"),
  folders: () => request("GET", "/api/folders"),
  create: (name, folder) => request("POST", "/api/videos", { name, folder }),
  show: (id) => request("GET", at(id)),
  change: (id, change) => request("PATCH", at(id), change),
  remove: (id) => request("DELETE", at(id)),
  removeSound: (id) => request("DELETE", at(id, "sound")),
  make: (id) => request("POST", at(id, "make")),
  stop: (id) => request("POST", at(id, "stop")),
  why: (path) => request("GET", path),

  thumbnail: (id, { name, size, modified }) => `${at(id, "pictures", name, "thumbnail")}?of=${modified}-${size}`,
  video: (id, { size, modified }) => `${at(id, "video")}?of=${modified}-${size}`,
  download: (id) => `${at(id, "video")}?download`,
  log: (id) => at(id, "log"),
  events: (id) => at(id, "events"),
  allEvents: "/api/events",

  pictureUpload: (id, name, modified) => `${at(id, "pictures", name)}?modified=${Math.round(modified)}`,
  soundUpload: (id, name) => at(id, "sound", name),
  archiveUpload: (id) => at(id, "archive"),

  renders: {
    list: () => request("GET", "/api/renders"),
    create: (name) => request("POST", "/api/renders", { name }),
    show: (id) => request("GET", render(id)),
    change: (id, change) => request("PATCH", render(id), change),
    remove: (id) => request("DELETE", render(id)),
    inspect: (id) => request("POST", render(id, "inspect")),
    start: (id, preview) => request("POST", render(id, "start"), { preview }),
    stop: (id) => request("POST", render(id, "stop")),

    video: (id, { size, modified }, preview) => `${render(id, "video")}?of=${modified}-${size}${preview ? "&preview" : ""}`,
    download: (id, preview) => `${render(id, "video")}?download${preview ? "&preview" : ""}`,
    cover: (id) => render(id, "cover"),
    log: (id) => render(id, "log"),
    events: (id) => render(id, "events"),
    fileUpload: (id, path, modified) => `${render(id, "scene", ...path.split("/"))}?modified=${Math.round(modified)}`,
    archiveUpload: (id) => render(id, "archive"),
  },

  outputs: {
    list: () => request("GET", "/api/outputs"),
    add: (uri) => request("POST", "/api/outputs", { uri }),
    show: (id) => request("GET", `/api/outputs/${id}`),
    remove: (id) => request("DELETE", `/api/outputs/${id}`),
    jobs: (id) => request("GET", `/api/outputs/${id}/jobs`),
    events: (id) => `/api/outputs/${id}/events`,
    preview: (id, { name, picture }) => `/api/outputs/${id}/previews/${encodeURIComponent(name)}?of=${picture}`,
    before: (id, { name, picture }) => `/api/outputs/${id}/previews/${encodeURIComponent(name)}?before&of=${picture}`,
    frame: (id, { name, modified }) => `/api/outputs/${id}/frames/${encodeURIComponent(name)}?of=${modified}`,
    download: (id, { name }) => `/api/outputs/${id}/frames/${encodeURIComponent(name)}?download`,
    video: (id, { modified }) => `/api/outputs/${id}/video?of=${modified}`,
    videoDownload: (id) => `/api/outputs/${id}/video?download`,
  },

  /** Sends a file. `onProgress` gets the bytes that are sent. */
  upload(path, file, { onProgress, signal }) {
    return new Promise((resolve, reject) => {
      const sending = new XMLHttpRequest();
      sending.open("PUT", path);
      sending.upload.addEventListener("progress", (event) => onProgress(event.loaded));
      sending.addEventListener("load", async () => {
        if (sending.status >= 200 && sending.status < 300) {
          resolve(sending.responseText ? JSON.parse(sending.responseText) : null);
        } else {
          reject(await refusal(sending.status, sending.responseText));
        }
      });
      sending.addEventListener("error", () => reject(new Refusal(0, texts.upload.broken)));
      sending.addEventListener("abort", () => reject(new Refusal(0, texts.upload.broken)));
      signal.addEventListener("abort", () => sending.abort());
      sending.send(file);
    });
  },
};

/** Calls `onNews` with each event of an address. The result ends it. */
export function follow(address, onNews) {
  const connection = document.getElementById("connection");
  const events = new EventSource(address);
  events.addEventListener("message", (event) => {
    connection.textContent = "";
    onNews(JSON.parse(event.data));
  });
  events.addEventListener("error", () => {
    const ended = events.readyState === EventSource.CLOSED;
    connection.textContent = ended ? texts.signedOut : texts.lost;
  });
  return () => {
    events.close();
    connection.textContent = "";
  };
}
