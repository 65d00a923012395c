// The first page: a place to drop pictures, and the videos that are there.

import { api, follow } from "./api.js";
import { alertUser, announce, el, filePicker } from "./dom.js";
import { PICTURE_KINDS, SCENE_KINDS, chosen, dropped, hasScene, isEmpty } from "./files.js";
import { texts } from "./texts.js";
import { watchSection } from "./watching.js";

/** The shortest time between two looks at the list, in milliseconds. */
const PAUSE = 500;

export function home(root, { go }) {
  document.title = texts.product;
  const t = texts.home;
  let limits = null;

  const begin = async (found) => {
    if (await hasScene(found)) return beginRender(found);
    if (isEmpty(found)) return alertUser(found.others.length ? texts.upload.leftOut(found.others) : texts.upload.nothing);
    try {
      const { id } = await api.create(found.name);
      go(`/videos/${id}`, { found, limits });
    } catch (error) {
      alertUser(error.message);
    }
  };

  const beginRender = async (found) => {
    try {
      const { id } = await api.renders.create(found.name);
      go(`/renders/${id}`, { found });
    } catch (error) {
      alertUser(error.message);
    }
  };

  const zone = el(
    "section",
    { className: "zone", "aria-labelledby": "heading" },
    el("h1", { id: "heading" }, t.heading),
    el("p", { className: "zone-text" }, t.drop),
    el("p", { className: "dim" }, t.kinds),
    el(
      "div",
      { className: "row" },
      filePicker(t.choosePictures, { multiple: true, accept: PICTURE_KINDS }, (files) => begin(chosen(files)), "primary"),
      filePicker(t.chooseScene, { multiple: true, accept: SCENE_KINDS }, (files) => begin(chosen(files))),
      filePicker(t.chooseFolder, { folder: true }, (files) => begin(chosen(files))),
    ),
  );
  const over = (is) => (event) => {
    event.preventDefault();
    zone.classList.toggle("over", is);
  };
  root.addEventListener("dragover", over(true));
  root.addEventListener("dragleave", over(false));
  root.addEventListener("drop", async (event) => {
    over(false)(event);
    begin(await dropped(event.dataTransfer));
  });

  const videos = new List(t.list, t.none, {
    remove: ({ id, name, pictures }) => confirm(t.sureToRemove(name, pictures)) && api.remove(id),
    row: (video) => ({
      href: `/videos/${video.id}`,
      cover: video.cover && api.thumbnail(video.id, video.cover),
      about: t.about(video.pictures, video.created),
      state: texts.states[video.making.state],
    }),
  });
  const renders = new List(t.renders, t.noRenders, {
    remove: ({ id, name }) => confirm(t.sureToRemoveRender(name)) && api.renders.remove(id),
    row: (render) => ({
      href: `/renders/${render.id}`,
      cover: render.has_cover ? api.renders.cover(render.id) : null,
      about: t.created(render.created),
      state: texts.renderStates[render.making.state],
    }),
  });
  const folders = el("section", { "aria-label": t.folders, hidden: true });
  const makeOf = async (path) => {
    try {
      const { id } = await api.create(path.split("/").at(-1), path);
      go(`/videos/${id}`, { limits });
    } catch (error) {
      alertUser(error.message);
    }
  };
  const showFolders = async () => {
    const { folders: found } = await api.folders();
    folders.hidden = found.length === 0;
    const row = ({ path, pictures }) =>
      el(
        "li",
        {},
        el("span", { className: "about" }, el("strong", {}, t.folder(path)), el("span", { className: "dim" }, t.pictures(pictures))),
        el("button", { type: "button", "aria-label": t.makeOf(path), onclick: () => makeOf(path) }, texts.panel.make),
      );
    folders.replaceChildren(el("h2", {}, t.folders), el("ul", { className: "videos folders" }, ...found.map(row)));
  };
  showFolders().catch((error) => alertUser(error.message));
  const watching = watchSection({ go });
  root.append(el("div", { className: "home" }, zone, folders, renders.element, videos.element, watching.element));

  let isRead = false;
  const read = async () => {
    try {
      const [ofVideos, ofRenders] = await Promise.all([api.list(), api.renders.list()]);
      limits = ofVideos.limits;
      videos.show(ofVideos.videos);
      renders.show(ofRenders.renders);
      await watching.read();
      isRead = true;
    } catch (error) {
      if (error.status) alertUser(error.message);
    }
  };
  let timer = null;
  const unfollow = follow(api.allEvents, () => {
    timer ??= setTimeout(() => {
      timer = null;
      read();
    }, isRead ? PAUSE : 0);
  });
  return () => {
    unfollow();
    clearTimeout(timer);
  };
}

/** A list of videos or renders under a heading. */
class List {
  #shown = "";

  /** `row` gets the texts and addresses of an item; `remove` removes it, unless the user changes their mind. */
  constructor(heading, none, { row, remove }) {
    Object.assign(this, { row, remove });
    this.list = el("ul", { className: "videos" });
    this.none = el("p", { className: "dim", hidden: true }, none);
    this.element = el("section", { "aria-label": heading }, el("h2", {}, heading), this.none, this.list);
  }

  show(items) {
    this.none.hidden = items.length > 0;
    // Elements that stay the same keep their focus.
    const now = JSON.stringify(items);
    if (now !== this.#shown) this.list.replaceChildren(...items.map((item) => this.#element(item)));
    this.#shown = now;
  }

  #element(item) {
    const t = texts.home;
    const { name, making } = item;
    const { href, cover, about, state } = this.row(item);
    const image = cover ? el("img", { src: cover, alt: "", loading: "lazy", onerror: (event) => event.target.removeAttribute("src") }) : null;
    return el(
      "li",
      {},
      el(
        "a",
        { href },
        el("span", { className: "cover" }, image),
        el("span", { className: "about" }, el("strong", {}, name), el("span", { className: "dim" }, about)),
        el("span", { className: `state ${making.state}` }, state),
      ),
      el("button", { type: "button", className: "quiet", "aria-label": t.remove(name), title: t.remove(name), onclick: () => this.#remove(item) }, "×"),
    );
  }

  async #remove(item) {
    try {
      // Its answer is empty; without a request it is false.
      if ((await this.remove(item)) === false) return;
      announce(texts.home.removed(item.name));
      document.getElementById("main").focus();
    } catch (error) {
      alertUser(error.message);
    }
  }
}
