// Dragging tiles with mouse, pen or finger. A finger that moves at once scrolls; one that rests first
// drags.

import { el } from "../dom.js";
import { texts } from "../texts.js";

/** How far a pointer may move in a click, in pixels. */
const STILL = 6;
/** How long a finger rests before it drags, in milliseconds. */
const REST = 350;
/** How near to an edge a drag scrolls, in pixels, and how much each time. */
const EDGE = 48;
const SPEED = 14;

/** Calls `onClick`, or `onStart`, `onMove` and `onEnd`: without a place if the drag was given up. */
export function draggable(list, scroller, { at, onClick, onStart, onMove, onEnd }) {
  let press = null;
  let drag = null;

  const start = () => {
    clearTimeout(press.timer);
    const { names, tile } = onStart(press.name);
    const image = tile?.querySelector("img")?.cloneNode();
    const ghost = el("div", { className: "ghost" }, image ?? "", el("span", {}, texts.video.several(names.length)));
    document.body.append(ghost);
    list.classList.add("dragging");
    drag = { ghost, x: press.x, y: press.y, frame: 0 };
    list.setPointerCapture(press.pointer);
    follow();
  };

  const follow = () => {
    const { ghost, x, y } = drag;
    ghost.style.transform = `translate(${x + 12}px, ${y + 12}px)`;
    const box = scroller.getBoundingClientRect();
    if (y < box.top + EDGE) scroller.scrollTop -= SPEED;
    else if (y > box.bottom - EDGE) scroller.scrollTop += SPEED;
    onMove(x, y);
    drag.frame = requestAnimationFrame(follow);
  };

  const end = (isDone) => {
    clearTimeout(press?.timer);
    press = null;
    if (!drag) return;
    const { ghost, x, y, frame } = drag;
    cancelAnimationFrame(frame);
    ghost.remove();
    list.classList.remove("dragging");
    drag = null;
    if (isDone) onEnd(x, y);
    else onEnd();
  };

  list.addEventListener("pointerdown", (event) => {
    const name = at(event.target);
    if (event.button !== 0 || !event.isPrimary || name === undefined) return;
    press = { name, x: event.clientX, y: event.clientY, pointer: event.pointerId, touch: event.pointerType === "touch" };
    if (press.touch) press.timer = setTimeout(start, REST);
  });
  list.addEventListener("pointermove", (event) => {
    if (!press || event.pointerId !== press.pointer) return;
    if (drag) Object.assign(drag, { x: event.clientX, y: event.clientY });
    else if (Math.hypot(event.clientX - press.x, event.clientY - press.y) > STILL) {
      if (press.touch) end(false);
      else {
        start();
        Object.assign(drag, { x: event.clientX, y: event.clientY });
      }
    }
  });
  list.addEventListener("pointerup", (event) => {
    if (!press || event.pointerId !== press.pointer) return;
    if (drag) Object.assign(drag, { x: event.clientX, y: event.clientY });
    else onClick(press.name, event);
    end(true);
  });
  list.addEventListener("pointercancel", () => end(false));
  list.addEventListener("touchmove", (event) => drag && event.preventDefault(), { passive: false });
  list.addEventListener("contextmenu", (event) => press?.touch && event.preventDefault());
  addEventListener("keydown", (event) => event.key === "Escape" && drag && end(false));
}
