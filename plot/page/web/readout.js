/** The numbers under the cross-hair: what is stored, with its error, and how far from the best point. */
import { make } from "./dom.js";
import { covers } from "./field.js";
import { numberText } from "./levels.js";
import { networkText } from "./networks.js";
import { nearest, quantityLabel, quantityNames, quantityOf, valueText } from "./quantity.js";

// What is said of eigenvalues, and is no value of the loss itself.
const SECONDARY = /\/(eigenvalue_m(ax|in)_residual|products|curvature_samples)$/;

export class Readout {
  constructor() {
    this.place = make("p", { class: "place" });
    this.body = make("tbody");
    this.note = make("p", { class: "note" });
    this.element = make("div", { class: "readout" }, this.place, make("table", {}, this.body), this.note);
  }

  /** @param {Figure | null} figure @param {Cursor | null} cursor @param {Record<string, string>} labels */
  show(figure, cursor, labels) {
    if (!figure) {
      this.place.textContent = "not measured here";
      this.body.replaceChildren();
      this.note.textContent = "";
      return;
    }
    const { surface, best } = figure;
    // Without a cross-hair the best point, else the one nearest to the checkpoint.
    const nearby = nearest(surface.y, 0) * surface.nx + nearest(surface.x, 0);
    const k = cursor ? cursor.j * surface.nx + cursor.i : (best?.k ?? nearby);
    this.place.textContent = (cursor || !best ? "" : `${best.word} at `) + placeText(surface, k);
    this.body.replaceChildren(...rowsAt(figure, k, labels).map(([name, value, error, strong]) =>
      make("tr", { class: strong ? "strong" : "" },
        make("th", { scope: "row", title: name, "aria-label": name }, make("span", { class: "long" }, name), make("span", { class: "short" }, short(name))),
        make("td", {}, value), make("td", { class: "error" }, error))));
    this.note.textContent = stateText(figure, k);
  }
}

/**
 * Name, value, error, whether it is what the height shows.
 * @param {Figure} figure @param {number} k @param {Record<string, string>} labels
 * @returns {[string, string, string, boolean][]}
 */
export function rowsAt(figure, k, labels) {
  const { surface, height, best } = figure;
  /** @type {[string, string, string, boolean][]} */
  const rows = [];
  for (const name of quantityNames([surface])) {
    const quantity = quantityOf(surface, name);
    if (!quantity || ((quantity.signed || SECONDARY.test(name)) && name !== height.name)) continue;
    // Where all samples were used what is left is the rounding of sums.
    const whole = (/** @type {number} */ each) => (each < 1e-12 * Math.abs(quantity.values[k]) ? 0 : each);
    const error = whole(quantity.stderr?.[k] ?? NaN);
    const text = valueText(quantity.values[k], quantity.percent);
    rows.push([quantityLabel(name, labels), text, plusMinus(error, quantity.percent), name === height.name]);
    if (name === height.name && Number.isFinite(quantity.values[k])) {
      const away = Math.abs(quantity.values[k] - (best?.value ?? 0));
      if (best) rows.push([best.high ? "below the highest" : "above the lowest", valueText(away, quantity.percent), "", false]);
      const start = surface.record.origin[name], paired = whole(quantity.paired?.[k] ?? NaN);
      const data = name.split("/")[0], used = surface.counts[data]?.[k];
      const same = surface.record.samples[data] === undefined || used === undefined || Number(used) === surface.record.samples[data];
      if (start !== undefined && Number.isFinite(paired) && same) {
        // On the same samples, and only then: its error is smaller than those of the two values.
        const from = quantity.values[k] - start;
        rows.push(["above the checkpoint", valueText(from, quantity.percent), plusMinus(paired, quantity.percent), false]);
      }
    }
  }
  return rows;
}

/** @param {number} error @param {boolean} isPercent */
function plusMinus(error, isPercent) {
  return Number.isFinite(error) ? `± ${numberText(isPercent ? 100 * error : error, 2)}` : "";
}

/**
 * What has to be said about a point: nothing, where it was measured and is finite.
 * @param {Figure} figure @param {number} k
 */
function stateText({ surface, height, scales }, k) {
  const parts = [networkText(surface, k)].filter(Boolean);
  if (surface.state[k] === 0) return [...parts, "not computed"].join("; ");
  if (!Number.isFinite(height.values[k])) return [...parts, "not finite"].join("; ");
  const { cap } = scales.height;
  if (surface.state[k] === 2) {
    const known = surface.record.interpolation[height.name];
    parts.push(`interpolated, not measured${known ? ` (${known})` : ""}`);
  } else {
    const counts = surface.counts[height.name.split("/")[0]], anchors = Number(surface.anchored[height.name]?.[k] ?? 0);
    if (anchors && counts) parts.push(`estimated for all samples from ${counts[k]} of them and ${anchors} anchor${anchors > 1 ? "s" : ""}`);
    // Worth a word only where points differ in it.
    else if (counts && counts.some((count, n) => surface.state[n] === 1 && count !== counts[k])) parts.push(`on ${counts[k]} samples`);
  }
  if (cap !== null && height.values[k] > cap) parts.push(`above the cap of ${numberText(cap)}`);
  return parts.join("; ");
}

/** @param {string} name */
function short(name) {
  return name.replace("training", "train").replace("accuracy", "acc.").replace("above the lowest", "above min").replace("below the highest", "below max").replace("above the checkpoint", "above θ*")
    .replace("greatest eigenvalue", "λ max").replace("least eigenvalue", "λ min").replace("|least / λ max|", "|λ min/max|");
}

/**
 * The same as one sentence, for a screen reader.
 * @param {Figure | null} figure @param {Cursor | null} cursor @param {Record<string, string>} labels
 */
export function spoken(figure, cursor, labels) {
  if (!figure || !cursor) return "";
  const { surface } = figure, k = cursor.j * surface.nx + cursor.i;
  const values = rowsAt(figure, k, labels).map(([name, value]) => `${name} ${value}`);
  return [spokenPlace(surface, cursor.i, cursor.j), ...values, stateText(figure, k)].filter(Boolean).join("; ");
}

const SPOKEN = /** @type {Record<string, string>} */ ({ "α": "alpha", "β": "beta" });

/** What a screen reader calls an axis. @param {AxisRecord} axis */
export function spokenName({ name }) {
  return SPOKEN[name] ?? name;
}

/** @param {Surface} surface @param {number} i @param {number} j */
export function spokenPlace({ record: { axes }, x, y }, i, j) {
  return `${spokenName(axes[0])} ${numberText(x[i], 5)}, ${spokenName(axes[1])} ${numberText(y[j], 5)}`;
}

/**
 * The kept points in words: number, place, value.
 * @param {Figure} figure @param {[number, number][]} pins @param {Record<string, string>} labels
 */
export function pinTexts({ surface, height }, pins, labels) {
  return pins.flatMap(([x, y], number) => {
    if (!covers(surface, x, y)) return [];
    const k = nearest(surface.y, y) * surface.nx + nearest(surface.x, x);
    return [`(${number + 1}) ${placeText(surface, k)}: ${quantityLabel(height.name, labels)} ${valueText(height.values[k], height.percent)}`];
  });
}

/** @param {Surface} surface @param {number} k */
function placeText({ record: { axes }, x, y, nx }, k) {
  const name = (/** @type {number} */ axis) => axes[axis].name.replaceAll(" ", "\u00a0");
  return `${name(0)}\u00a0${numberText(x[k % nx], 5)}   ${name(1)}\u00a0${numberText(y[Math.floor(k / nx)], 5)}`;
}
