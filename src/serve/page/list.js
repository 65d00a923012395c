// A list of what can be opened and removed: videos, renders, watched outputs.

import { alertUser, announce, el } from "./dom.js";

export class List {
  #shown = "";

  /**
   * `row` tells of an item: `name`, `about`, `href`, `cover` (an address, or null for an empty place), `state` (its class and
   * its text), `toRemove` (the name of the button), `sure` (the question) and `removed` (what is said then). `remove` removes it.
   */
  constructor({ className = "", row, remove }) {
    Object.assign(this, { row, remove });
    this.element = el("ul", { className: `videos ${className}` });
  }

  show(items) {
    // Elements that stay the same keep their focus.
    const now = JSON.stringify(items);
    if (now !== this.#shown) this.element.replaceChildren(...items.map((item) => this.#row(item)));
    this.#shown = now;
  }

  #row(item) {
    const { name, about, href, cover, state, toRemove, ...words } = this.row(item);
    const image = cover ? el("img", { src: cover, alt: "", loading: "lazy", onerror: (event) => event.target.removeAttribute("src") }) : null;
    const link = el("a", { href }, el("span", { className: "about" }, el("strong", { title: name }, name), el("span", { className: "dim" }, about)));
    if (cover !== undefined) link.prepend(el("span", { className: "cover" }, image));
    if (state) link.append(el("span", { className: `state ${state[0]}` }, state[1]));
    const button = el("button", { type: "button", className: "quiet", "aria-label": toRemove, title: toRemove, onclick: () => this.#remove(item, words) }, "×");
    return el("li", {}, link, button);
  }

  async #remove(item, { sure, removed }) {
    if (!confirm(sure)) return;
    try {
      await this.remove(item);
      announce(removed);
      document.getElementById("main").focus();
    } catch (error) {
      alertUser(error.message);
    }
  }
}
