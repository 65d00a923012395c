// Shows the page that the address asks for. Links within it do not load anything again.

import { el } from "./dom.js";
import { home } from "./home.js";
import { render } from "./render.js";
import { video } from "./video.js";

/** The pages by the beginnings of their addresses. */
const pages = { videos: video, renders: render };
const PAGE = /^\/(videos|renders)\/([0-9a-f]+)$/;

let leave = () => {};

/** Shows the page of an address. */
function show(path, state) {
  leave();
  // What a page listens to goes with its element.
  const root = el("div", { className: "page" });
  document.getElementById("main").replaceChildren(root);
  const [, kind, id] = path.match(PAGE) ?? [];
  leave = kind ? pages[kind](root, id, { go, ...state }) : home(root, { go });
}

/** Goes to another address. */
function go(path, state) {
  history.pushState(null, "", path);
  show(path, state);
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
