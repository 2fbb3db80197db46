/**
 * Finer geometry for coarse grids, as in `plot/smoothing.py`: cubic curves through the measured points.
 *
 * Only what is drawn gets finer; read-outs are of the stored values, and the page says that it is smoothed.
 */
import { quantile } from "./scale.js";

// A grid of fewer points is drawn smoothed, with about so many points along its longer axis.
const COARSE = 75 * 75, FINE = 200;
// Share of the range of nearly all heights by which a curve may leave the measured values.
const OVERSHOOT = 0.02;

/**
 * @param {number} nx
 * @param {number} ny
 */
export function smoothFactor(nx, ny) {
  return nx * ny >= COARSE ? 1 : Math.max(1, Math.round(FINE / (Math.max(nx, ny) - 1)));
}

/**
 * Slope at each point of a line of values; NaN where the value is not finite.
 *
 * @param {Float64Array} values
 * @param {Float64Array} x
 */
export function slopes(values, x) {
  const n = values.length;
  const out = new Float64Array(n);
  /** @param {number} k chord of the interval k..k+1, NaN where there is none */
  const chord = (k) => (k < 0 || k > n - 2 ? NaN : (values[k + 1] - values[k]) / (x[k + 1] - x[k]));
  for (let k = 0; k < n; k++) {
    if (!Number.isFinite(values[k])) {
      out[k] = NaN;
      continue;
    }
    const left = chord(k - 1), right = chord(k);
    const hasLeft = Number.isFinite(left), hasRight = Number.isFinite(right);
    if (hasLeft && hasRight) {
      const a = x[k] - x[k - 1], b = x[k + 1] - x[k];
      out[k] = (left * b + right * a) / (a + b);
    } else if (hasRight) {
      const far = chord(k + 1);
      const near = x[k + 1] - x[k];
      out[k] = Number.isFinite(far) ? right + ((right - far) * near) / (x[k + 2] - x[k]) : right;
    } else if (hasLeft) {
      const far = chord(k - 2);
      const near = x[k] - x[k - 1];
      out[k] = Number.isFinite(far) ? left + ((left - far) * near) / (x[k] - x[k - 2]) : left;
    }
  }
  return out;
}

/**
 * Put `factor - 1` points between neighbours of a line: Hermite cubics, limited as Fritsch and Carlson do.
 *
 * @param {Float64Array} values
 * @param {Float64Array} x
 * @param {number} factor
 * @param {number} span  range of nearly all heights
 */
function refineLine(values, x, factor, span) {
  const n = values.length;
  const out = new Float64Array((n - 1) * factor + 1);
  const slope = slopes(values, x);
  for (let k = 0; k < n; k++) {
    const left = k ? (values[k] - values[k - 1]) / (x[k] - x[k - 1]) : NaN;
    const right = k < n - 1 ? (values[k + 1] - values[k]) / (x[k + 1] - x[k]) : NaN;
    const hasLeft = Number.isFinite(left), hasRight = Number.isFinite(right);
    const least = hasLeft && hasRight ? Math.min(Math.abs(left), Math.abs(right)) : Math.abs(hasLeft ? left : right);
    const turns = hasLeft && hasRight && left * right < 0;
    const wide = Math.max(k ? x[k] - x[k - 1] : 0, k < n - 1 ? x[k + 1] - x[k] : 0);
    const bound = (turns ? 0 : 3 * (least || 0)) + (OVERSHOOT * 27 / 4) * span / wide;
    slope[k] = Math.min(bound, Math.max(-bound, slope[k]));
    if (hasLeft !== hasRight && slope[k] * (hasLeft ? left : right) < 0) slope[k] = 0;
  }
  for (let k = 0; k < n - 1; k++) {
    const step = x[k + 1] - x[k];
    out[k * factor] = values[k];
    for (let m = 1; m < factor; m++) {
      const t = m / factor, t2 = t * t, t3 = t2 * t;
      out[k * factor + m] =
        (2 * t3 - 3 * t2 + 1) * values[k] + (t3 - 2 * t2 + t) * slope[k] * step +
        (3 * t2 - 2 * t3) * values[k + 1] + (t3 - t2) * slope[k + 1] * step;
    }
  }
  out[(n - 1) * factor] = values[n - 1];
  return out;
}

/**
 * @param {Float64Array} x
 * @param {number} factor
 */
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
 *
 * @param {Float64Array} values  (ny, nx)
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {number} factor
 */
export function refineGrid(values, x, y, factor) {
  if (factor === 1) return values;
  const nx = x.length, ny = y.length, wide = (nx - 1) * factor + 1, tall = (ny - 1) * factor + 1;
  const rows = new Float64Array(ny * wide);
  let span = spanOf(values);
  for (let j = 0; j < ny; j++) rows.set(refineLine(values.subarray(j * nx, (j + 1) * nx), x, factor, span), j * wide);
  span = spanOf(rows);
  const out = new Float64Array(tall * wide);
  const column = new Float64Array(ny);
  for (let i = 0; i < wide; i++) {
    for (let j = 0; j < ny; j++) column[j] = rows[j * wide + i];
    const fine = refineLine(column, y, factor, span);
    for (let j = 0; j < tall; j++) out[j * wide + i] = fine[j];
  }
  return out;
}

/**
 * Range of heights without the outermost tenth: a lone spike must not let the rest swing.
 *
 * @param {Float64Array} values
 */
function spanOf(values) {
  const sorted = values.filter(Number.isFinite).sort();
  return sorted.length ? quantile(sorted, 0.95) - quantile(sorted, 0.05) : 0;
}
