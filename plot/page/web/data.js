/** From the text in the page to surfaces. */
import { inflate, unpack } from "./packing.js";

/** @returns {Promise<{content: Content, panes: Pane[], arrays: Numbers[]}>} */
export async function readPage() {
  /** @type {Content} */
  const content = JSON.parse(textOf("content"));
  const arrays = unpack(content.arrays, await inflate(textOf("arrays")));
  const panes = content.panes.map((pane, a) => ({
    title: pane.title,
    frames: pane.frames.map((record) => readSurface(record, arrays)),
    errorsTo: content.panes.map((_, b) => pick(content.differences?.[`${Math.min(a, b)}-${Math.max(a, b)}`] ?? {}, arrays)),
  }));
  return { content, panes, arrays };
}

/** @param {string} id */
function textOf(id) {
  return document.getElementById(id)?.textContent ?? "";
}

/** @param {SurfaceRecord} record @param {Numbers[]} arrays @returns {Surface} */
function readSurface(record, arrays) {
  const [x, y] = record.axes.map((axis) => /** @type {Float64Array} */ (arrays[axis.values]));
  return {
    record,
    title: record.title,
    nx: x.length,
    ny: y.length,
    x,
    y,
    values: pick(record.values, arrays),
    stderr: pick(record.stderr, arrays),
    paired: pick(record.paired, arrays),
    counts: pick(record.counts, arrays),
    anchored: pick(record.anchored, arrays),
    open: pick(record.open, arrays),
    state: /** @type {Uint8Array} */ (arrays[record.state]),
    paths: record.paths.map((path) => readPath(path, arrays)),
  };
}

/** @param {Record<string, number>} group @param {Numbers[]} arrays @returns {Record<string, any>} */
function pick(group, arrays) {
  return Object.fromEntries(Object.entries(group).map(([name, number]) => [name, arrays[number]]));
}

/** @param {PathRecord} record @param {Numbers[]} arrays */
function readPath(record, arrays) {
  const points = /** @type {Float64Array} */ (arrays[record.coordinates]);
  return {
    ...record,
    x: points.filter((_, k) => k % 2 === 0),
    y: points.filter((_, k) => k % 2 === 1),
    step: Array.from(/** @type {BigInt64Array} */ (arrays[record.step]), Number),
    own: pick({ [record.lossName || "train/loss"]: record.loss, ...record.own }, arrays),
    below: pick(record.below, arrays),
  };
}

/**
 * One surface minus another on the same grid; null where the grids differ.
 * @param {Surface} a @param {Surface} b @param {string} title
 * @param {Record<string, Float32Array>} [errors]  its standard errors, where it is known what the two have in common
 * @returns {Surface | null}
 */
export function difference(a, b, title, errors = {}) {
  if (!sameNumbers(a.x, b.x) || !sameNumbers(a.y, b.y)) return null;
  /** @type {Record<string, Float64Array>} */
  const values = {};
  /** @type {Record<string, Float32Array>} */
  const stderr = {};
  for (const name of Object.keys(a.values).filter((each) => each in b.values)) {
    values[name] = a.values[name].map((value, k) => value - b.values[name][k]);
    const [first, second] = [a.stderr[name], b.stderr[name]];
    // Networks on the same samples are not independent: whatever they have in common, it is no more than the sum.
    if (errors[name]) stderr[name] = errors[name];
    else if (first && second) stderr[name] = first.map((value, k) => value + second[k]);
  }
  const state = a.state.map((code, k) => (code && b.state[k] ? Math.max(code, b.state[k]) : 0));
  const record = { ...a.record, title, caption: `${a.title} minus ${b.title}.`, origin: {}, trust: [], paths: [], checkpoint: "", networks: [], curvature: [], unfinished: "", interpolation: {}, samples: {} };
  return { ...a, record, title, values, stderr, paired: {}, counts: {}, anchored: {}, open: {}, state, paths: [] };
}

/** @param {Float64Array} a @param {Float64Array} b */
function sameNumbers(a, b) {
  return a.length === b.length && a.every((value, k) => value === b[k]);
}
