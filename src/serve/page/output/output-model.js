// What an output has, put together from the columns that the server sends.

const STANDINGS = { s: "stored", p: "pending", f: "failed", m: "missing" };

/** A frame takes so many times the median before it counts as slow. */
const SLOW = 2;

export class Model {
  revision = 0;
  frames = [];
  attempts = new Map();
  figures = {};
  #places = new Map();

  /** Takes a whole state, or what has changed since the last one. An older one changes nothing. */
  take(state, isWhole) {
    if (!isWhole && state.revision <= this.revision) return false;
    if (isWhole) this.#clear();
    this.revision = state.revision;
    for (const field of ["error", "figures", "video", "size", "others", "skipped"]) this[field] = state[field];
    if (state.uri) this.uri = state.uri;
    const came = this.#read(state.frames);
    const gone = new Set(state.gone ?? []);
    if (came || gone.size) this.#order(gone);
    if (state.all_attempts) this.attempts.clear();
    for (const attempt of state.attempts) this.attempts.set(attempt.report, attempt);
    return true;
  }

  /** Whether a frame took much longer than most. */
  isSlow({ seconds }) {
    return seconds !== null && this.figures.median > 0 && seconds > SLOW * this.figures.median;
  }

  /** The frame of a number. */
  frame(number) {
    return this.frames[this.#places.get(number)];
  }

  #clear() {
    this.frames = [];
    this.#places.clear();
    this.attempts.clear();
  }

  /** Puts frames in their places. Whether there are new ones, behind the others. */
  #read(columns) {
    const { from } = columns;
    let came = false;
    columns.number.forEach((number, place) => {
      const picture = columns.picture[place];
      const standing = STANDINGS[columns.standing[place]];
      const isStored = standing === "stored";
      const digits = String(Math.abs(number)).padStart(4, "0");
      const frame = {
        number,
        standing,
        name: isStored ? (columns.names[place] ?? `${number < 0 ? "-" : ""}${digits}.${columns.extension}`) : null,
        size: columns.size[place],
        modified: isStored ? from + columns.modified[place] : null,
        picture: picture === null ? null : from + picture,
        seconds: columns.seconds[place],
        memory: columns.memory[place],
        renders: columns.renders[place] ?? 1,
        cause: columns.causes[columns.cause[place]] ?? null,
      };
      const known = this.#places.get(number);
      if (known === undefined) {
        came = true;
        this.#places.set(number, this.frames.length);
        this.frames.push(frame);
      } else this.frames[known] = frame;
    });
    return came;
  }

  #order(gone) {
    if (gone.size) this.frames = this.frames.filter(({ number }) => !gone.has(number));
    this.frames.sort((a, b) => a.number - b.number);
    this.#places = new Map(this.frames.map(({ number }, place) => [number, place]));
  }
}
