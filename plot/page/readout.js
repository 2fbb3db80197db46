/**
 * The numbers under the cross-hair: what is stored, with its error, and how far above the lowest point.
 *
 * @typedef {import("./figure.js").Figure} Figure
 * @typedef {import("./pane.js").Cursor} Cursor
 */
import { make } from "./dom.js";
import { numberText } from "./ladders.js";
import { quantityLabel, quantityNames, quantityOf } from "./quantity.js";

export class Readout {
  constructor() {
    this.place = make("p", { class: "place" });
    this.body = make("tbody");
    this.note = make("p", { class: "note" });
    this.element = make("div", { class: "readout" }, this.place, make("table", {}, this.body), this.note);
  }

  /**
   * @param {Figure | null} figure
   * @param {Cursor | null} cursor
   * @param {Record<string, string>} labels
   */
  show(figure, cursor, labels) {
    if (!figure) {
      this.place.textContent = "not measured here";
      this.body.replaceChildren();
      this.note.textContent = "";
      return;
    }
    const { surface, lowest } = figure;
    const idle = !cursor;
    const k = cursor ? cursor.j * surface.nx + cursor.i : (lowest?.k ?? 0);
    const i = k % surface.nx, j = Math.floor(k / surface.nx);
    const at = `α ${signed(surface.x[i])}   β ${signed(surface.y[j])}`;
    this.place.textContent = idle ? `lowest at ${at}` : at;
    this.body.replaceChildren(...rowsAt(figure, k, labels).map(([name, value, error, strong]) =>
      make("tr", { class: strong ? "strong" : "" },
        make("th", { scope: "row", title: name }, make("span", { class: "long" }, name), make("span", { class: "short" }, short(name))),
        make("td", {}, value), make("td", { class: "error" }, error))));
    this.note.textContent = stateText(figure, k);
  }
}

/**
 * Name, value, error, whether it is what the height shows.
 *
 * @param {Figure} figure
 * @param {number} k
 * @param {Record<string, string>} labels
 * @returns {[string, string, string, boolean][]}
 */
export function rowsAt(figure, k, labels) {
  const { surface, height, lowest } = figure;
  /** @type {[string, string, string, boolean][]} */
  const rows = [];
  for (const name of quantityNames([surface])) {
    const quantity = quantityOf(surface, name);
    if (!quantity || (quantity.signed && name !== height.name)) continue;
    const error = quantity.stderr?.[k] ?? NaN;
    const text = quantity.percent ? percent(quantity.values[k]) : signed(quantity.values[k]);
    rows.push([quantityLabel(name, labels), text, plusMinus(error, quantity.percent), name === height.name]);
    if (name === height.name && lowest && Number.isFinite(quantity.values[k])) {
      const above = quantity.values[k] - lowest.value;
      rows.push(["above the lowest", quantity.percent ? percent(above) : signed(above), "", false]);
      const start = surface.record.origin[name], paired = quantity.paired?.[k] ?? NaN;
      const data = name.split("/")[0], used = surface.counts[data]?.[k];
      const same = surface.record.samples[data] === undefined || used === undefined || Number(used) === surface.record.samples[data];
      if (start !== undefined && Number.isFinite(paired) && same) {
        // On the same samples, and only then: its error is smaller than those of the two values.
        const from = quantity.values[k] - start;
        rows.push(["above the checkpoint", quantity.percent ? percent(from) : signed(from), plusMinus(paired, quantity.percent), false]);
      }
    }
  }
  return rows;
}

/**
 * @param {number} error
 * @param {boolean} isPercent
 */
function plusMinus(error, isPercent) {
  return Number.isFinite(error) ? `± ${numberText(isPercent ? 100 * error : error, 2)}` : "";
}

/**
 * What has to be said about a point: nothing, where it was measured and is finite.
 *
 * @param {Figure} figure
 * @param {number} k
 */
function stateText({ surface, height, scales }, k) {
  if (surface.state[k] === 0) return "not computed";
  if (!Number.isFinite(height.values[k])) return "not finite";
  const { cap } = scales.height;
  const parts = [];
  if (surface.state[k] === 2) {
    const known = surface.record.interpolation[height.name];
    parts.push(`interpolated, not measured${known ? ` (${known})` : ""}`);
  } else {
    // Worth a word only where points differ in it.
    const counts = surface.counts[height.name.split("/")[0]];
    if (counts && counts.some((count, n) => surface.state[n] === 1 && count !== counts[k])) parts.push(`on ${counts[k]} samples`);
  }
  if (cap !== null && height.values[k] > cap) parts.push(`above the cap of ${numberText(cap)}`);
  return parts.join("; ");
}

/** @param {string} name */
function short(name) {
  return name.replace("training", "train").replace("accuracy", "acc.").replace("above the lowest", "above min").replace("above the checkpoint", "above θ*");
}

/** @param {number} value */
function signed(value) {
  return numberText(value, 5);
}

/** @param {number} part */
function percent(part) {
  return Number.isFinite(part) ? `${signed(Number((100 * part).toPrecision(5)))} %` : numberText(part);
}

/**
 * The same as one sentence, for a screen reader.
 *
 * @param {Figure | null} figure
 * @param {Cursor | null} cursor
 * @param {Record<string, string>} labels
 */
export function spoken(figure, cursor, labels) {
  if (!figure || !cursor) return "";
  const { surface } = figure, k = cursor.j * surface.nx + cursor.i;
  const values = rowsAt(figure, k, labels).map(([name, value]) => `${name} ${value}`);
  return [`alpha ${signed(surface.x[cursor.i])}, beta ${signed(surface.y[cursor.j])}`, ...values, stateText(figure, k)].filter(Boolean).join("; ");
}
