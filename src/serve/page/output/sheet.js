// The contact sheet: every frame in its place. Only the rows that are seen exist as elements, and every
// place has its size before its picture comes.

import { api } from "../api.js";
import { el, setText } from "../dom.js";
import { texts } from "../texts.js";

const GAP = 8;
const CAPTION = 22;
/** The height of a picture, of its width, while its size is not known. */
const SHAPE = 9 / 16;
const SPARE = 2;
/** After how long pictures of cells are loaded that are still there, in milliseconds. */
const SETTLE = 80;

export class Sheet {
  #id;
  #model;
  #frames = [];
  #places = new Map();
  #cells = new Map();
  #active = null;
  #columns = 1;
  #cell = { width: 0, height: 0 };
  #shape = SHAPE;
  #drawing = 0;
  #loading = null;
  #observer;

  /** `onOpen` gets the number of a frame that the user wants to see. */
  constructor(id, model, { onOpen }) {
    this.#id = id;
    this.#model = model;
    this.onOpen = onOpen;
    this.list = el("div", { className: "sheet-list", role: "listbox", tabIndex: 0, "aria-label": texts.output.sheet });
    this.element = el("div", { className: "sheet" }, this.list);
    this.element.addEventListener("scroll", () => this.#schedule(), { passive: true });
    this.#observer = new ResizeObserver(() => this.#layout());
    this.#observer.observe(this.element);
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("focus", () => {
      if (!this.#places.has(this.#active) && this.#frames.length) this.#activate(0);
    });
    this.list.addEventListener("click", (event) => {
      const cell = event.target.closest?.(".cell");
      if (!cell) return;
      this.#active = Number(cell.dataset.number);
      this.#schedule();
      this.onOpen(this.#active);
    });
  }

  /** Shows these frames of the model. */
  show(frames) {
    const { size } = this.#model;
    const shape = size ? Math.min(2, Math.max(0.3, size[1] / size[0])) : SHAPE;
    const isSame = frames.length === this.#frames.length && shape === this.#shape;
    this.#frames = frames;
    this.#shape = shape;
    this.#places = new Map(frames.map(({ number }, place) => [number, place]));
    if (isSame) this.#schedule();
    else this.#layout();
  }

  /** The number before or behind another one. */
  beside(number, step) {
    const place = this.#places.get(number);
    return place === undefined ? undefined : this.#frames[place + step]?.number;
  }

  get first() {
    return this.#frames[0]?.number;
  }

  get last() {
    return this.#frames.at(-1)?.number;
  }

  /** Scrolls to a frame, which becomes the active one. */
  reveal(number) {
    const place = this.#places.get(number);
    if (place !== undefined) this.#activate(place);
  }

  close() {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#drawing);
    clearTimeout(this.#loading);
  }

  #layout() {
    const width = this.element.clientWidth - 2 * GAP;
    if (width <= 0) return;
    const least = width < 480 ? 100 : width > 2400 ? 220 : 150;
    this.#columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    const cell = (width - GAP * (this.#columns - 1)) / this.#columns;
    this.#cell = { width: cell, height: Math.round(cell * this.#shape) + CAPTION };
    const rows = Math.ceil(this.#frames.length / this.#columns);
    this.list.style.height = `${rows * (this.#cell.height + GAP) + GAP}px`;
    this.#render();
  }

  #schedule() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => this.#render());
  }

  #render() {
    const row = this.#cell.height + GAP;
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / row) - SPARE) * this.#columns;
    const last = (Math.ceil((scrollTop + clientHeight) / row) + SPARE) * this.#columns;
    const seen = this.#frames.slice(first, last);
    const numbers = new Set(seen.map(({ number }) => number));
    for (const [number, cell] of this.#cells) {
      if (numbers.has(number)) continue;
      // Nobody waits for its picture any more.
      cell.image.removeAttribute("src");
      cell.element.remove();
      this.#cells.delete(number);
    }
    seen.forEach((frame, index) => this.#place(frame, first + index));
    this.#loading ??= setTimeout(() => this.#load(), SETTLE);
    const active = this.#cells.get(this.#active);
    if (active) this.list.setAttribute("aria-activedescendant", active.element.id);
    else this.list.removeAttribute("aria-activedescendant");
  }

  #place(frame, place) {
    let cell = this.#cells.get(frame.number);
    if (!cell) {
      cell = this.#make(frame.number);
      this.#cells.set(frame.number, cell);
      this.list.append(cell.element);
    }
    const isSlow = this.#model.isSlow(frame);
    if (cell.frame !== frame || cell.isSlow !== isSlow) this.#fill(cell, frame, isSlow);
    const { x, y } = this.#corner(place);
    const isActive = frame.number === this.#active;
    const state = [x, y, this.#cell.width, this.#cell.height, place, this.#frames.length, isActive].join();
    if (cell.state === state) return;
    cell.state = state;
    const { element } = cell;
    element.style.transform = `translate(${x}px, ${y}px)`;
    element.style.width = `${this.#cell.width}px`;
    element.style.height = `${this.#cell.height}px`;
    element.setAttribute("aria-posinset", place + 1);
    element.setAttribute("aria-setsize", this.#frames.length);
    element.setAttribute("aria-selected", isActive);
    element.classList.toggle("active", isActive);
  }

  #make(number) {
    const image = el("img", { alt: "", decoding: "async", draggable: false });
    const mark = el("span", { className: "mark", hidden: true });
    const time = el("span", { className: "seconds" });
    const element = el(
      "div",
      { id: `frame-${number}`, className: "cell", role: "option" },
      el("span", { className: "picture" }, image, mark),
      el("span", { className: "cell-caption" }, el("span", { className: "number" }, texts.output.number(number)), time),
    );
    element.dataset.number = number;
    image.addEventListener("load", () => element.classList.add("loaded"));
    image.addEventListener("error", () => element.classList.add("unseen-picture"));
    return { element, image, mark, time };
  }

  /** Shows a version of a frame. The picture of the version before stays until the new one is there. */
  #fill(cell, frame, isSlow) {
    const { element, image, mark, time } = cell;
    Object.assign(cell, { frame, isSlow });
    const t = texts.output;
    element.dataset.standing = frame.standing;
    element.classList.toggle("slow", isSlow);
    const note = frame.standing !== "stored" ? t.marks[frame.standing] : isSlow ? t.marks.slow : frame.renders > 1 ? t.marks.again(frame.renders) : "";
    mark.hidden = !note;
    setText(mark, note);
    setText(time, frame.seconds === null ? "" : t.seconds(frame.seconds));
    element.setAttribute("aria-label", t.describe(frame, isSlow));
    if (frame.cause) element.title = frame.cause;
    else element.removeAttribute("title");
    const source = frame.picture === null ? "" : api.outputs.preview(this.#id, frame);
    if (cell.source === source) return;
    cell.source = source;
    cell.isLoaded = false;
    if (!source) image.removeAttribute("src");
    element.classList.remove("unseen-picture");
    if (!source) element.classList.remove("loaded");
  }

  #load() {
    this.#loading = null;
    for (const cell of this.#cells.values()) {
      if (!cell.source || cell.isLoaded) continue;
      cell.isLoaded = true;
      cell.image.src = cell.source;
    }
  }

