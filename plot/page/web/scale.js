/**
 * How a loss becomes a height and a colour: the same rules as `plot/scale/scale.py`, so that page and stills agree.
 *
 * Python decides nothing here in advance: the page can change kind, eps and cap. `tests/browser/scales.json`, made
 * by Python, holds this file to the same heights, levels and ticks.
 */
import { linearSteps, logLevels, numberText, signedLevels, spreadTicks } from "./levels.js";

export const OK = 0, MISSING = 1, CAPPED = 2, NOT_FINITE = 3;
const PAPER_EPS = 0.1;
// What differs by less than this share of the largest is one value, and less than this is nothing.
const ROUNDING = 1e-12, TINY = 1e-280;

/** Whether two values differ by no more than rounding. @param {number} low @param {number} high */
export function areOne(low, high) {
  return high - low <= Math.max(ROUNDING * Math.max(Math.abs(low), Math.abs(high)), TINY);
}

export class Scale {
  /**
   * @param {"log" | "linear" | "asinh"} kind @param {number} eps @param {number} low @param {number} high
   * @param {number | null} cap
   */
  constructor(kind, eps, low, high, cap) {
    this.kind = kind;
    this.eps = eps;
    this.low = low;
    this.high = high;
    this.cap = cap;
    this.label = "";
    this.percent = false;
    this.signed = false;
    /** @type {number[]} */ this.levels = [];
    /** @type {number[]} */ this.ticks = [];
    this.bottom = this.forward(low);
    this.top = this.forward(high);
  }

  /**
   * Values in loss units to heights z; NaN where a log does not exist.
   * @param {number} value
   */
  forward(value) {
    if (this.kind === "linear") return value;
    if (this.kind === "asinh") return Math.asinh(value / this.eps);
    return Math.log(this.eps) + Math.log1p(value / this.eps);
  }

  /**
   * Between 0 (`low`) and 1 (`high`), clipped; NaN where the value is not finite.
   * @param {number} value
   */
  normalized(value) {
    if (!Number.isFinite(value)) return NaN;
    const part = (this.forward(value) - this.bottom) / (this.top - this.bottom);
    return part < 0 ? 0 : part > 1 ? 1 : part;
  }

  /**
   * @param {number} value
   * @param {number} [state]  of the surface; 0 is not computed
   */
  classify(value, state = 1) {
    if (state === 0) return MISSING;
    if (!Number.isFinite(value)) return NOT_FINITE;
    return this.cap !== null && value > this.cap ? CAPPED : OK;
  }

  /** @param {number} value */
  text(value) {
    return numberText(this.percent ? value * 100 : value, 10);
  }

  formula() {
    if (this.kind === "log") return `z = log(L + ${numberText(this.eps)})`;
    return this.kind === "asinh" ? `z = asinh(${this.signed ? "Δ" : "L"} / ${numberText(this.eps)})` : "";
  }

  axisLabel() {
    if (this.percent) return `${this.label} (%)`;
    return this.formula() ? `${this.label}, ${this.formula()}` : this.label;
  }
}

/**
 * Choose the scale that suits all these values together.
 * @param {Float64Array} sorted  finite, increasing
 * @param {ScaleOptions} options @returns {Scale}
 */
export function chooseScale(sorted, options) {
  if (!sorted.length) throw new RangeError(`nothing to draw: no value of ${options.label} is finite`);
  const scale = options.range && !options.signed ? fixedScale(options.range) :
    options.percent && !(sorted[0] < 0) && !options.signed ? percentScale() : freeScale(sorted, options);
  scale.label = options.label;
  scale.percent = options.percent ?? false;
  scale.signed = options.signed ?? false;
  return scale;
}

/** @param {[number, number]} range */
function fixedScale([low, high]) {
  const scale = new Scale("linear", 0, low, high, null);
  scale.levels = linearSteps(low, high);
  scale.ticks = spreadTicks(low, high, (value) => scale.normalized(value), true);
  return scale;
}

function percentScale() {
  const scale = new Scale("linear", 0, 0, 1, null);
  scale.levels = Array.from({ length: 9 }, (_, k) => (k + 1) / 10);
  scale.ticks = [0, 0.2, 0.4, 0.6, 0.8, 1];
  return scale;
}

