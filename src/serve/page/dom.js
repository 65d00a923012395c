// Small helpers for elements. Texts are always text, never HTML.

import { texts } from "./texts.js";

/** Creates an element: properties, then `on…` listeners, `aria-…` attributes and children. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets a text only if it differs, so that screen readers do not repeat it. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Tells something to screen readers. */
export function announce(text) {
  setText(document.getElementById("live"), text);
}

/** Shows a message until it is closed. */
export function alertUser(text) {
  const alerts = document.getElementById("alerts");
  for (const shown of alerts.children) if (shown.dataset.text === text) return;
  const close = el("button", { type: "button", className: "quiet", "aria-label": texts.close, onclick: () => message.remove() }, "×");
  const message = el("div", { className: "alert" }, el("p", {}, text), close);
  message.dataset.text = text;
  alerts.append(message);
  while (alerts.children.length > 4) alerts.firstElementChild.remove();
}

/** A file input that is not seen, and a button that opens it. */
export function filePicker(label, attributes, onFiles, className = "") {
  const input = el("input", { type: "file", hidden: true, tabIndex: -1, "aria-label": label, ...attributes });
  if (attributes.folder) input.webkitdirectory = true;
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) onFiles(files);
  });
  const button = el("button", { type: "button", className, onclick: () => input.click() }, label);
  return el("span", { className: "picker" }, button, input);
}

/** A list to choose from, of values and texts. */
export function choice(id, options, onchange) {
  return el("select", { id, onchange }, ...Object.entries(options).map(([value, text]) => el("option", { value }, text)));
}

/** An input with its label. */
export function field(label, id, ...content) {
  return el("div", { className: "field" }, el("label", { className: "label", htmlFor: id }, label), ...content);
}

/** Sets an input in which nobody types. */
export function setValue(input, value) {
  if (document.activeElement !== input) input.value = value;
}
