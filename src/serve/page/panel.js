// How the video is made, how far it is, and the video itself.

import { api } from "./api.js";
import { alertUser, announce, el, filePicker, setText } from "./dom.js";
import { SOUND_KINDS } from "./files.js";
import { texts } from "./texts.js";

const RATES = ["0.5", "1", "2", "5", "10", "12", "23.976", "24", "25", "29.97", "30", "50", "60"];

export class Panel {
  #id;
  #video = null;
  #making = null;
  #played = "";

  constructor(id, { onChange, saved, onSound, onReveal, onRemove }) {
    this.#id = id;
    Object.assign(this, { onChange, saved, onReveal, onRemove });
    const t = texts.panel;
    const change = () => this.#changed();
    this.fps = el("input", { id: "fps", inputMode: "decimal", autocomplete: "off", onchange: change });
    this.fps.setAttribute("list", "rates");
    const rates = el("datalist", { id: "rates" }, ...RATES.map((value) => el("option", { value })));
    this.length = el("span", { className: "dim", id: "length" });
    this.codec = choice("codec", t.codecs, change);
    this.size = choice("size", t.sizes, () => {
      this.ownSize.hidden = this.size.value !== "own";
      if (this.size.value === "own") this.ownSize.focus();
      else this.#changed();
    });
    this.ownSize = el("input", { "aria-label": t.ownSize, placeholder: "1280x960", hidden: true, onchange: change });
    this.background = el("input", { id: "background", type: "color", onchange: change });
    this.sound = el("span", { className: "sound-name" });
    const removeSound = async () => {
      try {
        await api.removeSound(id);
      } catch (error) {
        alertUser(error.message);
      }
    };
    this.removeSound = el("button", { type: "button", className: "quiet", "aria-label": t.removeSound, title: t.removeSound, onclick: removeSound }, "×");
    const settings = el(
      "form",
      { className: "settings", "aria-label": t.settings, onsubmit: (event) => event.preventDefault() },
      field(t.fps, "fps", el("span", { className: "row" }, this.fps, rates, this.length)),
      field(t.codec, "codec", this.codec),
      field(t.size, "size", this.size, this.ownSize),
      field(t.background, "background", this.background),
      el(
        "div",
        { className: "field", role: "group", "aria-label": t.sound },
        el("span", { className: "label" }, t.sound),
        el("span", { className: "row" }, this.sound, this.removeSound, filePicker(t.chooseSound, { accept: SOUND_KINDS }, onSound)),
      ),
    );
    this.problem = el("div", { className: "problem", hidden: true });
    this.result = el("section", { className: "result", "aria-label": t.result, hidden: true });
    this.bar = el("progress", { max: 1, "aria-label": t.progressLabel });
    this.state = el("p", { className: "progress-text", role: "status" });
    this.running = el("div", { className: "running", hidden: true }, this.bar, this.state);
    this.button = el("button", { type: "button", className: "primary", onclick: () => this.#press() }, t.make);
    const foot = el("div", { className: "foot" }, this.running, this.button);
    this.element = el("aside", { className: "panel", "aria-label": t.settings }, el("div", { className: "panel-body" }, this.result, this.problem, settings), foot);
  }

  /** Shows the settings and the state of a video. */
  show(video) {
    this.#video = video;
    const { settings, sound } = video;
    const t = texts.panel;
    const set = (input, value) => {
      if (document.activeElement !== input) input.value = value;
    };
    set(this.fps, settings.fps);
    this.codec.value = settings.codec;
    const isOwn = !(settings.size in t.sizes);
    if (document.activeElement !== this.size) this.size.value = isOwn ? "own" : settings.size;
    if (isOwn) set(this.ownSize, settings.size);
    this.ownSize.hidden = this.size.value !== "own";
    set(this.background, settings.background);
    setText(this.sound, settings.codec === "gif" ? t.noSoundInGif : (sound?.name ?? t.noSound));
    this.removeSound.hidden = !sound;
    const rate = rateOf(settings.fps);
    setText(this.length, rate && video.pictures.length ? t.length(video.pictures.length / rate) : "");
    this.making(video.making, video);
    this.#showResult(video);
  }

  /** Shows how far the video is. */
  making(making, video) {
    const t = texts.panel;
    const before = this.#making?.state;
    this.#making = making;
    const isPending = making.state === "running" || making.state === "waiting";
    this.running.hidden = !isPending && making.state !== "stopped";
    this.bar.hidden = !isPending;
    setText(this.button, isPending ? t.stop : video.video ? t.again : t.make);
    this.button.classList.toggle("primary", !isPending);
    this.button.disabled = !isPending && video.pictures.length === 0;
    if (making.state === "running" && making.total) {
      this.bar.value = making.done / making.total;
      const left = making.left === null || making.done === 0 ? "" : ` · ${t.left(making.left)}`;
      setText(this.state, t.progress(making.done, making.total) + left);
    } else if (isPending) {
      this.bar.removeAttribute("value");
      setText(this.state, making.state === "waiting" ? t.waiting(making.ahead) : t.reading);
    } else {
      setText(this.state, making.state === "stopped" ? t.stopped : "");
    }
    this.#showProblem(making);
    if (making.state === "done" && before === "running") announce(t.done);
  }

  #showProblem(making) {
    const t = texts.panel;
    const key = JSON.stringify(making.state === "failed" || making.warnings?.length ? making : null);
    if (this.problem.dataset.key === key) return;
    this.problem.dataset.key = key;
    this.problem.hidden = key === "null";
    if (making.state === "failed") {
      const { error, advice, picture } = making;
      this.problem.className = "problem failed";
      this.problem.replaceChildren(
        el("p", { role: "alert" }, error),
        ...(advice ? [el("p", { className: "dim" }, advice)] : []),
        el(
          "div",
          { className: "row" },
          ...(picture
            ? [
                el("button", { type: "button", onclick: () => this.onReveal(picture) }, t.showPicture(picture)),
                el("button", { type: "button", onclick: () => this.onRemove(picture) }, t.removePicture(picture)),
              ]
            : []),
          el("a", { href: api.log(this.#id), target: "_blank" }, t.log),
        ),
      );
    } else if (making.warnings?.length) {
      this.problem.className = "problem";
      const remarks = making.warnings.map((text) => el("li", {}, text));
      this.problem.replaceChildren(el("details", {}, el("summary", {}, t.warnings(remarks.length)), el("ul", {}, ...remarks)));
    }
  }

  #showResult({ video }) {
    const key = video ? `${video.name} ${video.modified}` : "";
    if (this.#played === key) return;
    this.#played = key;
    this.result.hidden = !video;
    if (!video) return this.result.replaceChildren();
    const t = texts.panel;
    const source = api.video(this.#id, video);
    const plays = /\.(mp4|webm|mov|mkv)$/i.test(video.name);
    const hint = el("p", { className: "dim", hidden: true }, t.downloadHint);
    const player = plays
      ? el("video", { src: source, controls: true, preload: "metadata", playsInline: true, "aria-label": video.name })
      : el("img", { src: source, alt: video.name });
    player.addEventListener("error", () => {
      player.hidden = true;
      hint.hidden = false;
    });
    const download = el("a", { className: "button", href: api.download(this.#id), download: video.name }, t.download(video.size));
    this.result.replaceChildren(el("div", { className: "player" }, player, hint), el("div", { className: "row" }, el("strong", { className: "file-name", title: video.name }, video.name), download));
  }

  #changed() {
    const size = this.size.value === "own" ? this.ownSize.value.trim().replace(/\s*[×xX]\s*/, "x") : this.size.value;
    const { codec, fps, background } = this;
    this.onChange({ fps: fps.value.trim().replace(",", "."), codec: codec.value, size, background: background.value });
  }

  async #press() {
    const { state } = this.#making ?? {};
    // The video has the settings that the page shows.
    await this.saved();
    try {
      const making = await (state === "running" || state === "waiting" ? api.stop(this.#id) : api.make(this.#id));
      this.making(making, this.#video);
    } catch (error) {
      alertUser(error.message);
    }
  }
}

/** The pictures a second of `25` or `30000/1001`. */
function rateOf(text) {
  const [a, b = 1] = text.split("/").map(Number);
  return a / b || 0;
}

function choice(id, options, onchange) {
  return el("select", { id, onchange }, ...Object.entries(options).map(([value, text]) => el("option", { value }, text)));
}

function field(label, id, ...content) {
  return el("div", { className: "field" }, el("label", { className: "label", htmlFor: id }, label), ...content);
}
