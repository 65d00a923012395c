// The attempts as a table, with their last words, and the failures by cause.

import { el } from "../dom.js";
import { texts } from "../texts.js";

/** How many attempts are shown until the user wants all of them. */
const FEW = 40;

/** What needs a person comes first. */
const RANK = { stuck: 0, failed: 1, running: 2, lost: 3, succeeded: 4 };

export class Attempts {
  #all = false;
  #shown = "";
  #attempts = [];

  constructor() {
    this.element = el("div", { className: "attempts" });
  }

  /** Shows attempts, if any of them has changed. */
  show(attempts) {
    const key = JSON.stringify(attempts);
    if (key === this.#shown) return;
    this.#shown = key;
    const later = (a, b) => b.started - a.started || (a.index ?? 0) - (b.index ?? 0);
    this.#attempts = attempts.sort((a, b) => RANK[a.activity] - RANK[b.activity] || later(a, b));
    this.#draw();
  }

  #draw() {
    const t = texts.output.attempts;
    const seen = this.#all ? this.#attempts : this.#attempts.slice(0, FEW);
    const rest = this.#attempts.length - seen.length;
    const head = el("tr", {}, ...t.columns.map((name) => el("th", { scope: "col" }, name)));
    const table = el("table", {}, el("thead", {}, head), el("tbody", {}, ...seen.flatMap((attempt) => this.#rows(attempt))));
    const more = () => {
      this.#all = true;
      this.#draw();
      this.element.querySelector(".scroll-x").focus();
    };
    this.element.replaceChildren(
      el("div", { className: "scroll-x", tabIndex: 0, role: "region", "aria-label": t.heading }, table),
      ...(rest > 0 ? [el("button", { type: "button", onclick: more }, t.all(this.#attempts.length))] : []),
    );
  }

  #rows(attempt) {
    const t = texts.output.attempts;
    const { activity, cause, said, finished, started } = attempt;
    const row = el(
      "tr",
      { className: activity },
      el("th", { scope: "row", title: attempt.job ?? attempt.report }, t.name(attempt)),
      el("td", {}, el("span", { className: `activity ${activity}` }, t.activities[activity])),
      el("td", { className: "figure", title: attempt.asked }, t.done(attempt)),
      el("td", {}, t.when(started)),
      el("td", { className: "figure" }, t.duration(finished ? finished - started : null)),
      el("td", { className: "figure" }, t.memory(attempt)),
      el("td", { className: "figure" }, attempt.exit_code ?? ""),
    );
    if (!cause) return [row];
    const words = said?.length ? el("details", {}, el("summary", {}, cause), el("pre", {}, said.join("\n"))) : cause;
    return [row, el("tr", { className: "words" }, el("td", { colSpan: t.columns.length }, words))];
  }
}

/** The failures by cause. `onOpen` gets the first frame of a group. */
export function failures(groups, onOpen) {
  const t = texts.output.failures;
  const item = ({ cause, exit_codes: codes, attempts, frames, count }) =>
    el(
      "li",
      {},
      el("p", {}, cause || t.unknown),
      el("p", { className: "dim" }, t.about(attempts, codes, count, frames)),
      count ? el("button", { type: "button", onclick: () => onOpen(Number.parseInt(frames, 10)) }, t.show) : null,
    );
  return el("ul", { className: "failures" }, ...groups.map(item));
}
