/** Round numbers for levels and ticks, as in `plot/scale/levels.py`; `tests/browser/scales.json` holds both to it. */

export const MOST_LEVELS = 13;
const FEWEST_LEVELS = 5;

// From fine to coarse.
const MANTISSAS = [
  [1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2, 2.2, 2.5, 2.8, 3.2, 3.6, 4, 4.5, 5, 5.6, 6.3, 7, 8, 9],
  [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8],
  [1, 1.5, 2, 3, 5, 7],
  [1, 2, 5],
  [1, 3],
  [1],
];
const PLAIN = 3;
const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * Every mantissa times a power of 10 (of 10^decades) from `low` to `high`, which are positive.
 * @param {number} low @param {number} high @param {number[]} mantissas @param {number} [decades]
 */
export function ladder(low, high, mantissas, decades = 1) {
  const rungs = [];
  const last = Math.ceil(Math.log10(high));
  for (let power = Math.floor(Math.log10(low)); power <= last; power++) {
    if (power % decades) continue;
    for (const mantissa of mantissas) {
      const rung = Number(`${mantissa}e${power}`);
      if (rung >= low * (1 - 1e-12) && rung <= high * (1 + 1e-12)) rungs.push(rung);
    }
  }
  return rungs;
}

/** @param {number} low @param {number} high @returns {number[]} */
export function logLevels(low, high) {
  if (!(low > 0 && low < high)) return linearSteps(low, high);
  let best = ladder(low, high, MANTISSAS[PLAIN]);
  if (best.length < FEWEST_LEVELS) {
    for (let k = PLAIN - 1; k >= 0; k--) {
      best = ladder(low, high, MANTISSAS[k]);
      if (best.length >= FEWEST_LEVELS) return everyNth(best, Math.ceil(best.length / MOST_LEVELS));
    }
    return linearSteps(low, high);
  }
  for (const mantissas of MANTISSAS.slice(PLAIN)) {
    best = ladder(low, high, mantissas);
    if (best.length <= MOST_LEVELS) return best;
  }
  for (let decades = 2; best.length > MOST_LEVELS; decades++) best = ladder(low, high, [1], decades);
  return best;
}

/**
 * At most `most` multiples of 1, 2 or 5 times a power of 10 between two values.
 * @param {number} low @param {number} high @param {number} [most] @returns {number[]}
 */
export function linearSteps(low, high, most = MOST_LEVELS) {
  const span = high - low;
  if (!(Number.isFinite(span) && span > 0)) return [low];
  for (let power = Math.floor(Math.log10(span / most)) - 1; ; power++) {
    for (const mantissa of [1, 2, 5]) {
      const step = Number(`${mantissa}e${power}`);
      const first = Math.ceil(low / step - 1e-9);
      const count = Math.floor(high / step + 1e-9) - first + 1;
      if (count <= most) {
        const decimals = Math.min(Math.max(-power, 0), 100);
        return Array.from({ length: count }, (_, k) => Number(((first + k) * step).toFixed(decimals)) + 0);
      }
    }
  }
}

/**
 * Levels on both sides of 0, from the width of the linear part outwards.
 * @param {number} low @param {number} high @param {number} width
 */
export function signedLevels(low, high, width) {
  const [below, above] = [-low, high].map((reach) => {
    const side = reach > width ? logLevels(width, reach) : [];
    return everyNth(side, Math.max(1, Math.ceil(side.length / Math.floor(MOST_LEVELS / 2))));
  });
  const all = [...below.map((each) => -each).reverse(), 0, ...above];
  const levels = all.filter((each) => low <= each && each <= high);
  return levels.length >= FEWEST_LEVELS ? levels : linearSteps(low, high);
}

/**
 * Round values that stand at least `gap` apart on an axis of length 1; powers of 10 first.
 * @param {number} low @param {number} high @param {(value: number) => number} position @param {boolean} linear
 * @param {number} [gap]
 */
export function spreadTicks(low, high, position, linear, gap = 0.07) {
  if (linear) return linearSteps(low, high, 8);
  const reach = Math.max(Math.abs(low), Math.abs(high));
  const small = low > 0 ? Math.min(low, high) : reach * 1e-15;
  const candidates = low >= 0 ? [] : [0];
  for (const mantissa of [1, 5, 2]) {
    const rungs = ladder(Math.max(small, 1e-300), reach, [mantissa]).reverse();
    for (const rung of rungs) candidates.push(rung, -rung);
  }
  /** @type {number[]} */
  const chosen = [];
  for (const value of candidates) {
    if (value < low || value > high) continue;
    const place = position(value);
    if (chosen.every((each) => Math.abs(place - position(each)) >= gap)) chosen.push(value);
  }
  chosen.sort((a, b) => a - b);
  if (chosen.length >= 3) return chosen;
  const apart = (/** @type {number[]} */ tried) => tried.length > 1 && tried.slice(1).every((value, k) => position(value) - position(tried[k]) >= gap);
  const tried = [8, 7, 6, 5, 4, 3, 2].map((most) => linearSteps(low, high, most));
  return tried.find(apart) ?? (chosen.length ? chosen : tried[tried.length - 1]);
}

/**
 * A number as a reader of a picture wants it: 0.1, 500, 2·10⁶.
 * @param {number} value @param {number} [digits]
 */
export function numberText(value, digits = 4) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-3 && size < 1e4)) {
    const rounded = Number(value.toPrecision(digits)), text = size < 10 ** digits ? String(rounded + 0) : value.toFixed(0);
    if (size < 10 ** digits && Math.abs(rounded) >= 10 ** digits) return numberText(rounded, digits);
    return text.replace("-", "−");
  }
  let [mantissa, power] = value.toExponential(digits - 1).split("e");
  if (mantissa.includes(".")) mantissa = mantissa.replace(/\.?0+$/, "");
  const exponent = String(Number(power)).replace("-", "⁻").replace(/\d/g, (digit) => SUPERSCRIPTS[Number(digit)]);
  const sign = mantissa.startsWith("-") ? "−" : "", bare = mantissa.replace("-", "");
  return bare === "1" ? `${sign}10${exponent}` : `${sign}${bare}·10${exponent}`;
}

/** @param {number[]} list @param {number} step */
function everyNth(list, step) {
  return list.filter((_, k) => k % step === 0);
}

// Entries of the table that says which two levels are nearest to a height.
export const LEVEL_TABLE = 2048;

/**
 * The nearest and the second nearest of some levels, for heights evenly from `low` to `high`; beyond, those at the ends.
 * @param {number[]} heights  increasing
 */
export function nearestLevels(heights) {
  const first = heights[0] ?? 0, last = heights.at(-1) ?? 0, room = (last - first) / 100 || 1;
  const low = first - room, high = last + room;
  const table = new Float32Array(2 * LEVEL_TABLE);
  for (let k = 0, near = 0; k < LEVEL_TABLE && heights.length; k++) {
    const at = low + ((k + 0.5) / LEVEL_TABLE) * (high - low);
    const away = (/** @type {number} */ n) => (n < 0 || n >= heights.length ? Infinity : Math.abs(heights[n] - at));
    while (away(near + 1) < away(near)) near++;
    const second = away(near - 1) < away(near + 1) ? near - 1 : near + 1;
    // Of a single level there is no other.
    table.set([heights[near], heights[second] ?? 1e9], 2 * k);
  }
  return { table, low, high };
}
