// The page of one video: its pictures, and beside them how it is made.

import { api, follow } from "./api.js";
import { alertUser, announce, el, filePicker, setText } from "./dom.js";
import { PICTURE_KINDS, Uploads, chosen, dropped, isEmpty, videoUploads } from "./files.js";
import { Grid } from "./grid.js";
import { Panel } from "./panel.js";
import { texts } from "./texts.js";

/** The shortest time between two looks at the video, in milliseconds. */
const PAUSE = 400;

export function page(root, id, { go, found, limits }) {
  const t = texts.video;
  let shown = null;
  let uploads = null;
  let ended = false;

  // Changes are sent one after the other, so that the last one wins.
  let saved = Promise.resolve();
  let unsaved = 0;
  const save = (change) => {
    unsaved += 1;
    saved = saved.then(async () => {
      const now = await api.change(id, change).catch((error) => alertUser(error.message));
      unsaved -= 1;
      return now ? apply(now) : read();
    });
    return saved;
  };

  const grid = new Grid(id, {
    onOrder: (order) => save({ order }),
    onRemove: async (remove) => {
      await save({ remove });
      announce(t.removed(remove.length));
      grid.list.focus({ preventScroll: true });
    },
    onSelect: (n) => {
      removeButton.disabled = n === 0;
      setText(removeButton, t.remove(n));
    },
  });
  const panel = new Panel(id, {
    onChange: (settings) => save({ settings }),
    saved: () => saved,
    onSound: (files) => send(chosen(files)),
    onReveal: (name) => grid.reveal(name),
    onRemove: (name) => save({ remove: [name] }),
  });

  const name = el("input", {
    className: "name",
    "aria-label": t.name,
    maxLength: 100,
    spellcheck: false,
    onchange: () => save({ name: name.value }),
    onkeydown: (event) => event.key === "Enter" && name.blur(),
  });
  const order = el(
    "select",
    { "aria-label": t.sort, onchange: () => order.value !== "own" && save({ order: order.value }) },
    ...Object.entries(t.order).map(([value, text]) => el("option", { value }, text)),
  );
  order.lastElementChild.disabled = true;
  const removeButton = el("button", { type: "button", disabled: true, onclick: () => grid.remove() }, t.remove(1));
  const counter = el("span", { className: "counter", role: "status" });
  const stop = el("button", { type: "button", className: "quiet", hidden: true, "aria-label": texts.upload.stop, title: texts.upload.stop, onclick: () => uploads?.stop() }, "×");
  const empty = el("p", { className: "empty dim", hidden: true }, t.empty);

  const tools = el(
    "div",
    { className: "tools" },
    filePicker(t.add, { multiple: true, accept: PICTURE_KINDS }, (files) => send(chosen(files))),
    filePicker(t.addFolder, { folder: true }, (files) => send(chosen(files))),
    order,
    removeButton,
    el("span", { className: "gap" }),
    counter,
    stop,
  );
  const pictures = el(
    "section",
    { className: "pictures", "aria-label": t.grid },
    tools,
    grid.element,
    empty,
    el("p", { id: "grid-help", className: "help dim" }, t.help),
    el("div", { className: "drop-hint", "aria-hidden": "true" }, t.dropHere),
  );
  root.append(
    el("div", { className: "heading" }, el("a", { href: "/", className: "back", "aria-label": t.back, title: t.back }, "‹"), name),
    el("div", { className: "work" }, pictures, panel.element),
  );

  let depth = 0;
  const over = (is) => pictures.classList.toggle("over", is);
  const hasFiles = (event) => [...event.dataTransfer.types].includes("Files");
  root.addEventListener("dragenter", (event) => hasFiles(event) && over((depth += 1) > 0));
  root.addEventListener("dragleave", (event) => hasFiles(event) && over((depth -= 1) > 0));
  root.addEventListener("drop", async (event) => {
    event.preventDefault();
    over((depth = 0) > 0);
    send(await dropped(event.dataTransfer));
  });

  function count() {
    if (!uploads) setText(counter, t.pictures(shown?.pictures.length ?? 0));
  }

  async function send(files) {
    if (isEmpty(files)) return alertUser(files.others.length ? texts.upload.leftOut(files.others) : texts.upload.nothing);
    if (uploads) await uploads.all;
    limits ??= (await api.list()).limits;
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
    uploads.all = uploads.send(videoUploads(id, limits, files));
    const sent = await uploads.all;
    if (files.others.length) alertUser(texts.upload.leftOut(files.others));
    cancelAnimationFrame(drawn);
    uploads = null;
    stop.hidden = true;
    await read();
    announce(texts.upload.done(sent));
  }

  function apply(now) {
    if (ended) return;
    // What the user has changed meanwhile must not be undone. The last change has an answer, too.
    if (unsaved) return;
    // An older answer may come later.
    if (shown && now.revision < shown.revision) return;
    shown = now;
    document.title = texts.title(now.name);
    if (document.activeElement !== name) name.value = now.name;
    order.value = now.order;
    empty.hidden = now.pictures.length > 0 || Boolean(uploads);
    grid.show(now.pictures);
    panel.show(now);
    count();
  }

  async function read() {
    try {
      apply(await api.show(id));
    } catch (error) {
      if (error.status !== 404) return error.status ? alertUser(error.message) : undefined;
      leave();
      root.replaceChildren(el("p", { className: "center" }, t.gone, " ", el("a", { href: "/" }, t.back)));
    }
  }

  let timer = null;
  const unfollow = follow(api.events(id), ({ revision, making }) => {
    if (shown) panel.making(making, shown);
    if (shown?.revision === revision) return;
    timer ??= setTimeout(() => {
      timer = null;
      read();
    }, shown ? PAUSE : 0);
  });
  const leave = () => {
    ended = true;
    unfollow();
    clearTimeout(timer);
    uploads?.stop();
  };
  if (found) send(found);
  return leave;
}
