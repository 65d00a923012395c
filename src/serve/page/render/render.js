// The page of one render: its frames, and beside them the scene, its settings and the video.

import { api } from "../api.js";
import { alertUser, el, filePicker } from "../dom.js";
import { chosen, sceneUploads } from "../files.js";
import { ItemPage } from "../item.js";
import { Output } from "../output/output.js";
import { ScenePanel } from "./scene-panel.js";
import { texts } from "../texts.js";
import { isPending } from "../work.js";

export function page(root, id, { found }) {
  const t = texts.render;
  const { renders } = api;
  const calls = { show: () => renders.show(id), change: (change) => renders.change(id, change), events: renders.events(id) };
  const item = new ItemPage(root, calls, t, {
    show: (now, before) => {
      // What was started is shown; afterwards the user may look at the other one.
      if (!before || (isPending(now.making) && !isPending(before.making))) showOutput(now.is_preview);
      panel.show(now);
      // Files were added without this page, or the server was ended meanwhile.
      if (!before && !found && now.inspection.state === "none") inspect();
    },
    making: (making, render) => {
      panel.making(making, render);
      if (isPending(making) && !isPending(render.making)) item.read();
    },
    count: ({ project }) => t.files(project.files, project.bytes),
    drop: (files) => send(files),
  });

  const panel = new ScenePanel(id, {
    onChange: (settings) => item.save({ settings }),
    onMain: async (main) => {
      await item.save({ main });
      inspect();
    },
    saved: () => item.saved,
  });
  const which = el("select", { "aria-label": t.which, onchange: () => showOutput(which.value === "preview") }, el("option", { value: "full" }, t.frames), el("option", { value: "preview" }, t.preview));
  const area = el("div", { className: "output-area" });
  const tools = el(
    "div",
    { className: "tools" },
    which,
    filePicker(t.add, { multiple: true }, (files) => send(chosen(files))),
    filePicker(t.addFolder, { folder: true }, (files) => send(chosen(files))),
    el("span", { className: "gap" }),
    item.counter,
    item.stop,
  );
  item.fill(el("section", { className: "pictures", "aria-label": t.frames }, tools, area), panel.element);

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

  async function send(files) {
    if (!files.all.length) return alertUser(t.nothing);
    const { limits } = await renders.list();
    await item.send(sceneUploads(id, limits, files));
    inspect();
  }

  async function inspect() {
    // Without a main file there is nothing to look into yet.
    if (item.ended || !item.shown?.main) return;
    try {
      await renders.inspect(id);
    } catch (error) {
      alertUser(error.message);
    }
  }

  if (found) send(found);
  return () => {
    item.leave();
    output?.close();
  };
}
