// How far the work on a video or render is, and what was wrong with it.

import { announce, el, setText } from "./dom.js";
import { texts } from "./texts.js";

/** Whether it will change by itself. */
export const isPending = (making) => making?.state === "running" || making?.state === "waiting";

export class Work {
  #before = null;

  /** `log` is the address of the log. `onReveal` and `onRemove`, if they are given, get the name of a picture. */
  constructor({ log, onReveal, onRemove }) {
    Object.assign(this, { log, onReveal, onRemove });
    const t = texts.work;
    this.problem = el("div", { className: "problem", hidden: true });
    this.bar = el("progress", { max: 1, "aria-label": t.label });
    this.state = el("p", { className: "progress-text", role: "status" });
    this.progress = el("div", { className: "running", hidden: true }, this.bar, this.state);
  }

  show(making) {
    const t = texts.work;
    const pending = isPending(making);
    this.progress.hidden = !pending && making.state !== "stopped";
    this.bar.hidden = !pending;
    if (making.state === "running" && making.total) {
      this.bar.value = making.done / making.total;
      const left = making.left === null || making.done === 0 ? "" : ` · ${t.left(making.left)}`;
      setText(this.state, t.progress[making.step](Math.floor(making.done), making.total) + left);
    } else if (pending) {
      this.bar.removeAttribute("value");
      setText(this.state, making.state === "waiting" ? t.waiting(making.ahead) : t.preparing);
    } else {
      setText(this.state, making.state === "stopped" ? t.stopped : "");
    }
    this.#showProblem(making);
    if (making.state === "done" && this.#before === "running") announce(t.done);
    this.#before = making.state;
  }

  #showProblem(making) {
    const t = texts.work;
    const key = JSON.stringify(making.state === "failed" || making.warnings?.length ? making : null);
    if (this.problem.dataset.key === key) return;
    this.problem.dataset.key = key;
    this.problem.hidden = key === "null";
    if (making.state === "failed") {
      const { error, advice, picture } = making;
      this.problem.className = "problem failed";
      this.problem.replaceChildren(
        el("p", { role: "alert" }, error),
        ...(advice ? [el("p", { className: "dim" }, forPage(advice))] : []),
        el(
          "div",
          { className: "row" },
          ...(picture && this.onReveal
            ? [
                el("button", { type: "button", onclick: () => this.onReveal(picture) }, t.showPicture(picture)),
                el("button", { type: "button", onclick: () => this.onRemove(picture) }, t.removePicture(picture)),
              ]
            : []),
          el("a", { href: this.log, target: "_blank" }, t.log),
        ),
      );
    } else if (making.warnings?.length) {
      this.problem.className = "problem";
      const remarks = making.warnings.map((text) => el("li", {}, text));
      this.problem.replaceChildren(el("details", {}, el("summary", {}, t.warnings(remarks.length)), el("ul", {}, ...remarks)));
    }
  }
}

/** An advice in which settings have the names that the page has for them. */
function forPage(advice) {
  return Object.entries(texts.work.flags).reduce((text, [flag, label]) => text.replaceAll(flag, label), advice);
}
