// Seconds and memory of every frame, drawn on a canvas. If there are more frames than pixels, each column
// shows the largest value of its frames.

import { el, setText } from "../dom.js";
import { texts } from "../texts.js";

const TIME = 96;
const MEMORY = 48;
const MARKS = 10;
const GAP = 14;
const HEIGHT = TIME + GAP + MEMORY + GAP + MARKS;

export class Chart {
  #model;
  #drawing = 0;
  #observer;
  #scheme = matchMedia("(prefers-color-scheme: dark)");
  #redraw = () => this.draw();

  /** `onOpen` gets the number of a frame that was clicked. */
  constructor(model, { onOpen }) {
    this.#model = model;
    this.canvas = el("canvas", { className: "chart", role: "img" });
    this.canvas.style.height = `${HEIGHT}px`;
    this.line = el("p", { className: "dim chart-line" }, " ");
    this.element = el("div", { className: "chart-box" }, this.canvas, this.line);
    this.#observer = new ResizeObserver(this.#redraw);
    this.#observer.observe(this.canvas);
    this.#scheme.addEventListener("change", this.#redraw);
    this.canvas.addEventListener("mousemove", (event) => {
      const frame = this.#at(event);
      setText(this.line, frame ? texts.output.describe(frame, model.isSlow(frame)) : this.#legend());
    });
    this.canvas.addEventListener("mouseleave", () => setText(this.line, this.#legend()));
    this.canvas.addEventListener("click", (event) => {
      const frame = this.#at(event);
      if (frame) onOpen(frame.number);
    });
  }

  /** Draws the frames of the model, soon. */
  draw() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  close() {
    this.#observer.disconnect();
    this.#scheme.removeEventListener("change", this.#redraw);
    cancelAnimationFrame(this.#drawing);
  }

  #at(event) {
    const { frames } = this.#model;
    const place = Math.floor((event.offsetX / this.canvas.clientWidth) * frames.length);
    return frames[Math.max(0, Math.min(frames.length - 1, place))];
  }

  #legend() {
    const [seconds, memory] = this.#largest();
    return texts.output.legend(seconds, memory);
  }

  #largest() {
    let [seconds, memory] = [0, 0];
    for (const frame of this.#model.frames) {
      if (frame.seconds > seconds) seconds = frame.seconds;
      if (frame.memory > memory) memory = frame.memory;
    }
    return [seconds, memory];
  }

  #draw() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    if (!width) return;
    const { frames, figures } = this.#model;
    const scale = devicePixelRatio;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(HEIGHT * scale);
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`);
    const [most, mostMemory] = this.#largest();
    const columns = Math.max(1, Math.min(frames.length, Math.floor(width)));
    const step = width / columns;
    const bar = Math.max(1, step > 3 ? step - 1 : step);
    const seconds = new Float64Array(columns);
    const memory = new Float64Array(columns);
    const marks = new Uint8Array(columns);
    frames.forEach((frame, place) => {
      const column = Math.floor((place * columns) / frames.length);
      seconds[column] = Math.max(seconds[column], frame.seconds ?? 0);
      memory[column] = Math.max(memory[column], frame.memory ?? 0);
      const mark = { failed: 2, missing: 1 }[frame.standing] ?? 0;
      marks[column] = Math.max(marks[column], mark);
    });
    const base = TIME + GAP + MEMORY;
    pen.fillStyle = colour("line");
    pen.fillRect(0, TIME, width, 1);
    pen.fillRect(0, base, width, 1);
    for (let column = 0; column < columns; column += 1) {
      const x = column * step;
      if (seconds[column]) {
        const height = Math.max(1, (seconds[column] / most) * TIME);
        pen.fillStyle = this.#model.isSlow({ seconds: seconds[column] }) ? colour("warn") : colour("accent");
        pen.fillRect(x, TIME - height, bar, height);
      }
      if (memory[column]) {
        const height = Math.max(1, (memory[column] / mostMemory) * MEMORY);
        pen.fillStyle = colour("dim");
        pen.fillRect(x, base - height, bar, height);
      }
      if (marks[column]) {
        // A failure is a block, a gap a line: told apart without colour, too.
        pen.fillStyle = colour("bad");
        const height = marks[column] === 2 ? MARKS : 3;
        pen.fillRect(x, base + GAP + MARKS - height, Math.max(2, bar), height);
      }
    }
    if (figures.median && most) {
      pen.fillStyle = colour("text");
      const y = Math.round(TIME - (figures.median / most) * TIME);
      for (let x = 0; x < width; x += 6) pen.fillRect(x, y, 3, 1);
    }
    setText(this.line, this.#legend());
    canvas.setAttribute("aria-label", texts.output.chartLabel(figures, most, mostMemory));
  }
}
