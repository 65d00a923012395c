// What an output has, live: contact sheet, figures, chart, failures, attempts and video. It is a part of
// pages: `new Output(id)`, its `element`, and `close()` at the end.

import { api, follow } from "../api.js";
import { Attempts, failures } from "./attempts.js";
import { Chart } from "./chart.js";
import { alertUser, el, setText } from "../dom.js";
import { Model } from "./output-model.js";
import { Player } from "../player.js";
import { Sheet } from "./sheet.js";
import { texts } from "../texts.js";
import { Viewer } from "./viewer.js";

/** How often AWS Batch is asked, in milliseconds. */
const JOBS = 30_000;

/** How often ages are told anew, in milliseconds. */
const TICK = 1000;

/** What the filter lets through. */
const FILTERS = {
  all: () => true,
  absent: ({ standing }) => standing === "failed" || standing === "missing",
  slow: (frame, model) => model.isSlow(frame),
  again: ({ renders }) => renders > 1,
};

export class Output {
  #id;
  #model = new Model();
  #ended = false;
  #reading = null;
  #failures = "";
  #slowest = "";
  #timers = [];
  #unfollow;

  /**
   * `onChange` gets the model whenever something has changed, `onGone` is called if there is no output. The video is
   * left out without `showsVideo`.
   */
  constructor(id, { onChange, onGone, showsVideo = true } = {}) {
    this.#id = id;
    this.showsVideo = showsVideo;
    this.onChange = onChange ?? (() => {});
    this.onGone = onGone ?? (() => {});
    const t = texts.output;
    const open = (number) => this.viewer.open(number);
    this.sheet = new Sheet(id, this.#model, { onOpen: open });
    this.viewer = new Viewer(id, this.#model, this.sheet);
    this.chart = new Chart(this.#model, { onOpen: open });
    this.attempts = new Attempts();
    this.player = new Player();

    this.bar = el("progress", { max: 1, value: 0, "aria-label": t.progressLabel });
    this.counts = el("p", { className: "counts" }, t.reading);
    this.pace = el("p", { className: "dim pace" }, " ");
    this.trouble = el("p", { className: "trouble", role: "status", hidden: true });
    this.filter = el("select", { "aria-label": t.filter, onchange: () => this.#draw() });
    for (const [value, text] of Object.entries(t.filters)) this.filter.append(el("option", { value }, text));
    this.empty = el("p", { className: "empty dim", hidden: true });
    const part = (heading, ...children) => el("section", { hidden: true }, el("h2", {}, heading), ...children);
    this.parts = {
      video: part(t.video, this.player.element),
      chart: part(t.chart, this.chart.element),
      failures: part(t.failures.heading),
      attempts: part(t.attempts.heading, this.attempts.element),
      jobs: part(t.jobs),
      slowest: part(t.slowest),
    };
    this.notes = el("p", { className: "dim notes" });
    this.element = el(
      "div",
      { className: "output" },
      el("div", { className: "figures" }, el("div", { className: "figures-text" }, this.counts, this.pace), this.bar, this.trouble),
      el(
        "div",
        { className: "output-work" },
        el("section", { className: "sheet-part", "aria-label": t.sheet }, el("div", { className: "tools" }, this.filter, el("span", { className: "gap" }), this.notes), this.sheet.element, this.empty),
        el("div", { className: "output-side" }, ...Object.values(this.parts)),
      ),
      this.viewer.element,
    );
    this.#unfollow = follow(api.outputs.events(id), (news) => this.#news(news));
    this.#timers.push(setInterval(() => this.#tick(), TICK), setInterval(() => this.#jobs(), JOBS));
  }

  /** Ends everything that it does. */
  close() {
    this.#ended = true;
    this.#unfollow();
    for (const timer of this.#timers) clearInterval(timer);
    this.sheet.close();
    this.chart.close();
    if (this.viewer.element.open) this.viewer.element.close();
  }

  #news(news) {
    // The first event says what there is to be known, the others what has changed.
    if (!news.figures || !this.#model.revision) {
      if (news.revision !== this.#model.revision) this.#read();
    } else if (this.#model.take(news, false)) this.#draw();
  }

  #read() {
    this.#reading ??= api.outputs
      .show(this.#id)
      .then((state) => {
        if (this.#ended) return;
        const isFirst = !this.#model.revision;
        this.#model.take(state, true);
        this.#draw();
        if (isFirst) this.#jobs();
      })
      .catch((error) => {
        if (error.status === 404) this.onGone();
        else if (error.status) alertUser(error.message);
      })
      .finally(() => {
        this.#reading = null;
      });
  }

  #draw() {
    if (this.#ended) return;
    const model = this.#model;
    const t = texts.output;
    const { figures, frames } = model;
    setText(this.counts, t.counts(figures));
    this.bar.hidden = !figures.total;
    this.bar.value = figures.total ? figures.stored / figures.total : 0;
    setText(this.trouble, model.error ?? "");
    this.trouble.hidden = !model.error;
    const is = FILTERS[this.filter.value];
    const shown = this.filter.value === "all" ? frames : frames.filter((frame) => is(frame, model));
    this.sheet.show(shown);
    this.empty.hidden = shown.length > 0 || Boolean(model.error);
    setText(this.empty, frames.length ? t.noneSuch : t.empty);
    setText(this.notes, t.notes(model, this.filter.value === "all" ? null : shown.length));
    this.viewer.refresh();
    this.#sections();
    this.#tick();
    this.onChange(model);
  }

  #sections() {
    const { figures, attempts, video } = this.#model;
    const { parts } = this;
    // It has its place before the first report tells times, so that nothing moves then.
    parts.chart.hidden = !figures.total;
    if (figures.total) this.chart.draw();
    const replace = (part, child) => {
      part.lastElementChild.tagName === "H2" ? part.append(child) : part.lastElementChild.replaceWith(child);
    };
    const groups = JSON.stringify(figures.failures);
    parts.failures.hidden = !figures.failures.length;
    if (groups !== this.#failures) {
      this.#failures = groups;
      replace(parts.failures, failures(figures.failures, (number) => this.viewer.open(number)));
    }
    const slowest = figures.slowest.map((number) => this.#model.frame(number)).filter(Boolean);
    parts.slowest.hidden = slowest.length < 2;
    const key = JSON.stringify(slowest);
    if (key !== this.#slowest) {
      this.#slowest = key;
      replace(parts.slowest, this.#list(slowest));
    }
    const all = [...attempts.values()];
    parts.attempts.hidden = !all.length;
    this.attempts.show(all);
    parts.video.hidden = !video || !this.showsVideo;
    if (this.showsVideo) this.player.show(video, video && api.outputs.video(this.#id, video), api.outputs.videoDownload(this.#id));
  }

  #list(frames) {
    const t = texts.output;
    const open = (number) => el("button", { type: "button", className: "link", onclick: () => this.viewer.open(number) }, t.viewer.title(number));
    const item = (frame) => el("li", {}, open(frame.number), el("span", { className: "figure" }, t.seconds(frame.seconds)), el("span", { className: "figure dim" }, frame.memory ? t.memory(frame.memory) : ""));
    return el("ol", { className: "slowest" }, ...frames.map(item));
  }

  async #jobs() {
    if (document.hidden || this.#ended || ![...this.#model.attempts.values()].some(({ job }) => job)) return;
    const { jobs, why } = await api.outputs.jobs(this.#id).catch((error) => ({ jobs: [], why: error.message }));
    const lines = why ? [texts.output.noJobs(why)] : jobs.map(({ text }) => text);
    const part = this.parts.jobs;
    part.hidden = !lines.length;
    part.replaceChildren(part.firstElementChild, ...lines.map((line) => el("p", { className: "job" }, line)));
  }

  /** Tells ages anew. */
  #tick() {
    if (this.#model.revision) setText(this.pace, texts.output.pace(this.#model.figures, Date.now()) || " ");
  }
}
