/** A page as a whole, in something like a browser: what it asks to be drawn later is drawn when a test says so. */
import { App } from "../../plot/page/web/app.js";
import { Stage } from "../../plot/page/web/stage.js";
import { Element, LABELS, page, surface } from "./drawn.mjs";

/** Whoever waits for the next frame. @type {((now: number) => void)[]} */
const waiting = [];
/** @type {Record<string, {matches: boolean, say: () => void}>} */
export const media = {};
/** Timers that were started and not taken back. @type {Map<number, () => void>} */
export const timers = new Map();
let number = 0;

/** Make a browser's surroundings anew. */
export function browser() {
  page();
  waiting.length = 0;
  timers.clear();
  for (const query of Object.keys(media)) delete media[query];
  const root = new Element("html");
  Object.assign(globalThis.document, { documentElement: root, body: new Element("body") });
  Object.assign(globalThis, {
    innerWidth: 1200, innerHeight: 800, Node: Element,
    requestAnimationFrame: (/** @type {any} */ each) => waiting.push(each),
    matchMedia: (/** @type {string} */ query) => Object.assign(media[query] ??= { matches: false, say() {} }, {
      addEventListener: (/** @type {string} */ _, /** @type {any} */ heard) => { media[query].say = heard; },
    }),
    setTimeout: (/** @type {any} */ each) => (timers.set(++number, each), number),
    clearTimeout: (/** @type {number} */ which) => timers.delete(which),
  });
  return root;
}

/** Draw what waits to be drawn, and what that asks for. @param {number} [now] @param {number} [most]  frames */
export function frames(now = performance.now(), most = 20) {
  for (let k = 0; k < most && waiting.length; k++) for (const each of waiting.splice(0)) each(now);
}

/** Let time pass until all timers have rung. */
export function ring() {
  for (const [which, each] of [...timers]) timers.delete(which), each();
}

/** A stage that only notes what it is to draw. */
export function stage() {
  return /** @type {any} */ ({
    isSoftware: false, lost: false, canvas: { height: 900, name: "webgl" }, /** @type {any[]} */ shots: [],
    draw(/** @type {any} */ model, /** @type {any} */ view, /** @type {number} */ ratio, /** @type {any} */ look) {
      this.shots.push({ model, view, ratio, look });
      return { width: Math.round(view.width * ratio), height: Math.round(view.height * ratio) };
    },
  });
}

/** A surface as a page has it. @param {string} title @param {any} [change] @param {any} [record] */
export function named(title, change = {}, record = {}) {
  const made = surface();
  Object.assign(made, { title, ...change });
  Object.assign(made.record, { title, file: `${title}.h5`, trust: [], caption: `${title}, measured.`, curvature: [], ...record });
  return made;
}

/** A run over the plane of ``surface``. @param {string} name @param {number[]} x @param {number[]} y @param {any} [change] */
export const run = (name, x, y, change = {}) => /** @type {any} */ ({
  name, x: Float64Array.from(x), y: Float64Array.from(y), step: x.map((_, k) => 10 * k), unit: "step", own: { "train/loss": Float64Array.from(x, (_, k) => 6 - k) },
  below: {}, drops: [], unordered: false, note: "", ...change,
});

const one = (/** @type {string} */ letter) => btoa(letter.repeat(768));

/**
 * A page of panes, each a list of surfaces; drawn once.
 * @param {any[][]} panes @param {any} [content] @param {any} [drawing]  a stage; none without WebGL
 */
export function whole(panes, content = {}, drawing = null) {
  Object.assign(Stage, { start: () => drawing });
  const app = new App(/** @type {any} */ ({
    name: "Two nets", labels: LABELS, frameLabel: "Epoch", captions: {}, colormaps: { viridis: one("\x01"), cividis: one("\x02"), PuOr_r: one("\x03") }, ...content, start: { smooth: false, ...content.start },
  }), panes.map((list, k) => ({ title: `pane ${k}`, frames: list, errorsTo: panes.map(() => ({})) })));
  return /** @type {any} */ (app);
}
