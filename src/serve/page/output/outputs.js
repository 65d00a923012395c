// The page of one output.

import { el } from "../dom.js";
import { Output } from "./output.js";
import { texts } from "../texts.js";

export function page(root, id) {
  const t = texts.output;
  const heading = el("h1", { className: "name output-name" }, t.title);
  const output = new Output(id, {
    onChange: ({ uri, figures }) => {
      const name = t.short(uri);
      heading.textContent = uri;
      heading.title = uri;
      document.title = texts.title(t.tab(name, figures));
    },
    onGone: () => {
      output.close();
      root.replaceChildren(el("p", { className: "center" }, t.gone, " ", el("a", { href: "/" }, t.back)));
    },
  });
  root.append(el("div", { className: "heading" }, el("a", { href: "/", className: "back", "aria-label": t.back, title: t.back }, "‹"), heading), output.element);
  return () => output.close();
}
