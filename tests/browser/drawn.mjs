/** What the tests of the page's script draw, and a canvas that remembers what was drawn on it. */
import assert from "node:assert/strict";
import { makeFigure, makeScales } from "../../plot/page/web/figure.js";

export const LABELS = { "train/loss": "training loss", "test/loss": "test loss", "train/accuracy": "training accuracy" };
export const STATE = /** @type {any} */ ({
  height: "train/loss", colour: "", kind: "linear", eps: null, cap: 30, colormap: "viridis", exaggeration: 1, smooth: false,
});

/** Four by three points: a low one is interpolated, a high one not computed, one NaN, one above the cap. */
export function surface() {
  const loss = Float64Array.of(5, 4, 3, 1000, 2, 1, 0.5, 7, 0.1, NaN, 40, 8);
  return /** @type {any} */ ({
    title: "net", nx: 4, ny: 3, x: Float64Array.of(-1, 0, 1, 2), y: Float64Array.of(-1, 0, 2),
    values: { "train/loss": loss, "test/loss": loss.map((value) => 2 * value), "train/accuracy": loss.map((value) => 1 / (1 + value)) },
    stderr: { "train/loss": Float32Array.from(loss, () => 0.3), "test/loss": Float32Array.from(loss, () => 0.4), "train/accuracy": Float32Array.from(loss, () => 0.012) },
    paired: { "train/loss": Float32Array.from(loss, () => 0.125) },
    open: {},
    counts: { train: BigInt64Array.of(9n, 9n, 9n, 9n, 9n, 9n, 9n, 7n, 9n, 9n, 9n, 9n) },
    anchored: {},
    state: Uint8Array.of(1, 1, 1, 0, 1, 1, 1, 1, 2, 1, 1, 1),
    record: {
      axes: [{ name: "PC 1", text: "PC 1 (90 %)" }, { name: "β", text: "β" }], origin: { "train/loss": 1 }, samples: { train: 9 },
      interpolation: { "train/loss": "95 % to 1 %" }, centred: true, unfinished: "",
      checkpoint: "a.pt", networks: [],
    },
    paths: [],
  });
}

export function figure(state = STATE, given = surface()) {
  const scales = makeScales([given], state, { labels: LABELS, colormaps: { viridis: btoa("\0".repeat(768)), PuOr_r: btoa("\0".repeat(768)) } }, false);
  const made = makeFigure(given, scales, state);
  assert.ok(made);
  return made;
}

/** A context that keeps, in their order, all calls and what was set; a letter is six pixels wide. */
export function recorder() {
  /** @type {any[][]} */ const calls = [];
  const known = /** @type {Record<string, any>} */ ({
    calls,
    measureText: (/** @type {string} */ text) => ({ width: 6 * text.length }),
    createImageData: (/** @type {number} */ width, /** @type {number} */ height) => ({ width, height, data: new Uint8ClampedArray(4 * width * height) }),
  });
  return new Proxy(known, {
    get: (target, name) => (name in target ? target[String(name)] : (/** @type {any[]} */ ...args) => { calls.push([name, ...args]); }),
    set: (target, name, value) => {
      calls.push(["set", name, value]);
      target[String(name)] = value;
      return true;
    },
  });
}

/** The calls of one kind. @param {any} context @param {string} name */
export const callsOf = (context, name) => context.calls.filter((/** @type {any[]} */ call) => call[0] === name).map((/** @type {any[]} */ call) => call.slice(1));

/** Whether all that was saved was restored: what is drawn next would have another's colours, or be cut at its border. @param {any} context */
export function isBalanced(context) {
  let depth = 0, least = 0;
  for (const [kind] of context.calls) {
    if (kind === "save") depth++;
    if (kind === "restore") least = Math.min(least, --depth);
  }
  return depth === 0 && least === 0;
}

