// The page of one render: its frames, and beside them the scene, its settings and the video.

import { api, follow } from "./api.js";
import { alertUser, announce, el, filePicker, setText } from "./dom.js";
import { SCENE_KINDS, Uploads, chosen, dropped, sceneUploads } from "./files.js";
import { Output } from "./output.js";
import { ScenePanel } from "./scene-panel.js";
import { texts } from "./texts.js";
import { isPending } from "./work.js";

/** The shortest time between two looks at the render, in milliseconds. */
const PAUSE = 400;

export function page(root, id, { go, found }) {
  const t = texts.render;
  let shown = null;
  let uploads = null;
  let ended = false;

  // Changes are sent one after the other, so that the last one wins.
  let saved = Promise.resolve();
  let unsaved = 0;
  const save = (change) => {
    unsaved += 1;
    saved = saved.then(async () => {
      const now = await api.renders.change(id, change).catch((error) => alertUser(error.message));
      unsaved -= 1;
      return now ? apply(now) : read();
    });
    return saved;
  };

  const panel = new ScenePanel(id, {
    onChange: (settings) => save({ settings }),
    onMain: async (main) => {
      await save({ main });
      inspect();
    },
    saved: () => saved,
  });
  const name = el("input", {
    className: "name",
    "aria-label": t.name,
    maxLength: 100,
    spellcheck: false,
    onchange: () => save({ name: name.value }),
    onkeydown: (event) => event.key === "Enter" && name.blur(),
  });
  const counter = el("span", { className: "counter", role: "status" });
  const stop = el("button", { type: "button", className: "quiet", hidden: true, "aria-label": texts.upload.stop, title: texts.upload.stop, onclick: () => uploads?.stop() }, "×");
  const which = el("select", { "aria-label": t.which, onchange: () => showOutput(which.value === "preview") }, el("option", { value: "full" }, t.frames), el("option", { value: "preview" }, t.preview));
  const area = el("div", { className: "output-area" });
  const frames = el(
    "section",
    { className: "pictures", "aria-label": t.frames },
    el(
      "div",
      { className: "tools" },
      which,
      filePicker(t.add, { multiple: true }, (files) => send(chosen(files))),
      filePicker(t.addFolder, { folder: true }, (files) => send(chosen(files))),
      el("span", { className: "gap" }),
      counter,
      stop,
    ),
    area,
    el("div", { className: "drop-hint", "aria-hidden": "true" }, t.dropHere),
  );
  root.append(
    el("div", { className: "heading" }, el("a", { href: "/", className: "back", "aria-label": t.back, title: t.back }, "‹"), name),
    el("div", { className: "work" }, frames, panel.element),
  );

  let output = null;
  let showsPreview = null;
  function showOutput(preview) {
    if (showsPreview === preview) return;
    showsPreview = preview;
    which.value = preview ? "preview" : "full";
    output?.close();
    // The video is beside it.
    output = new Output(preview ? `${id}-preview` : id, { showsVideo: false });
    area.replaceChildren(output.element);
  }

  let depth = 0;
  const over = (is) => frames.classList.toggle("over", is);
  const hasFiles = (event) => [...event.dataTransfer.types].includes("Files");
  root.addEventListener("dragenter", (event) => hasFiles(event) && over((depth += 1) > 0));
  root.addEventListener("dragleave", (event) => hasFiles(event) && over((depth -= 1) > 0));
  root.addEventListener("drop", async (event) => {
    event.preventDefault();
    over((depth = 0) > 0);
    send(await dropped(event.dataTransfer));
  });

  async function send(files) {
    if (!files.all.length) return alertUser(t.nothing);
    if (uploads) await uploads.all;
    const { limits } = await api.renders.list();
    let drawn = 0;
    uploads = new Uploads({
      onError: alertUser,
      onChange: (state) => {
        if (!state || ended) return;
        cancelAnimationFrame(drawn);
        const { done, all, bytes, unpacking } = state;
        drawn = requestAnimationFrame(() => setText(counter, unpacking ? texts.upload.unpacking : texts.upload.running(done, all, bytes)));
      },
    });
    stop.hidden = false;
    uploads.all = uploads.send(sceneUploads(id, limits, files));
    const sent = await uploads.all;
    cancelAnimationFrame(drawn);
    uploads = null;
    stop.hidden = true;
    announce(texts.upload.done(sent));
    await read();
    inspect();
  }

  async function inspect() {
    // Without a main file there is nothing to look into yet.
    if (ended || !shown?.main) return;
    try {
      await api.renders.inspect(id);
    } catch (error) {
      alertUser(error.message);
    }
  }

  function apply(now) {
    if (ended) return;
    // What the user has changed meanwhile must not be undone. The last change has an answer, too.
    if (unsaved) return;
    // An older answer may come later.
    if (shown && now.revision < shown.revision) return;
    const isFirst = !shown;
    shown = now;
    document.title = texts.title(now.name);
    if (document.activeElement !== name) name.value = now.name;
    if (isFirst) showOutput(now.is_preview);
    if (!uploads) setText(counter, t.files(now.project.files, now.project.bytes));
    panel.show(now);
    // Somebody has added files without this page, or the server was ended meanwhile.
    if (isFirst && !found && now.inspection.state === "none") inspect();
  }

  async function read() {
    try {
      apply(await api.renders.show(id));
    } catch (error) {
      if (error.status !== 404) return error.status ? alertUser(error.message) : undefined;
      leave();
      root.replaceChildren(el("p", { className: "center" }, t.gone, " ", el("a", { href: "/" }, t.back)));
    }
  }

  let timer = null;
  let wasPending = false;
  const unfollow = follow(api.renders.events(id), ({ revision, making }) => {
    if (shown) panel.making(making, shown);
    if (isPending(making) && !wasPending && shown) timer ??= setTimeout(look, 0);
    wasPending = isPending(making);
    if (shown?.revision === revision) return;
    timer ??= setTimeout(look, shown ? PAUSE : 0);
  });
  async function look() {
    timer = null;
    await read();
    if (shown && isPending(shown.making)) showOutput(shown.is_preview);
  }
  const leave = () => {
    ended = true;
    unfollow();
    clearTimeout(timer);
    uploads?.stop();
    output?.close();
  };
  if (found) send(found);
  return leave;
}
