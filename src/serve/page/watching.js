// The part of the first page where outputs are added that are to be watched.

import { api } from "./api.js";
import { alertUser, announce, el } from "./dom.js";
import { texts } from "./texts.js";

/** The form that adds an output, and the list of those that are there. `read` reads the list again. */
export function watchSection({ go }) {
  const t = texts.output.home;
  const uri = el("input", { id: "uri", className: "uri", type: "text", placeholder: t.placeholder, spellcheck: false, autocapitalize: "none", autocomplete: "off", "aria-describedby": "uri-help" });
  const help = el("p", { id: "uri-help", className: "dim" }, " ");
  const add = async (event) => {
    event.preventDefault();
    if (!uri.value.trim()) return uri.focus();
    try {
      const { id } = await api.outputs.add(uri.value.trim());
      go(`/outputs/${id}`);
    } catch (error) {
      alertUser(error.message);
    }
  };
  const form = el("form", { className: "watch-form", onsubmit: add }, el("label", { htmlFor: "uri", className: "unseen" }, t.label), uri, el("button", { type: "submit" }, t.add));
  const list = el("ul", { className: "videos outputs" });
  const remove = async ({ id, uri: address }) => {
    if (!confirm(t.sureToRemove(address))) return;
    try {
      await api.outputs.remove(id);
      announce(t.removed(address));
      document.getElementById("main").focus();
    } catch (error) {
      alertUser(error.message);
    }
  };
  const row = (output) =>
    el(
      "li",
      {},
      el("a", { href: `/outputs/${output.id}` }, el("span", { className: "about" }, el("strong", { title: output.uri }, output.uri), el("span", { className: "dim" }, t.about(output)))),
      el("button", { type: "button", className: "quiet", "aria-label": t.remove(output.uri), title: t.remove(output.uri), onclick: () => remove(output) }, "×"),
    );
  let shown = "";
  const read = async () => {
    const { outputs, folders } = await api.outputs.list();
    help.textContent = t.help(folders);
    const now = JSON.stringify(outputs);
    if (now !== shown) list.replaceChildren(...outputs.map(row));
    shown = now;
  };
  const element = el("section", { "aria-labelledby": "watch" }, el("h2", { id: "watch" }, t.heading), form, help, list);
  return { element, read };
}
