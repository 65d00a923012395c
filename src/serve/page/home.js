// The first page: a place to drop pictures, and the videos that are there.

import { api, follow } from "./api.js";
import { alertUser, announce, el, filePicker } from "./dom.js";
import { PICTURE_KINDS, chosen, dropped, isEmpty } from "./files.js";
import { texts } from "./texts.js";

/** The shortest time between two looks at the list, in milliseconds. */
const PAUSE = 500;

export function home(root, { go }) {
  document.title = texts.product;
  const t = texts.home;
  let limits = null;

  const begin = async (found) => {
    if (isEmpty(found)) return alertUser(found.others.length ? texts.upload.leftOut(found.others) : texts.upload.nothing);
    try {
      const { id } = await api.create(found.name);
      go(`/videos/${id}`, { found, limits });
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

  const list = el("ul", { className: "videos" });
  const none = el("p", { className: "dim", hidden: true }, t.none);
  root.append(
    el("div", { className: "home" }, zone, el("section", { "aria-labelledby": "list" }, el("h2", { id: "list" }, t.list), none, list)),
  );

  const remove = async (video) => {
    if (!confirm(t.sureToRemove(video.name, video.pictures))) return;
    try {
      await api.remove(video.id);
      announce(t.removed(video.name));
      document.getElementById("main").focus();
    } catch (error) {
      alertUser(error.message);
    }
  };

  const row = (video) => {
    const { id, name, cover, making } = video;
    const image = cover
      ? el("img", { src: api.thumbnail(id, cover), alt: "", loading: "lazy", onerror: (event) => event.target.removeAttribute("src") })
      : null;
    return el(
      "li",
      {},
      el(
        "a",
        { href: `/videos/${id}` },
        el("span", { className: "cover" }, image),
        el("span", { className: "about" }, el("strong", {}, name), el("span", { className: "dim" }, t.about(video.pictures, video.created))),
        el("span", { className: `state ${making.state}` }, texts.states[making.state]),
      ),
      el("button", { type: "button", className: "quiet", "aria-label": t.remove(name), title: t.remove(name), onclick: () => remove(video) }, "×"),
    );
  };

  let shown = "";
  const read = async () => {
    try {
      const answer = await api.list();
      limits = answer.limits;
      none.hidden = answer.videos.length > 0;
      // Elements that stay the same keep their focus.
      const now = JSON.stringify(answer.videos);
      if (now !== shown) list.replaceChildren(...answer.videos.map(row));
      shown = now;
    } catch (error) {
      if (error.status) alertUser(error.message);
    }
  };
  let timer = null;
  const unfollow = follow(null, () => {
    timer ??= setTimeout(() => {
      timer = null;
      read();
    }, shown ? PAUSE : 0);
  });
  return () => {
    unfollow();
    clearTimeout(timer);
  };
}
