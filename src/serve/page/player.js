// A finished video: played if the browser can, and downloaded in any case.

import { el } from "./dom.js";
import { texts } from "./texts.js";

export class Player {
  #played = "";

  constructor() {
    this.element = el("section", { className: "result", "aria-label": texts.player.label, hidden: true });
  }

  /** Shows a file with its addresses, or nothing. */
  show(file, source, download) {
    const key = file ? `${source} ${file.modified}` : "";
    if (this.#played === key) return;
    this.#played = key;
    this.element.hidden = !file;
    if (!file) return this.element.replaceChildren();
    const t = texts.player;
    const plays = /\.(mp4|webm|mov|mkv)$/i.test(file.name);
    const hint = el("p", { className: "dim", hidden: true }, t.hint);
    const player = plays
      ? el("video", { src: source, controls: true, preload: "metadata", playsInline: true, "aria-label": file.name })
      : el("img", { src: source, alt: file.name });
    player.addEventListener("error", () => {
      player.hidden = true;
      hint.hidden = false;
    });
    const link = el("a", { className: "button", href: download, download: file.name }, t.download(file.size));
    this.element.replaceChildren(el("div", { className: "player" }, player, hint), el("div", { className: "row" }, el("strong", { className: "file-name", title: file.name }, file.name), link));
  }
}