/** @param {Float64Array} sorted @param {ScaleOptions} options */
function freeScale(sorted, options) {
  let low = sorted[0], high = sorted[sorted.length - 1];
  const kind = options.kind === "auto" ? suitableKind(sorted, options.signed) : options.kind;
  const eps = kind === "linear" ? 0 : (options.eps ?? suitableEps(sorted, kind));
  if (kind !== "linear" && !(Number.isFinite(eps) && eps > 0)) throw new RangeError(`eps must be positive, not ${eps}`);
  if (kind === "log" && low <= -eps) {
    const text = `the lowest ${options.label} is ${numberText(low)}, which log(L + ${numberText(eps)}) cannot show`;
    throw new RangeError(`${text}; use the scale asinh or linear`);
  }
  const probe = new Scale(kind, eps, low, high, null);
  const cap = chooseCap(sorted, options, kind, eps);
  if (cap !== null) high = Math.min(high, cap);
  if (options.signed) {
    high = Math.max(Math.abs(low), Math.abs(high));
    low = -high;
  }
  if (areOne(low, high) || !(probe.forward(high) > probe.forward(low))) {
    // A constant surface still gets a colour, from the middle of the map.
    const most = Math.max(Math.abs(low) * 0.1, eps), margin = most > TINY ? most : PAPER_EPS;
    low -= low - margin > -eps || kind !== "log" ? margin : 0;
    high += margin;
  }
  const scale = new Scale(kind, eps, low, high, cap);
  scale.levels = suitableLevels(kind, eps, low, high);
  scale.ticks = spreadTicks(low, high, (value) => scale.normalized(value), kind === "linear");
  return scale;
}

/**
 * @param {Float64Array} sorted
 * @param {boolean} [signed]  zero has to have a place, whatever the values are
 * @returns {"log" | "linear" | "asinh"}
 */
function suitableKind(sorted, signed = false) {
  if (signed || sorted[0] < 0) {
    const sizes = sorted.map(Math.abs).sort();
    return quantile(sizes, 0.99) < 10 * median(sizes) ? "linear" : "asinh";
  }
  const positive = sorted.subarray(sorted.findIndex((value) => value > 0));
  if (!(positive[0] > 0)) return "linear";
  const high = quantile(positive, 0.99);
  const spike = positive[positive.length - 1] >= 10 * high;
  return high < 10 * quantile(positive, 0.01) && !spike ? "linear" : "log";
}

/** @param {Float64Array} sorted @param {string} kind */
function suitableEps(sorted, kind) {
  const sizes = sorted[0] < 0 ? sorted.map(Math.abs).sort() : sorted;
  const middle = median(sizes);
  const found = kind === "asinh" ? middle || sizes[sizes.length - 1] : Math.min(PAPER_EPS, 0.05 * middle);
  // Two digits: the formula under the picture is then exact. Not so small that L / eps overflows.
  return Number(Math.max(found || PAPER_EPS, sizes[sizes.length - 1] * 1e-290).toExponential(1));
}

/** @param {string} kind @param {number} eps @param {number} low @param {number} high */
function suitableLevels(kind, eps, low, high) {
  if (kind === "linear") return linearSteps(low, high);
  return kind === "log" ? logLevels(Math.max(low, eps), high) : signedLevels(low, high, eps);
}

/**
 * @param {Float64Array} sorted @param {ScaleOptions} options @param {string} kind @param {number} eps
 * @returns {number | null}
 */
function chooseCap(sorted, options, kind, eps) {
  const cap = options.cap ?? null;
  const low = sorted[0], high = sorted[sorted.length - 1];
  if (cap === "auto") {
    const span = kind === "log" ? Math.log((high + eps) / (low + eps)) : Math.log(Math.max(high, 1) / PAPER_EPS);
    return span > 12 ? quantile(sorted, 0.995) : null;
  }
  if (cap !== null && cap <= low) {
    throw new RangeError(
      `a cap of ${numberText(cap)} hides everything: the lowest ${options.label} is ${numberText(low)}`,
    );
  }
  return cap;
}

/**
 * As NumPy's, linear between neighbours, and with its rounding.
 * @param {Float64Array} sorted @param {number} part
 */
export function quantile(sorted, part) {
  const place = part * (sorted.length - 1);
  const k = Math.min(Math.floor(place), Math.max(sorted.length - 2, 0));
  const a = sorted[k], b = sorted[Math.min(k + 1, sorted.length - 1)], t = place - k;
  return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

/** @param {Float64Array} sorted */
export function median(sorted) {
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
