// What is known of a scene, how it is rendered, and the video.

import { api } from "../api.js";
import { alertUser, choice, el, field, setText, setValue } from "../dom.js";
import { Player } from "../player.js";
import { texts } from "../texts.js";
import { Work, isPending } from "../work.js";

/** The settings that are texts, by the names that the server has for them. */
const TEXTS = ["frames", "resolution", "samples", "camera", "scene", "format", "denoise", "device", "fps", "codec"];

export class ScenePanel {
  #id;
  #render = null;
  #making = null;
  #about = "";

  constructor(id, { onChange, onMain, saved }) {
    this.#id = id;
    Object.assign(this, { onChange, saved });
    const t = texts.scene;
    const change = () => this.#changed();
    const text = (name, attributes = {}) => el("input", { id: name, autocomplete: "off", spellcheck: false, onchange: change, ...attributes });
    this.main = el("select", { id: "main-file", onchange: () => onMain(this.main.value) });
    this.mainField = field(t.main, "main-file", this.main);
    this.inputs = {
      frames: text("frames"),
      resolution: text("resolution", { placeholder: "" }),
      samples: text("samples", { inputMode: "numeric" }),
      camera: choice("camera", {}, change),
      scene: choice("scene", {}, change),
      format: choice("format", t.formats, change),
      denoise: choice("denoise", t.denoising, change),
      device: choice("device", t.devices, change),
      fps: text("fps", { inputMode: "decimal" }),
      codec: choice("codec", texts.panel.codecs, change),
    };
    this.inputs.resolution.setAttribute("list", "resolutions");
    const resolutions = el("datalist", { id: "resolutions" }, ...["25%", "50%", "100%", "1280x720", "1920x1080", "3840x2160"].map((value) => el("option", { value })));
    const check = (name, label) => {
      this[name] = el("input", { type: "checkbox", id: name, onchange: change });
      return el("label", { className: "check", htmlFor: name }, this[name], label);
    };
    this.withoutField = check("withoutMissing", t.withoutMissing);
    this.simulateField = check("simulate", t.simulate);
    this.sceneField = field(t.scene, "scene", this.inputs.scene);
    const settings = el(
      "form",
      { className: "settings", "aria-label": t.settings, onsubmit: (event) => event.preventDefault() },
      this.mainField,
      this.sceneField,
      field(t.frames, "frames", this.inputs.frames),
      el("div", { className: "pair" }, field(t.resolution, "resolution", this.inputs.resolution, resolutions), field(t.samples, "samples", this.inputs.samples)),
      field(t.camera, "camera", this.inputs.camera),
      el("div", { className: "pair" }, field(t.format, "format", this.inputs.format), field(t.denoise, "denoise", this.inputs.denoise)),
      field(t.device, "device", this.inputs.device),
      this.withoutField,
      this.simulateField,
      el("div", { className: "pair" }, field(t.fps, "fps", this.inputs.fps), field(texts.panel.codec, "codec", this.inputs.codec)),
    );
    this.about = el("section", { className: "about-scene", "aria-label": t.about });
    this.player = new Player();
    this.work = new Work({ log: api.renders.log(id) });
    this.start = el("button", { type: "button", className: "primary", onclick: () => this.#press(false) }, t.start);
    this.preview = el("button", { type: "button", title: t.previewHint, onclick: () => this.#press(true) }, t.preview);
    const foot = el("div", { className: "foot" }, this.work.progress, el("div", { className: "row buttons" }, this.start, this.preview));
    const body = el("div", { className: "panel-body" }, this.player.element, this.work.problem, this.about, settings);
    this.element = el("aside", { className: "panel", "aria-label": t.settings }, body, foot);
  }

  /** Shows the scene, the settings and the state of a render. */
  show(render) {
    this.#render = render;
    const { settings, main, project, inspection } = render;
    this.#showAbout(inspection, main);
    this.mainField.hidden = project.scenes.length < 2;
    options(this.main, [...(main ? [] : [["", texts.scene.chooseMain]]), ...project.scenes.map(({ name }) => [name, name])]);
    this.main.value = main ?? "";

    const scene = this.#scene();
    this.#showDefaults(scene);
    for (const name of TEXTS) setValue(this.inputs[name], settings[name]);
    this.withoutMissing.checked = settings.without_missing_files;
    this.simulate.checked = settings.simulate;
    const blender = inspection.scene?.blender;
    this.withoutField.hidden = !blender?.unusable_files.length && !settings.without_missing_files;
    this.simulateField.hidden = !blender?.simulations.length && !settings.simulate;

    this.making(render.making, render);
    const isPreview = render.is_preview ? Boolean(render.preview_video) : !render.video && Boolean(render.preview_video);
    const file = isPreview ? render.preview_video : render.video;
    this.player.show(file, file && api.renders.video(this.#id, file, isPreview), api.renders.download(this.#id, isPreview));
  }

  /** Shows how far the render is. */
  making(making, render) {
    this.#making = making;
    const t = texts.scene;
    const pending = isPending(making);
    setText(this.start, pending ? t.stop : making.state === "none" ? t.start : t.again);
    this.start.classList.toggle("primary", !pending);
    this.preview.hidden = pending;
    const cannot = !pending && !render.main;
    this.start.disabled = cannot;
    this.preview.disabled = cannot;
    this.work.show(making);
  }

  /** The scene that the settings are for. */
  #scene() {
    const { inspection, settings } = this.#render;
    const scenes = inspection.scene?.blender?.scenes ?? [];
    return scenes.find(({ name }) => name === settings.scene) ?? scenes.find(({ is_active }) => is_active);
  }

  /** Shows what the scene says where the user has chosen nothing. */
  #showDefaults(scene) {
    const t = texts.scene;
    const { inputs } = this;
    const all = this.#render.inspection.scene?.blender?.scenes ?? [];
    this.sceneField.hidden = all.length < 2;
    options(inputs.scene, [["", t.asSaved(all.find(({ is_active }) => is_active)?.name)], ...all.map(({ name }) => [name, name])], this.#render.settings.scene);
    options(inputs.camera, [["", t.asSaved(scene?.camera)], ...(scene?.cameras ?? []).map((name) => [name, name])], this.#render.settings.camera);
    inputs.frames.placeholder = scene ? `${scene.frame_start}-${scene.frame_end}` : "";
    inputs.resolution.placeholder = scene ? `${scene.width}x${scene.height}` : "";
    inputs.samples.placeholder = scene?.samples ?? "";
    inputs.fps.placeholder = scene ? rate(scene) : "";
    setText(inputs.format.options[0], t.asSaved(scene?.format));
  }

  #showAbout(inspection, main) {
    const t = texts.scene;
    const key = JSON.stringify([inspection, main, this.#render.settings.scene]);
    if (this.#about === key) return;
    this.#about = key;
    if (!main) return this.about.replaceChildren(el("p", { className: "dim" }, this.#render.project.scenes.length ? t.chooseMain : t.none));
    if (inspection.state === "running" || inspection.state === "none") return this.about.replaceChildren(el("p", { className: "dim", role: "status" }, t.opening(main)));
    if (inspection.state === "failed") {
      const advice = inspection.advice ? [el("p", { className: "dim" }, inspection.advice)] : [];
      return this.about.replaceChildren(el("div", { className: "problem failed" }, el("p", { role: "alert" }, inspection.error), ...advice));
    }
    const scene = this.#scene();
    const facts = scene ? t.facts(scene, rate(scene)) : {};
    const list = el("dl", {}, ...Object.entries(facts).flatMap(([term, fact]) => [el("dt", {}, term), el("dd", {}, fact)]));
    this.about.replaceChildren(el("h2", {}, main), list, ...this.#problems(inspection.scene.blender));
  }

  /** What would make the pictures differ from those on the user's machine. */
  #problems(blender) {
    const t = texts.scene;
    const found = [
      [t.unusable, blender.unusable_files.map(t.file)],
      [t.lacking, blender.lacking.map(({ feature, needed_by }) => t.feature(feature, needed_by))],
      [t.simulations, blender.simulations.map(({ name }) => name)],
      [t.warnings, blender.warnings],
    ];
    return found
      .filter(([, lines]) => lines.length)
      .map(([title, lines], index) =>
        el("details", { className: "problem", open: index === 0 }, el("summary", {}, title(lines.length)), el("ul", {}, ...lines.map((line) => el("li", {}, line)))),
      );
  }

  #changed() {
    const settings = Object.fromEntries(TEXTS.map((name) => [name, this.inputs[name].value.trim()]));
    settings.resolution = settings.resolution.replace(/\s*[×xX]\s*/, "x");
    settings.fps = settings.fps.replace(",", ".");
    this.onChange({ ...settings, without_missing_files: this.withoutMissing.checked, simulate: this.simulate.checked });
  }

  async #press(preview) {
    // The render has the settings that the page shows.
    await this.saved();
    try {
      const making = await (isPending(this.#making) ? api.renders.stop(this.#id) : api.renders.start(this.#id, preview));
      this.making(making, this.#render);
    } catch (error) {
      alertUser(error.message);
    }
  }
}

/** The frames a second of a scene: `24`, `23.976`. */
function rate({ fps, fps_base }) {
  return String(Math.round((fps / fps_base) * 1000) / 1000);
}

/** Gives a list these values and texts, if it has others. A value that is chosen but not there is added. */
function options(select, pairs, chosen) {
  const all = !chosen || pairs.some(([value]) => value === chosen) ? pairs : [...pairs, [chosen, chosen]];
  const key = JSON.stringify(all);
  if (select.dataset.key === key) return;
  select.dataset.key = key;
  const { value } = select;
  select.replaceChildren(...all.map(([each, text]) => el("option", { value: each }, text)));
  select.value = value;
}