/** As much of an element as the page's panels need. */
export class Element {
  /** @param {string} tag */
  constructor(tag) {
    this.tag = tag;
    /** @type {any[]} */ this.children = [];
    /** @type {Record<string, any>} */ this.attributes = {};
    /** @type {Record<string, (event: any) => void>} */ this.heard = {};
    /** @type {any} */ this.style = { setProperty: (/** @type {string} */ name, /** @type {string} */ value) => { this.style[name] = value; } };
    /** @type {Record<string, string>} */ this.dataset = {};
    const classes = new Set();
    Object.defineProperty(this, "classes", { get: () => [...classes].map((name) => `.${name}`) });
    this.classList = { toggle: (/** @type {string} */ name, /** @type {boolean} */ on) => (on ? classes.add(name) : classes.delete(name)), add: (/** @type {string[]} */ ...names) => names.forEach((name) => classes.add(name)), contains: (/** @type {string} */ name) => classes.has(name) };
    [this.clientWidth, this.clientHeight, this.hidden, this.value, this.checked] = [300, 320, false, "", false];
    this.context = recorder();
  }
  /** @param {string} name @param {any} value */
  setAttribute(name, value) { this.attributes[name] = value; }
  /** @param {string} name @param {any} handler */
  addEventListener(name, handler) {
    const before = this.heard[name];
    this.heard[name] = before ? (event) => (before(event), handler(event)) : handler;
  }
  /** @param {...any} children */
  append(...children) {
    this.children.push(...children);
    if (this.tag === "select" && this.value === "") this.value = this.children[0]?.attributes.value ?? "";
  }
  /** @param {...any} children */
  replaceChildren(...children) { this.children = children; }
  /** @param {...any} children */
  prepend(...children) { this.children.unshift(...children); }
  /** There is no WebGL. @param {string} kind */
  getContext(kind) { return kind === "2d" ? this.context : null; }
  getBoundingClientRect() { return { left: 0, top: 0, width: this.clientWidth, height: this.clientHeight }; }
  /** @param {number} pointer */
  setPointerCapture(pointer) { this.holds = pointer; }
  /** @param {any} other */
  contains(other) { return this.all.includes(other); }
  /** @param {string} tag */
  querySelector(tag) { return this.all.find((each) => each.tag === tag) ?? null; }
  focus() { Object.assign(globalThis.document, { activeElement: this }); }
  click() { this.heard.click?.({}); }
  /** Tell it of an event; whether the browser was kept from doing its own. @param {string} name @param {any} [event] */
  say(name, event = {}) {
    let own = true;
    this.heard[name]?.({ type: name, pointerId: 1, pointerType: "mouse", button: 0, buttons: 1, preventDefault: () => { own = false; }, stopPropagation() {}, ...event });
    return !own;
  }
  /** @param {string} text */
  set textContent(text) { this.children = [text]; }
  /** @returns {string} */
  get textContent() { return this.children.map((child) => (child instanceof Element ? child.textContent : String(child))).join(""); }
  /** @returns {string} what stands in it, piece by piece */
  get text() { return this.children.map((child) => (child instanceof Element ? child.text : String(child))).join("|"); }
  /** @returns {Element[]} it and all that is in it */
  get all() { return [this, ...this.children.flatMap((child) => (child instanceof Element ? child.all : []))]; }
  /** The first one below with an attribute. @param {string} name @param {string} value */
  with(name, value) {
    const found = this.all.find((each) => each.attributes[name] === value);
    assert.ok(found, `${name} ${value}`);
    return found;
  }
}

/** Give the script something to make elements of. */
export function page() {
  Object.assign(globalThis, {
    document: { createElement: (/** @type {string} */ tag) => new Element(tag), createElementNS: (/** @type {string} */ _, /** @type {string} */ tag) => new Element(tag), querySelector: () => null, addEventListener() {}, activeElement: null },
    HTMLElement: Element,
    ResizeObserver: class { observe() {} },
    requestAnimationFrame: () => 1,
    devicePixelRatio: 1,
    window: globalThis,
  });
}
