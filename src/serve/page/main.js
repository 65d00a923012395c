// Shows the page that the address asks for. Links within it do not load anything again.

import { el } from "./dom.js";
import { home } from "./home.js";
import { video } from "./video.js";

let leave = () => {};

/** Shows the page of an address. */
function show(path, state) {
  leave();
  // What a page listens to goes with its element.
  const root = el("div", { className: "page" });
  document.getElementById("main").replaceChildren(root);
  const [, id] = path.match(/^\/videos\/([0-9a-f]+)$/) ?? [];
  leave = id ? video(root, id, { go, ...state }) : home(root, { go });
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
  if (!/^\/(videos\/[0-9a-f]+)?$/.test(link.getAttribute("href"))) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
// A file that misses its target must not replace the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

show(location.pathname);
