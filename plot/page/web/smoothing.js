/**
 * Finer geometry for coarse grids, as in `plot/scale/smoothing.py`: cubic curves through the measured points.
 *
 * Only what is drawn gets finer; read-outs are of the stored values, and the page says that it is smoothed.
 */
// A grid of fewer points is drawn smoothed, with about so many points along its longer axis.
const COARSE = 75 * 75, FINE = 200;

/** @param {number} nx @param {number} ny */
export function smoothFactor(nx, ny) {
  return nx * ny >= COARSE ? 1 : Math.max(1, Math.round(FINE / (Math.max(nx, ny) - 1)));
}

/**
 * Slope at each point of a line of values; NaN where the value is not finite.
 * @param {Float64Array} values @param {Float64Array} x
 */
export function slopes(values, x) {
  const n = values.length;
  const out = new Float64Array(n);
  /** @param {number} k chord of the interval k..k+1, NaN where there is none */
  const chord = (k) => (k < 0 || k > n - 2 ? NaN : (values[k + 1] - values[k]) / (x[k + 1] - x[k]));
  const atEnd = (/** @type {number} */ near, /** @type {number} */ far, /** @type {number} */ part) =>
    Number.isFinite(far) ? near + (near - far) * part : near;
  for (let k = 0; k < n; k++) {
    const left = chord(k - 1), right = chord(k), a = x[k] - x[k - 1], b = x[k + 1] - x[k];
    if (!Number.isFinite(values[k])) out[k] = NaN;
    else if (Number.isFinite(left + right)) out[k] = (left * b + right * a) / (a + b);
    else if (Number.isFinite(right)) out[k] = atEnd(right, chord(k + 1), b / (x[k + 2] - x[k]));
    else if (Number.isFinite(left)) out[k] = atEnd(left, chord(k - 2), a / (x[k] - x[k - 2]));
  }
  return out;
}

/**
 * Put `factor - 1` points between neighbours of a line: Hermite cubics, limited as Fritsch and Carlson do, so that none
 * lies beyond its neighbours.
 * @param {Float64Array} values @param {Float64Array} x @param {number} factor
 */
function refineLine(values, x, factor) {
  const n = values.length;
  const out = new Float64Array((n - 1) * factor + 1);
  const slope = slopes(values, x);
  for (let k = 0; k < n; k++) {
    // Where there is a chord on one side only, it stands for both.
    const [left, right] = [k - 1, k].map((at) => (values[at + 1] - values[at]) / (x[at + 1] - x[at]));
    const [before, after] = [Number.isFinite(left) ? left : right, Number.isFinite(right) ? right : left];
    const bound = before * after < 0 ? 0 : 3 * (Math.min(Math.abs(before), Math.abs(after)) || 0);
    slope[k] = slope[k] * before < 0 ? 0 : Math.min(bound, Math.max(-bound, slope[k]));
  }
  for (let k = 0; k < n - 1; k++) {
    const step = x[k + 1] - x[k];
    out[k * factor] = values[k];
    for (let m = 1; m < factor; m++) {
      const t = m / factor, t2 = t * t, t3 = t2 * t;
      const between =
        (2 * t3 - 3 * t2 + 1) * values[k] + (t3 - 2 * t2 + t) * slope[k] * step +
        (3 * t2 - 2 * t3) * values[k + 1] + (t3 - t2) * slope[k + 1] * step;
      // What is beyond is rounding.
      const low = Math.min(values[k], values[k + 1]), high = Math.max(values[k], values[k + 1]);
      out[k * factor + m] = Math.min(high, Math.max(low, between));
    }
  }
  out[(n - 1) * factor] = values[n - 1];
  return out;
}

/** @param {Float64Array} x @param {number} factor */
export function refineAxis(x, factor) {
  const out = new Float64Array((x.length - 1) * factor + 1);
  for (let k = 0; k < out.length; k++) {
    const at = Math.floor(k / factor), part = (k % factor) / factor;
    out[k] = part ? x[at] + (x[at + 1] - x[at]) * part : x[at];
  }
  return out;
}

/**
 * Refine a grid along both axes; NaN stays NaN and nothing is drawn across it.
 * @param {Float64Array} values  (ny, nx)
 * @param {Float64Array} x @param {Float64Array} y @param {number} factor
 */
export function refineGrid(values, x, y, factor) {
  if (factor === 1) return values;
  const nx = x.length, ny = y.length, wide = (nx - 1) * factor + 1, tall = (ny - 1) * factor + 1;
  const rows = new Float64Array(ny * wide);
  for (let j = 0; j < ny; j++) rows.set(refineLine(values.subarray(j * nx, (j + 1) * nx), x, factor), j * wide);
  const out = new Float64Array(tall * wide);
  const column = new Float64Array(ny);
  for (let i = 0; i < wide; i++) {
    for (let j = 0; j < ny; j++) column[j] = rows[j * wide + i];
    const fine = refineLine(column, y, factor);
    for (let j = 0; j < tall; j++) out[j * wide + i] = fine[j];
  }
  return out;
}
