/** A page that holds something of everything, and all that stands on it. */
import { makeToolbar } from "../../plot/page/web/controls.js";
import { makeDrawer } from "../../plot/page/web/drawer.js";
import { makeSection } from "../../plot/page/web/section.js";
import { Element } from "./drawn.mjs";
import { modelled, told } from "./told.mjs";
import { run, stage, whole } from "./whole.mjs";

/** Numbers between 0 and 1, always the same. @param {number} seed */
export function chance(seed) {
  let now = seed;
  return () => (now = (now * 16807) % 2147483647) / 2147483647;
}

const EDGES = [-1e4, -1000, -100, -10, -1, 1, 10, 100, 1000, 1e4];
const SPECTRUM = { title: "raw", edges: EDGES, counts: [0, 0, 0, 0.2, 5, 40, 1, 0, 0], errors: [0, 0, 0, 0, 1, 4, 0.5, 0, 0], eigenvalues: [50, 3, -5], converged: [true, true, false] };
const REPORT = {
  title: "train", verdict: "Saddle.", rows: [["greatest", "9", "0.9"], ["least", "-2", "-0.1"]], facts: ["Of 500 samples."], slice: [["x", "2", "3", "40 %"]], left: 3,
  layers: [{ name: "conv1", trace: 4, error: 0.5, normalised: 1.5, normalisedError: 0.2 }, { name: "fc", trace: -2, error: 0.5, normalised: -0.5, normalisedError: 0.02 }],
  spectra: [SPECTRUM, { ...SPECTRUM, title: "in filter lengths", edges: [-1e12, -1e4, -1e-4, 1e-4, 1e4, 1e12], counts: [3, 0, 0, 2e6, 9], eigenvalues: [60, 0.5] }],
};

/**
 * Eleven by eight points over a plane that is not square: holes of each kind, errors, other networks and runs.
 * @param {string} title @param {any} [change] @param {any} [record] @param {number} [seed]
 */
export function rich(title, change = {}, record = {}, seed = 7) {
  const nx = 11, ny = 8, next = chance(seed);
  const x = Float64Array.from({ length: nx }, (_, i) => (i ? -1 + i * 0.25 : -1.3)), y = Float64Array.from({ length: ny }, (_, j) => -0.75 + j * 0.25 + (j > 5 ? 0.1 : 0));
  const loss = Float64Array.from({ length: nx * ny }, (_, k) => 0.05 + (x[k % nx] ** 2 + 3 * y[Math.floor(k / nx)] ** 2) ** 1.5 * (1 + 0.6 * next()) * (next() < 0.03 ? 400 : 4));
  loss[17] = NaN, loss[60] = Infinity, loss[87] = 900;
  const test = loss.map((value) => 1.2 * value + 0.1 * next()), state = Uint8Array.from(loss, (_, k) => (k === 30 || k === 31 || k === 75 ? 0 : k % 13 === 5 ? 2 : 1));
  const error = (/** @type {number} */ share) => Float32Array.from(loss, (value) => share * (1 + (value % 1)));
  return /** @type {any} */ ({
    title, nx, ny, x, y, state,
    values: { "train/loss": loss, "test/loss": test, "train/accuracy": loss.map((value) => 1 / (1 + value)), "test/accuracy": loss.map((value) => 0.9 / (1 + value)), "train/convexity": loss.map((_, k) => (k % 9) / 12), "train/eigenvalue_max": loss.map((value) => value - 3), "train/eigenvalue_max_residual": loss.map(() => 0.01) },
    stderr: { "train/loss": error(0.02), "test/loss": error(0.05), "train/accuracy": error(0.003) }, paired: { "train/loss": error(0.004) },
    open: { "train/convexity": Uint8Array.from(loss, (_, k) => (k % 10 === 3 ? 1 : 0)) },
    counts: { train: BigInt64Array.from(Array.from(loss, (_, k) => (k % 4 ? 500n : 200n))), test: BigInt64Array.from(Array.from(loss, () => 100n)) }, anchored: { "train/loss": BigInt64Array.from(Array.from(loss, (_, k) => (k % 7 === 3 ? BigInt(k % 3) : 0n))) },
    paths: [run("sgd", [-0.95, -0.4, 0.1, 0, 1.4], [0.6, 0.4, -0.3, 0, 0.2], { drops: [2], below: { "train/loss": Float64Array.of(5.5, 4.5, 4.2, 3.1, 2.5) }, note: "Measured on 9 samples." }), run("adam", [1.4, 0.3, 0.01, 3], [-0.7, -0.2, 0.02, 0], { step: [0, 5, 35, 60] })],
    record: {
      title, file: `${title}.h5`, trust: [["not finite", "2 of 88"], ["kept", "83 %"]], caption: `${title}, measured.`, curvature: [REPORT], axes: [{ name: "PC 1", text: "PC 1 (71 %)" }, { name: "β", text: "β, filter lengths" }],
      origin: { "train/loss": 0.07, "test/accuracy": 0.8 }, samples: { train: 500 }, interpolation: { "train/loss": "95 % to 1 %" }, centred: true, unfinished: "", checkpoint: "best.pt",
      networks: [{ name: "epoch 3.pt", short: "epoch 3", x: 0.75, y: 0.25 }, { name: "soup.pt", short: "soup", x: 0.78, y: 0.27 }, { name: "far.pt", short: "far", x: 7, y: 0 }], ...record,
    },
    ...change,
  });
}

/** A stage that notes what the graphics card would get. */
export function card() {
  const drawing = stage(), draw = drawing.draw;
  drawing.draw = (/** @type {any} */ model, /** @type {any} */ view, /** @type {number} */ ratio, /** @type {any} */ look) => {
    const { width, height } = draw.call(drawing, model, view, ratio, look);
    model.prepare(view, width, height, ratio, look);
    drawing.shots[drawing.shots.length - 1] = { ...modelled(model), view: told([view, ratio, look]) };
    return { width, height };
  };
  return drawing;
}

/** A page with its bar, panel, section and time, and an element with all of them. @param {any[][]} panes @param {any} [content] @param {any} [drawing] */
export function standing(panes, content, drawing) {
  const app = whole(panes, content, drawing), all = new Element("all");
  all.append(makeToolbar(app), app.main, makeDrawer(app), makeSection(app), app.player.element, app.caption, app.live);
  for (const { map } of app.allViews) [map.clientWidth, map.clientHeight] = [210, 190];
  return { app, all: /** @type {any} */ (all) };
}
