// The first page: a place to drop pictures, and the videos that are there.

import { api, follow } from "./api.js";
import { alertUser, el, filePicker } from "./dom.js";
import { PICTURE_KINDS, SCENE_KINDS, chosen, dropped, hasScene, isEmpty } from "./files.js";
import { List } from "./list.js";
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

  const removing = ({ name }) => ({ toRemove: t.remove(name), removed: t.removed(name) });
  const videos = new List({
    remove: ({ id }) => api.remove(id),
    row: (video) => ({
      ...removing(video),
      name: video.name,
      about: t.about(video.pictures, video.created),
      href: `/videos/${video.id}`,
      cover: video.cover ? api.thumbnail(video.id, video.cover) : null,
      state: [video.making.state, texts.states[video.making.state]],
      sure: t.sureToRemove(video.name, video.pictures),
    }),
  });
  const renders = new List({
    remove: ({ id }) => api.renders.remove(id),
    row: (render) => ({
      ...removing(render),
      name: render.name,
      about: t.created(render.created),
      href: `/renders/${render.id}`,
      cover: render.has_cover ? api.renders.cover(render.id) : null,
      state: [render.making.state, texts.renderStates[render.making.state]],
      sure: t.sureToRemoveRender(render.name),
    }),
  });
  const noVideos = el("p", { className: "dim", hidden: true }, t.none);
  const noRenders = el("p", { className: "dim", hidden: true }, t.noRenders);
  const section = (heading, ...content) => el("section", { "aria-label": heading }, el("h2", {}, heading), ...content);
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
  root.append(el("div", { className: "home" }, zone, folders, section(t.renders, noRenders, renders.element), section(t.list, noVideos, videos.element), watching.element));

  let isRead = false;
  const read = async () => {
    try {
      const [ofVideos, ofRenders] = await Promise.all([api.list(), api.renders.list()]);
      limits = ofVideos.limits;
      videos.show(ofVideos.videos);
      noVideos.hidden = ofVideos.videos.length > 0;
      renders.show(ofRenders.renders);
      noRenders.hidden = ofRenders.renders.length > 0;
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