  #corner(place) {
    return {
      x: GAP + (place % this.#columns) * (this.#cell.width + GAP),
      y: GAP + Math.floor(place / this.#columns) * (this.#cell.height + GAP),
    };
  }

  #activate(place) {
    const frame = this.#frames[Math.max(0, Math.min(place, this.#frames.length - 1))];
    if (!frame) return;
    this.#active = frame.number;
    const { y } = this.#corner(this.#places.get(frame.number));
    const { scrollTop, clientHeight } = this.element;
    if (y < scrollTop) this.element.scrollTop = y - GAP;
    else if (y + this.#cell.height > scrollTop + clientHeight) this.element.scrollTop = y + this.#cell.height + GAP - clientHeight;
    this.#render();
  }

  #key(event) {
    if (!this.#frames.length || event.altKey || event.ctrlKey || event.metaKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns };
    const page = Math.max(1, Math.floor(this.element.clientHeight / (this.#cell.height + GAP))) * this.#columns;
    const here = this.#places.get(this.#active) ?? 0;
    const all = this.#frames.length - 1;
    const { key } = event;
    if (key in steps) {
      const there = here + steps[key];
      if (there >= 0 && there <= all) this.#activate(there);
    } else if (key === "Home" || key === "End") this.#activate(key === "Home" ? 0 : all);
    else if (key === "PageUp" || key === "PageDown") this.#activate(key === "PageUp" ? here - page : here + page);
    else if ((key === "Enter" || key === " ") && this.#places.has(this.#active)) this.onOpen(this.#active);
    else return;
    event.preventDefault();
  }
}
