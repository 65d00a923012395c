// One frame as large as the window: arrow keys go on, and a slider compares it with the version before.

import { api } from "../api.js";
import { el, setText } from "../dom.js";
import { texts } from "../texts.js";

export class Viewer {
  #id;
  #model;
  #sheet;
  #frame = null;
  #source = null;

  constructor(id, model, sheet) {
    this.#id = id;
    this.#model = model;
    this.#sheet = sheet;
    const t = texts.output.viewer;
    const button = (label, text, onclick) => el("button", { type: "button", className: "quiet", "aria-label": label, title: label, onclick }, text);
    this.image = el("img", { className: "full", alt: "" });
    this.old = el("img", { className: "old", alt: "", hidden: true });
    this.note = el("p", { className: "viewer-note" });
    this.stage = el("div", { className: "stage" }, this.image, this.old, this.note);
    this.title = el("strong", { className: "viewer-title" });
    this.about = el("span", { className: "dim viewer-about" });
    this.download = el("a", { className: "button", download: "" }, t.download);
    this.compare = el("button", { type: "button", hidden: true, "aria-pressed": "false", onclick: () => this.#compare() }, t.compare);
    this.slider = el("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": t.slider, hidden: true, oninput: () => this.#divide() });
    this.before = button(t.previous, "‹", () => this.#go(-1));
    this.behind = button(t.next, "›", () => this.#go(1));
    this.element = el(
      "dialog",
      { className: "viewer", "aria-label": t.label },
      el("div", { className: "viewer-bar" }, this.before, this.behind, this.title, this.about, el("span", { className: "gap" }), this.slider, this.compare, this.download, button(texts.close, "×", () => this.element.close())),
      this.stage,
    );
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("click", (event) => event.target === this.element && this.element.close());
    this.element.addEventListener("close", () => {
      sheet.reveal(this.#frame?.number);
      sheet.list.focus({ preventScroll: true });
      this.#frame = null;
      this.#source = null;
      this.image.removeAttribute("src");
      this.old.removeAttribute("src");
    });
  }

  /** Opens a frame. */
  open(number) {
    const frame = this.#model.frame(number);
    if (!frame) return;
    this.#show(frame);
    if (!this.element.open) this.element.showModal();
  }

  /** Shows the frame as it is now. */
  refresh() {
    const frame = this.#frame && this.#model.frame(this.#frame.number);
    if (frame && frame !== this.#frame) this.#show(frame);
  }

  #show(frame) {
    this.#frame = frame;
    const t = texts.output;
    setText(this.title, t.viewer.title(frame.number));
    setText(this.about, t.about(frame, this.#model.isSlow(frame)));
    this.before.disabled = this.#sheet.beside(frame.number, -1) === undefined;
    this.behind.disabled = this.#sheet.beside(frame.number, 1) === undefined;
    const isStored = frame.standing === "stored";
    setText(this.note, isStored ? "" : frame.cause ?? t.standings[frame.standing]);
    this.download.hidden = !isStored;
    this.compare.hidden = !(isStored && frame.renders > 1);
    this.#uncompare();
    const source = isStored ? api.outputs.frame(this.#id, frame) : null;
    if (source === this.#source) return;
    this.#source = source;
    if (!source) return this.image.removeAttribute("src");
    this.download.href = api.outputs.download(this.#id, frame);
    // What is known of it is shown until the whole picture is there.
    if (frame.picture !== null) this.image.src = api.outputs.preview(this.#id, frame);
    this.image.alt = t.describe(frame, this.#model.isSlow(frame));
    this.stage.classList.add("waits");
    const full = new Image();
    const isCurrent = () => this.#source === source;
    full.addEventListener("load", () => {
      if (!isCurrent()) return;
      this.image.src = source;
      this.stage.classList.remove("waits");
    });
    full.addEventListener("error", async () => {
      const error = await api.why(source).then(() => null, (refusal) => refusal);
      if (!isCurrent()) return;
      this.stage.classList.remove("waits");
      setText(this.note, error?.message ?? t.viewer.unreadable);
    });
    full.src = source;
  }

  /** Lays the version before over the picture, or takes it away. */
  async #compare() {
    if (!this.old.hidden) return this.#uncompare();
    const frame = this.#frame;
    const source = api.outputs.before(this.#id, frame);
    const old = new Image();
    old.src = source;
    const isThere = await old.decode().then(() => true, () => false);
    if (this.#frame !== frame) return;
    if (!isThere) return setText(this.note, texts.output.viewer.notKept);
    this.old.src = source;
    this.old.hidden = this.slider.hidden = false;
    this.compare.setAttribute("aria-pressed", "true");
    this.#divide();
    this.slider.focus();
  }

  #uncompare() {
    this.old.hidden = this.slider.hidden = true;
    this.compare.setAttribute("aria-pressed", "false");
  }

  #divide() {
    const part = Number(this.slider.value);
    this.old.style.clipPath = `inset(0 ${100 - part}% 0 0)`;
    this.slider.setAttribute("aria-valuetext", texts.output.viewer.part(part));
  }

  #go(step) {
    const number = this.#sheet.beside(this.#frame?.number, step);
    if (number !== undefined) this.open(number);
  }

  #key(event) {
    if (event.target === this.slider && event.key.startsWith("Arrow")) return;
    const { key } = event;
    if (key === "ArrowLeft" || key === "ArrowRight") this.#go(key === "ArrowLeft" ? -1 : 1);
    else if (key === "Home") this.open(this.#sheet.first);
    else if (key === "End") this.open(this.#sheet.last);
    else return;
    event.preventDefault();
  }
}
