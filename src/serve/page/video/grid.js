// The pictures in their order. Only the rows that are seen exist as elements, so that many thousands
// cost no more than a screen of them. Every place has its size before its thumbnail comes.

import { api } from "../api.js";
import { draggable } from "./drag.js";
import { announce, el, setText } from "../dom.js";
import { texts } from "../texts.js";

const GAP = 10;
const CAPTION = 26;
/** The height of a thumbnail, of its width. */
const SHAPE = 0.66;
/** How many rows exist above and below those that are seen. */
const SPARE = 2;
/** After how long thumbnails of tiles are loaded that are still there, in milliseconds. */
const SETTLE = 80;

export class Grid {
  #id;
  #pictures = [];
  #places = new Map();
  #tiles = new Map();
  /** Why pictures cannot be shown, by their version. */
  #broken = new Map();
  #selected = new Set();
  #active = null;
  #anchor = null;
  #columns = 1;
  #tile = { width: 0, height: 0 };
  #frame = 0;
  #loading = null;

  /** `onOrder` gets the names in their new order, `onRemove` names to remove. */
  constructor(id, { onOrder, onRemove, onSelect }) {
    this.#id = id;
    Object.assign(this, { onOrder, onRemove, onSelect });
    this.list = el("div", {
      id: "grid",
      className: "grid",
      role: "listbox",
      tabIndex: 0,
      "aria-label": texts.video.grid,
      "aria-multiselectable": "true",
      "aria-describedby": "grid-help",
    });
    this.marker = el("div", { className: "marker", hidden: true });
    this.list.append(this.marker);
    this.element = el("div", { className: "scroller" }, this.list);
    this.element.addEventListener("scroll", () => this.#schedule(), { passive: true });
    new ResizeObserver(() => this.#layout()).observe(this.element);
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("focus", () => {
      if (!this.#active && this.#pictures.length) this.#activate(0);
    });
    draggable(this.list, this.element, {
      at: (target) => target.closest?.(".tile")?.dataset.name,
      onClick: (name, event) => this.#click(name, event),
      onStart: (name) => {
        if (!this.#selected.has(name)) this.#select([name], name);
        return { names: this.names(this.#selected), tile: this.#tiles.get(name) };
      },
      onMove: (x, y) => this.#mark(this.#placeAt(x, y)),
      onEnd: (x, y) => {
        this.marker.hidden = true;
        if (x !== undefined) this.#move(this.#placeAt(x, y));
      },
    });
  }

  /** Shows pictures. Those that are selected stay selected. */
  show(pictures) {
    this.#pictures = pictures;
    this.#places = new Map(pictures.map(({ name }, place) => [name, place]));
    this.#selected = new Set([...this.#selected].filter((name) => this.#places.has(name)));
    if (!this.#places.has(this.#active)) this.#active = null;
    this.#layout();
    this.onSelect(this.#selected.size);
  }

  /** The names of some pictures in the order of the video. */
  names(some) {
    return this.#pictures.map(({ name }) => name).filter((name) => some.has(name));
  }

  /** Scrolls to a picture and selects it. */
  reveal(name) {
    if (!this.#places.has(name)) return;
    this.#select([name], name);
    this.list.focus({ preventScroll: true });
  }

  /** Removes the selected pictures, or the active one. */
  remove() {
    const names = this.names(this.#selected.size ? this.#selected : new Set([this.#active]));
    if (!names.length) return;
    const next = this.#pictures.slice(this.#places.get(names.at(-1)) + 1).find(({ name }) => !names.includes(name));
    this.#selected.clear();
    this.#active = next?.name ?? null;
    this.onRemove(names);
  }

  #layout() {
    const width = this.element.clientWidth - 2 * GAP;
    if (width <= 0) return;
    const least = width < 480 ? 104 : 150;
    this.#columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    const tile = (width - GAP * (this.#columns - 1)) / this.#columns;
    this.#tile = { width: tile, height: Math.round(tile * SHAPE) + CAPTION };
    const rows = Math.ceil(this.#pictures.length / this.#columns);
    this.list.style.height = `${rows * (this.#tile.height + GAP) + GAP}px`;
    this.#render();
  }

  #schedule() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#render());
  }

  /** Makes the tiles that are seen, and removes all others. */
  #render() {
    const row = this.#tile.height + GAP;
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / row) - SPARE) * this.#columns;
    const last = (Math.ceil((scrollTop + clientHeight) / row) + SPARE) * this.#columns;
    const seen = this.#pictures.slice(first, last);
    const names = new Set(seen.map(({ name }) => name));
    for (const [name, tile] of this.#tiles) {
      if (names.has(name)) continue;
      // Nobody waits for its thumbnail any more.
      tile.querySelector("img")?.removeAttribute("src");
      tile.remove();
      this.#tiles.delete(name);
    }
    seen.forEach((picture, index) => this.#place(picture, first + index));
    // Tiles that only fly past load nothing.
    this.#loading ??= setTimeout(() => this.#load(), SETTLE);
    if (this.#tiles.has(this.#active)) this.list.setAttribute("aria-activedescendant", this.#tiles.get(this.#active).id);
    else this.list.removeAttribute("aria-activedescendant");
  }

  #place(picture, place) {
    const { name } = picture;
    let tile = this.#tiles.get(name);
    const version = `${picture.modified}-${picture.size}`;
    if (!tile || tile.dataset.version !== version) {
      tile?.remove();
      tile = this.#make(picture, version);
      this.#tiles.set(name, tile);
      this.list.append(tile);
    }
    const { x, y } = this.#corner(place);
    const isSelected = this.#selected.has(name);
    const isActive = name === this.#active;
    // Most tiles stay as they are while the user scrolls.
    const state = [x, y, this.#tile.width, this.#tile.height, place, this.#pictures.length, isSelected, isActive].join();
    if (tile.dataset.state === state) return;
    tile.dataset.state = state;
    tile.style.transform = `translate(${x}px, ${y}px)`;
    tile.style.width = `${this.#tile.width}px`;
    tile.style.height = `${this.#tile.height}px`;
    tile.setAttribute("aria-posinset", place + 1);
    tile.setAttribute("aria-setsize", this.#pictures.length);
    tile.setAttribute("aria-selected", isSelected);
    tile.classList.toggle("active", isActive);
    setText(tile.querySelector(".number"), `${place + 1}`);
  }

  #load() {
    this.#loading = null;
    for (const tile of this.#tiles.values()) {
      const image = tile.querySelector("img");
      if (image && !image.hasAttribute("src")) image.src = image.dataset.source;
    }
  }

  #make(picture, version) {
    const { name } = picture;
    const image = el("img", { alt: "", decoding: "async", draggable: false });
    const frame = el("span", { className: "frame" }, image);
    const tile = el(
      "div",
      { id: `picture-${CSS.escape(name)}`, className: "tile", role: "option", title: name, "aria-label": name },
      frame,
      el("span", { className: "caption" }, el("span", { className: "number" }), el("span", { className: "name" }, name)),
    );
    tile.dataset.name = name;
    tile.dataset.version = version;
    const broken = (why) => {
      tile.classList.add("broken");
      tile.title = why;
      tile.setAttribute("aria-label", why);
      frame.replaceChildren(el("span", { className: "why" }, why.replace(name, "").trim()));
    };
    const key = `${name} ${version}`;
    if (this.#broken.has(key)) {
      broken(this.#broken.get(key));
      return tile;
    }
    image.addEventListener("load", () => tile.classList.add("loaded"));
    image.addEventListener("error", async () => {
      // An image has no text: ask again for the reason.
      const error = await api.why(image.dataset.source).then(() => null, (refusal) => refusal);
      if (!error || error.status !== 422) return;
      this.#broken.set(key, error.message);
      broken(error.message);
    });
    image.dataset.source = api.thumbnail(this.#id, picture);
    return tile;
  }

  #corner(place) {
    const column = place % this.#columns;
    return {
      x: GAP + column * (this.#tile.width + GAP),
      y: GAP + Math.floor(place / this.#columns) * (this.#tile.height + GAP),
    };
  }

  #activate(place, extend = false) {
    const { name } = this.#pictures[Math.max(0, Math.min(place, this.#pictures.length - 1))];
    if (extend) {
      const from = this.#places.get(this.#anchor) ?? place;
      const [first, last] = [from, this.#places.get(name)].sort((a, b) => a - b);
      this.#selected = new Set(this.#pictures.slice(first, last + 1).map((picture) => picture.name));
    }
    this.#active = name;
    this.#anchor = extend ? (this.#anchor ?? name) : name;
    this.#scrollTo(this.#places.get(name));
    this.#render();
    this.onSelect(this.#selected.size);
  }

  #select(names, active) {
    this.#selected = new Set(names);
    this.#active = active;
    this.#anchor = active;
    this.#scrollTo(this.#places.get(active));
    this.#render();
    this.onSelect(this.#selected.size);
  }

  #scrollTo(place) {
    const { y } = this.#corner(place);
    const { scrollTop, clientHeight } = this.element;
    if (y < scrollTop) this.element.scrollTop = y - GAP;
    else if (y + this.#tile.height > scrollTop + clientHeight) this.element.scrollTop = y + this.#tile.height + GAP - clientHeight;
  }

  #click(name, event) {
    const place = this.#places.get(name);
    if (place === undefined) return;
    if (event.shiftKey) return this.#activate(place, true);
    if (event.ctrlKey || event.metaKey) {
      const selected = new Set(this.#selected);
      if (!selected.delete(name)) selected.add(name);
      return this.#select(selected, name);
    }
    const isOnly = this.#selected.size === 1 && this.#selected.has(name);
    this.#select(isOnly ? [] : [name], name);
  }

  #key(event) {
    if (!this.#pictures.length) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns };
    const page = Math.max(1, Math.floor(this.element.clientHeight / (this.#tile.height + GAP))) * this.#columns;
    const here = this.#places.get(this.#active) ?? 0;
    const { key, altKey, shiftKey } = event;
    const all = this.#pictures.length - 1;
    if (key in steps && altKey) this.#shift(steps[key]);
    else if (key in steps) {
      const there = here + steps[key];
      if (there >= 0 && there <= all) this.#activate(there, shiftKey);
    } else if (key === "Home" || key === "End") this.#activate(key === "Home" ? 0 : all, shiftKey);
    else if (key === "PageUp" || key === "PageDown") this.#activate(Math.max(0, Math.min(all, here + (key === "PageUp" ? -page : page))), shiftKey);
    else if (key === " " && this.#active) this.#click(this.#active, { ctrlKey: true });
    else if (key === "a" && (event.ctrlKey || event.metaKey)) this.#select(this.#places.keys(), this.#active ?? this.#pictures[0].name);
    else if (key === "Delete" || key === "Backspace") this.remove();
    else if (key === "Escape" && this.#selected.size) this.#select([], this.#active ?? this.#pictures[0].name);
    else return;
    event.preventDefault();
  }

  /** Moves the selected pictures by some places. */
  #shift(step) {
    if (!this.#selected.size && this.#active) this.#selected.add(this.#active);
    const names = this.names(this.#selected);
    if (!names.length) return;
    const first = this.#places.get(names[0]);
    const last = this.#places.get(names.at(-1));
    this.#move(step < 0 ? Math.max(0, first + step) : Math.min(this.#pictures.length, last + 1 + step));
  }

  /** The place in front of which something is put that is dropped at a point. */
  #placeAt(x, y) {
    const box = this.list.getBoundingClientRect();
    const row = Math.max(0, Math.floor((y - box.top - GAP / 2) / (this.#tile.height + GAP)));
    const column = Math.round((x - box.left - GAP / 2) / (this.#tile.width + GAP));
    const inRow = Math.max(0, Math.min(this.#columns, column));
    return Math.min(this.#pictures.length, row * this.#columns + inRow);
  }

  #mark(place) {
    // Behind the last of a row rather than in front of the first of the next one.
    const isEnd = place > 0 && place === this.#pictures.length;
    const { x, y } = this.#corner(isEnd ? place - 1 : place);
    this.marker.hidden = false;
    this.marker.style.transform = `translate(${isEnd ? x + this.#tile.width + GAP / 2 - 1 : x - GAP / 2 - 1}px, ${y}px)`;
    this.marker.style.height = `${this.#tile.height}px`;
  }

  #move(place) {
    const moved = this.names(this.#selected);
    const before = this.#pictures.slice(0, place).filter(({ name }) => !this.#selected.has(name));
    const behind = this.#pictures.slice(place).filter(({ name }) => !this.#selected.has(name));
    const pictures = [...before, ...moved.map((name) => this.#pictures[this.#places.get(name)]), ...behind];
    if (pictures.every(({ name }, index) => name === this.#pictures[index].name)) return;
    this.show(pictures);
    this.#active = moved[0];
    this.#scrollTo(this.#places.get(this.#active));
    this.#render();
    const what = moved.length === 1 ? moved[0] : texts.video.several(moved.length);
    announce(texts.video.moved(what, before.length + 1, pictures.length));
    this.onOrder(pictures.map(({ name }) => name));
  }
}
