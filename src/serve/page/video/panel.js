// How the video is made, how far it is, and the video itself.

import { api } from "../api.js";
import { alertUser, choice, el, field, filePicker, setText, setValue } from "../dom.js";
import { SOUND_KINDS } from "../files.js";
import { Player } from "../player.js";
import { texts } from "../texts.js";
import { Work, isPending } from "../work.js";

const RATES = ["0.5", "1", "2", "5", "10", "12", "23.976", "24", "25", "29.97", "30", "50", "60"];

export class Panel {
  #id;
  #video = null;
  #making = null;

  constructor(id, { onChange, saved, onSound, onReveal, onRemove }) {
    this.#id = id;
    Object.assign(this, { onChange, saved });
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
    this.player = new Player();
    this.work = new Work({ log: api.log(id), onReveal, onRemove });
    this.button = el("button", { type: "button", className: "primary", onclick: () => this.#press() }, t.make);
    const foot = el("div", { className: "foot" }, this.work.progress, this.button);
    this.element = el("aside", { className: "panel", "aria-label": t.settings }, el("div", { className: "panel-body" }, this.player.element, this.work.problem, settings), foot);
  }

  /** Shows the settings and the state of a video. */
  show(video) {
    this.#video = video;
    const { settings, sound } = video;
    const t = texts.panel;
    setValue(this.fps, settings.fps);
    this.codec.value = settings.codec;
    const isOwn = !(settings.size in t.sizes);
    if (document.activeElement !== this.size) this.size.value = isOwn ? "own" : settings.size;
    if (isOwn) setValue(this.ownSize, settings.size);
    this.ownSize.hidden = this.size.value !== "own";
    setValue(this.background, settings.background);
    setText(this.sound, settings.codec === "gif" ? t.noSoundInGif : (sound?.name ?? t.noSound));
    this.removeSound.hidden = !sound;
    const rate = rateOf(settings.fps);
    setText(this.length, rate && video.pictures.length ? t.length(video.pictures.length / rate) : "");
    this.making(video.making, video);
    const { video: file } = video;
    this.player.show(file, file && api.video(this.#id, file), api.download(this.#id));
  }

  /** Shows how far the video is. */
  making(making, video) {
    this.#making = making;
    const t = texts.panel;
    const pending = isPending(making);
    setText(this.button, pending ? t.stop : video.video ? t.again : t.make);
    this.button.classList.toggle("primary", !pending);
    this.button.disabled = !pending && video.pictures.length === 0;
    this.work.show(making);
  }

  #changed() {
    const size = this.size.value === "own" ? this.ownSize.value.trim().replace(/\s*[×xX]\s*/, "x") : this.size.value;
    const { codec, fps, background } = this;
    this.onChange({ fps: fps.value.trim().replace(",", "."), codec: codec.value, size, background: background.value });
  }

  async #press() {
    // The video has the settings that the page shows.
    await this.saved();
    try {
      const making = await (isPending(this.#making) ? api.stop(this.#id) : api.make(this.#id));
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
