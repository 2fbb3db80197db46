/** What the page remembers, and how it stands in the address: only what differs from the start. */
import { FIRST_EYE } from "./view.js";

/** @type {State} */
const DEFAULTS = {
  height: "", colour: "", kind: "auto", eps: null, cap: null, exaggeration: 1, colormap: "viridis", shared: true,
  linked: true, lines: true, floor: true, box: true, smooth: true, headlight: false, paths: true, drops: false,
  difference: "", step: 1, frame: 0, eyes: [{ ...FIRST_EYE }], pins: [], section: null, theme: "auto", drawer: "",
};

/** @type {Partial<Record<keyof State, string[]>>} */
const CHOICES = { kind: ["auto", "log", "linear", "asinh"], theme: ["auto", "light", "dark"], drawer: ["", "adjust", "trust", "curvature"] };

/** Holds the state; whoever listens hears which keys changed. */
export class Store {
  /**
   * @param {Partial<State>} start
   * @param {Record<string, string[]>} [words]  what some keys may be; anything where a key is not named
   * @param {number} [frames]  how many there are
   */
  constructor(start, words = {}, frames = Infinity) {
    this.words = words;
    this.frames = frames;
    this.start = normal({ ...structuredClone(DEFAULTS), ...start }, frames);
    this.state = structuredClone(this.start);
    /** @type {((changed: Set<keyof State>) => void)[]} */
    this.listeners = [];
  }

  /** @param {(changed: Set<keyof State>) => void} listener */
  listen(listener) {
    this.listeners.push(listener);
  }

  /** @param {() => void} show  called now, and whenever something changes */
  follow(show) {
    this.listen(show);
    show();
  }

  /** @param {Partial<State>} change */
  set(change) {
    const next = normal({ ...this.state, ...change }, this.frames);
    const keys = /** @type {(keyof State)[]} */ (Object.keys(next));
    const changed = new Set(keys.filter((key) => JSON.stringify(next[key]) !== JSON.stringify(this.state[key])));
    if (!changed.size) return;
    this.state = next;
    for (const listener of this.listeners) listener(changed);
  }

  /** The part of the address after #, empty at the start. */
  get hash() {
    const parts = new URLSearchParams();
    for (const key of /** @type {(keyof State)[]} */ (Object.keys(this.start))) {
      const value = this.state[key];
      if (JSON.stringify(value) !== JSON.stringify(this.start[key])) parts.set(key, written(key, value));
    }
    return parts.toString().replaceAll("%2C", ",").replaceAll("%3B", ";").replaceAll("%2F", "/");
  }

  /**
   * Take over what an address says; whatever is not there is as at the start, and nonsense is left out.
   * @param {string} hash
   */
  read(hash) {
    const parts = new URLSearchParams(hash.replace(/^#/, ""));
    /** @type {Record<string, unknown>} */
    const found = {};
    for (const [key, text] of parts) {
      if (!(key in this.start)) continue;
      const value = parsed(/** @type {keyof State} */ (key), text);
      if (value === undefined || (Object.hasOwn(this.words, key) && !this.words[key].includes(String(value)))) continue;
      found[key] = value;
    }
    this.set({ ...structuredClone(this.start), ...found });
  }
}

/** @param {keyof State} key @param {unknown} value */
function written(key, value) {
  if (key === "eyes") {
    return /** @type {Eye[]} */ (value).map((eye) => [eye.azimuth, eye.elevation, eye.zoom, eye.panX, eye.panY].join()).join(";");
  }
  if (key === "pins") return /** @type {[number, number][]} */ (value).map((pin) => pin.join()).join(";");
  if (typeof value === "boolean") return value ? "1" : "0";
  return value === null ? "none" : String(value);
}

/**
 * @param {keyof State} key @param {string} text
 * @returns {unknown}  undefined where it makes no sense
 */
function parsed(key, text) {
  const rows = text.split(";").map((row) => row.split(",").map(Number));
  const whole = (/** @type {number} */ size) => rows.every((row) => row.length === size && row.every(Number.isFinite));
  if (key === "eyes") {
    if (!whole(5)) return undefined;
    return rows.map(([azimuth, elevation, zoom, panX, panY]) => ({ azimuth, elevation, zoom, panX, panY }));
  }
  if (key === "pins") return text === "" ? [] : whole(2) ? rows : undefined;
  if (key === "section") return text === "none" ? null : whole(4) && rows.length === 1 ? rows[0] : undefined;
  if (typeof DEFAULTS[key] === "boolean") return text === "1" ? true : text === "0" ? false : undefined;
  if (typeof DEFAULTS[key] === "string") return CHOICES[key]?.includes(text) === false ? undefined : text;
  if ((key === "eps" || key === "cap") && text === "none") return null;
  if (key === "cap" && text === "auto") return "auto";
  return text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
}

/**
 * Bring numbers into their range, and angles to the digits the address keeps: a copied link shows the same picture.
 * @param {State} state @param {number} frames @returns {State}
 */
function normal(state, frames) {
  const between = (/** @type {number} */ value, /** @type {number} */ low, /** @type {number} */ high) =>
    Math.min(high, Math.max(low, value));
  const rounded = (/** @type {number} */ value, /** @type {number} */ digits) => Number(value.toFixed(digits)) + 0;
  return {
    ...state,
    eps: state.eps !== null && state.eps > 0 ? state.eps : null,
    exaggeration: rounded(between(state.exaggeration, 0.1, 4), 2),
    step: rounded(between(state.step, 0, 1), 4),
    frame: Math.min(frames - 1, Math.max(0, Math.round(state.frame))),
    eyes: state.eyes.slice(0, 16).map((eye) => ({
      azimuth: rounded(((((eye.azimuth + 180) % 360) + 360) % 360) - 180, 2),
      elevation: rounded(between(eye.elevation, 0, 90), 2),
      zoom: rounded(between(eye.zoom, 0.4, 12), 3),
      panX: rounded(between(eye.panX, -4, 4), 4),
      panY: rounded(between(eye.panY, -4, 4), 4),
    })),
    pins: state.pins.slice(0, 12),
  };
}
