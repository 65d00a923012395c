// Shows the page that the address asks for. Links within it do not load anything again.

import { alertUser, el } from "./dom.js";
import { home } from "./home.js";
import { texts } from "./texts.js";

/** The modules of the other pages, by the beginnings of their addresses. They are loaded when they are shown. */
const pages = {
  videos: () => import("./video/video.js"),
  renders: () => import("./render/render.js"),
  outputs: () => import("./output/outputs.js"),
};
const PAGE = /^\/(videos|renders|outputs)\/([0-9a-f]+)$/;

let leave = () => {};
let turn = 0;

/** Shows the page of an address. */
async function show(path, state) {
  leave();
  leave = () => {};
  turn += 1;
  const mine = turn;
  // What a page listens to goes with its element.
  const root = el("div", { className: "page" });
  document.getElementById("main").replaceChildren(root);
  const [, kind, id] = path.match(PAGE) ?? [];
  if (!kind) {
    leave = home(root, { go });
    return;
  }
  try {
    const { page } = await pages[kind]();
    // The user may have gone on meanwhile.
    if (mine === turn) leave = page(root, id, { go, ...state });
  } catch {
    alertUser(texts.failed);
  }
}

/** Goes to another address. */
async function go(path, state) {
  history.pushState(null, "", path);
  await show(path, state);
  document.getElementById("main").focus({ preventScroll: true });
}

addEventListener("popstate", () => show(location.pathname));
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const isPlain = !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (!link || !isPlain || link.hasAttribute("download") || link.target) return;
  const address = link.getAttribute("href");
  if (address !== "/" && !PAGE.test(address)) return;
  event.preventDefault();
  go(address);
});
// A file that misses its target must not replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

show(location.pathname);
