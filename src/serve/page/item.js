// What the pages of a video and of a render have in common: the name, changes, uploads, news.

import { follow } from "./api.js";
import { alertUser, announce, el, setText } from "./dom.js";
import { Uploads, dropped } from "./files.js";
import { texts } from "./texts.js";

/** The shortest time between two looks at the item, in milliseconds. */
const PAUSE = 400;

export class ItemPage {
  /** The item as it was last read; null before that. */
  shown = null;
  /** Resolved once every change is stored. */
  saved = Promise.resolve();
  #root;
  #calls;
  #on;
  #texts;
  #uploads = null;
  #unsaved = 0;
  #ended = false;
  #timer = null;
  #unfollow = () => {};

  /**
   * `calls` has `show()`, `change(change)` and the address `events`. `on.show` gets the item whenever it has changed,
   * `on.making` its progress, `on.drop` what the user drops. `on.count` tells what stands in the place of the progress
   * of uploads. `own` are the texts of the page.
   */
  constructor(root, calls, own, on) {
    this.#root = root;
    this.#calls = calls;
    this.#texts = own;
    this.#on = on;
    this.name = el("input", {
      className: "name",
      "aria-label": own.name,
      maxLength: 100,
      spellcheck: false,
      onchange: () => this.save({ name: this.name.value }),
      onkeydown: (event) => event.key === "Enter" && this.name.blur(),
    });
    this.counter = el("span", { className: "counter", role: "status" });
    const { stop } = texts.upload;
    this.stop = el("button", { type: "button", className: "quiet", hidden: true, "aria-label": stop, title: stop, onclick: () => this.#uploads?.stop() }, "×");
  }

  /** Shows the page: `main` takes what is dropped, and `panel` is beside it. */
  fill(main, panel) {
    const t = this.#texts;
    main.append(el("div", { className: "drop-hint", "aria-hidden": "true" }, t.dropHere));
    this.#root.append(
      el("div", { className: "heading" }, el("a", { href: "/", className: "back", "aria-label": t.back, title: t.back }, "‹"), this.name),
      el("div", { className: "work" }, main, panel),
    );
    let depth = 0;
    const over = (is) => main.classList.toggle("over", is);
    const hasFiles = (event) => [...event.dataTransfer.types].includes("Files");
    this.#root.addEventListener("dragenter", (event) => hasFiles(event) && over((depth += 1) > 0));
    this.#root.addEventListener("dragleave", (event) => hasFiles(event) && over((depth -= 1) > 0));
    this.#root.addEventListener("drop", async (event) => {
      event.preventDefault();
      over((depth = 0) > 0);
      this.#on.drop(await dropped(event.dataTransfer));
    });
    this.#unfollow = follow(this.#calls.events, (news) => this.#news(news));
  }

  /** Whether files are being sent. */
  get isUploading() {
    return this.#uploads !== null;
  }

  /** Whether the user has gone to another page. */
  get ended() {
    return this.#ended;
  }

  /** Stores a change, after those before it, so that the last one wins. */
  save(change) {
    this.#unsaved += 1;
    this.saved = this.saved.then(async () => {
      const now = await this.#calls.change(change).catch((error) => alertUser(error.message));
      this.#unsaved -= 1;
      return now ? this.#apply(now) : this.read();
    });
    return this.saved;
  }

  /** Sends files, after those before them, and reads the item again. */
  async send(uploads) {
    if (this.#uploads) await this.#uploads.all;
    let drawn = 0;
    this.#uploads = new Uploads({
      onError: alertUser,
      onChange: (state) => {
        if (!state || this.#ended) return;
        cancelAnimationFrame(drawn);
        const { done, all, bytes, unpacking } = state;
        drawn = requestAnimationFrame(() => setText(this.counter, unpacking ? texts.upload.unpacking : texts.upload.running(done, all, bytes)));
      },
    });
    this.stop.hidden = false;
    this.#uploads.all = this.#uploads.send(uploads);
    const sent = await this.#uploads.all;
    cancelAnimationFrame(drawn);
    this.#uploads = null;
    this.stop.hidden = true;
    await this.read();
    announce(texts.upload.done(sent));
  }

  /** Reads the item again. */
  async read() {
    try {
      this.#apply(await this.#calls.show());
    } catch (error) {
      if (error.status !== 404) return error.status ? alertUser(error.message) : undefined;
      this.leave();
      this.#root.replaceChildren(el("p", { className: "center" }, this.#texts.gone, " ", el("a", { href: "/" }, this.#texts.back)));
    }
  }

  /** Ends everything that the page does. */
  leave() {
    this.#ended = true;
    this.#unfollow();
    clearTimeout(this.#timer);
    this.#uploads?.stop();
  }

  #apply(now) {
    if (this.#ended) return;
    // What the user has changed meanwhile must not be undone. The last change has an answer, too.
    if (this.#unsaved) return;
    // An older answer may come later.
    if (this.shown && now.revision < this.shown.revision) return;
    const before = this.shown;
    this.shown = now;
    document.title = texts.title(now.name);
    if (document.activeElement !== this.name) this.name.value = now.name;
    if (!this.isUploading) setText(this.counter, this.#on.count(now));
    this.#on.show(now, before);
  }

  #news({ revision, making }) {
    if (this.shown) this.#on.making(making, this.shown);
    if (this.shown?.revision === revision) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.read();
    }, this.shown ? PAUSE : 0);
  }
}
