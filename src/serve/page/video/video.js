// The page of one video: its pictures, and beside them how it is made.

import { api } from "../api.js";
import { alertUser, announce, el, filePicker, setText } from "../dom.js";
import { PICTURE_KINDS, chosen, isEmpty, videoUploads } from "../files.js";
import { Grid } from "./grid.js";
import { ItemPage } from "../item.js";
import { Panel } from "./panel.js";
import { texts } from "../texts.js";

export function page(root, id, { found, limits }) {
  const t = texts.video;
  const calls = { show: () => api.show(id), change: (change) => api.change(id, change), events: api.events(id) };
  const item = new ItemPage(root, calls, t, {
    show: (now) => {
      order.value = now.order;
      empty.hidden = now.pictures.length > 0 || item.isUploading;
      grid.show(now.pictures);
      panel.show(now);
    },
    making: (making, video) => panel.making(making, video),
    count: (now) => t.pictures(now.pictures.length),
    drop: (files) => send(files),
  });

  const grid = new Grid(id, {
    onOrder: (order) => item.save({ order }),
    onRemove: async (remove) => {
      await item.save({ remove });
      announce(t.removed(remove.length));
      grid.list.focus({ preventScroll: true });
    },
    onSelect: (n) => {
      removeButton.disabled = n === 0;
      setText(removeButton, t.remove(n));
    },
  });
  const panel = new Panel(id, {
    onChange: (settings) => item.save({ settings }),
    saved: () => item.saved,
    onSound: (files) => send(chosen(files)),
    onReveal: (name) => grid.reveal(name),
    onRemove: (name) => item.save({ remove: [name] }),
  });
  const order = el(
    "select",
    { "aria-label": t.sort, onchange: () => order.value !== "own" && item.save({ order: order.value }) },
    ...Object.entries(t.order).map(([value, text]) => el("option", { value }, text)),
  );
  order.lastElementChild.disabled = true;
  const removeButton = el("button", { type: "button", disabled: true, onclick: () => grid.remove() }, t.remove(1));
  const empty = el("p", { className: "empty dim", hidden: true }, t.empty);
  const tools = el(
    "div",
    { className: "tools" },
    filePicker(t.add, { multiple: true, accept: PICTURE_KINDS }, (files) => send(chosen(files))),
    filePicker(t.addFolder, { folder: true }, (files) => send(chosen(files))),
    order,
    removeButton,
    el("span", { className: "gap" }),
    item.counter,
    item.stop,
  );
  const help = el("p", { id: "grid-help", className: "help dim" }, t.help);
  item.fill(el("section", { className: "pictures", "aria-label": t.grid }, tools, grid.element, empty, help), panel.element);

  async function send(files) {
    if (isEmpty(files)) return alertUser(files.others.length ? texts.upload.leftOut(files.others) : texts.upload.nothing);
    limits ??= (await api.list()).limits;
    await item.send(videoUploads(id, limits, files));
    if (files.others.length) alertUser(texts.upload.leftOut(files.others));
  }

  if (found) send(found);
  return () => item.leave();
}
