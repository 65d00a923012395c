// The part of the first page where outputs are added that are to be watched.

import { api } from "./api.js";
import { alertUser, el } from "./dom.js";
import { List } from "./list.js";
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
  const list = new List({
    className: "outputs",
    remove: ({ id }) => api.outputs.remove(id),
    row: (output) => ({
      name: output.uri,
      about: t.about(output),
      href: `/outputs/${output.id}`,
      toRemove: t.remove(output.uri),
      sure: t.sureToRemove(output.uri),
      removed: t.removed(output.uri),
    }),
  });
  const read = async () => {
    const { outputs, folders } = await api.outputs.list();
    help.textContent = t.help(folders);
    list.show(outputs);
  };
  const element = el("section", { "aria-labelledby": "watch" }, el("h2", { id: "watch" }, t.heading), form, help, list.element);
  return { element, read };
}
