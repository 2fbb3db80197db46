/** What can be drawn: the measured values by name, and what follows from two of them. */
import { numberText } from "./levels.js";
import { areOne } from "./scale.js";

const GAP = "gap/";
// As in `plot/planes/marks.py`: values of which less is neither better nor worse.
const NO_BEST = ["spread", "predicted_class", "margin", "clipped_share", "convexity"];

/** @type {WeakMap<Surface, Map<string, Quantity | null>>} */
const known = new WeakMap();

/**
 * All names that any surface can show: measured values first, then gaps between test and train.
 * @param {Surface[]} surfaces @returns {string[]}
 */
export function quantityNames(surfaces) {
  const names = new Set(surfaces.flatMap((surface) => Object.keys(surface.values)));
  const metrics = [...names].filter((name) => name.startsWith("train/")).map((name) => name.slice("train/".length));
  return [...names, ...metrics.filter((metric) => names.has(`test/${metric}`)).map((metric) => GAP + metric)];
}

/**
 * @param {Surface} surface @param {string} name
 * @returns {Quantity | null}  null where the surface has no such values
 */
export function quantityOf(surface, name) {
  let found = known.get(surface);
  if (!found) known.set(surface, (found = new Map()));
  let quantity = found.get(name);
  if (quantity === undefined) found.set(name, (quantity = makeQuantity(surface, name)));
  return quantity;
}

/** @param {Surface} surface @param {string} name @returns {Quantity | null} */
function makeQuantity(surface, name) {
  const percent = name.endsWith("accuracy");
  if (name in surface.values) {
    const stderr = surface.stderr[name] ?? null, paired = surface.paired[name] ?? null;
    return { name, values: surface.values[name], stderr, paired, percent, signed: false };
  }
  if (!name.startsWith(GAP)) return null;
  const metric = name.slice(GAP.length);
  const train = surface.values[`train/${metric}`], test = surface.values[`test/${metric}`];
  if (!train || !test) return null;
  const [a, b] = [surface.stderr[`train/${metric}`], surface.stderr[`test/${metric}`]];
  // Different samples: their errors are independent.
  const stderr = a && b ? a.map((value, k) => Math.hypot(value, b[k])) : null;
  return { name, values: test.map((value, k) => value - train[k]), stderr, paired: null, percent, signed: true };
}

/**
 * What a quantity is called in a sentence.
 * @param {string} name
 * @param {Record<string, string>} labels  of the measured values
 */
export function quantityLabel(name, labels) {
  if (!name.startsWith(GAP)) return labels[name] ?? name;
  return `test − training ${name.slice(GAP.length).replaceAll("_", " ")}`;
}

/**
 * A value as a read-out shows it: a share as percent.
 * @param {number} value @param {boolean} percent @param {number} [digits]
 */
export function valueText(value, percent, digits = 5) {
  if (!percent || !Number.isFinite(value)) return numberText(value, digits);
  return `${numberText(Number((100 * value).toPrecision(5)), digits)} %`;
}

/**
 * Finite values of points that were computed, increasing: what a scale is chosen from.
 * @param {[Surface, Quantity][]} parts
 */
export function sortedValues(parts) {
  const all = new Float64Array(parts.reduce((sum, [, quantity]) => sum + quantity.values.length, 0));
  let count = 0;
  for (const [surface, quantity] of parts) {
    for (let k = 0; k < quantity.values.length; k++) {
      if (surface.state[k] && Number.isFinite(quantity.values[k])) all[count++] = quantity.values[k];
    }
  }
  return all.subarray(0, count).sort();
}

/**
 * The best measured point, as in the stills: of an accuracy the highest, else the lowest.
 * @param {Surface} surface @param {Quantity} quantity
 * @returns {Best | null}  null where all are equal, or less is neither better nor worse
 */
export function bestOf(surface, quantity) {
  const { values, name } = quantity, high = name.endsWith("accuracy") && !quantity.signed, sign = high ? -1 : 1;
  let best = -1, low = Infinity, top = -Infinity;
  for (let k = 0; k < values.length; k++) {
    if (!surface.state[k] || !Number.isFinite(values[k])) continue;
    low = Math.min(low, values[k]);
    top = Math.max(top, values[k]);
    if (surface.state[k] === 1 && (best < 0 || sign * values[k] < sign * values[best])) best = k;
  }
  if (best < 0 || areOne(low, top) || NO_BEST.includes(name.slice(name.lastIndexOf("/") + 1))) return null;
  return { k: best, value: values[best], word: high ? "highest" : "lowest", high };
}

/**
 * Number of the grid value nearest to a place.
 * @param {Float64Array} axis @param {number} place
 */
export function nearest(axis, place) {
  let low = 0, high = axis.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (axis[middle] <= place) low = middle;
    else high = middle;
  }
  return place - axis[low] <= axis[high] - place ? low : high;
}
