/** What a pane draws: a surface at one moment, with its scales, geometry and lines. */
import { makeFrame } from "./axes.js";
import { isoLines } from "./contours.js";
import { makeField } from "./field.js";
import { bestOf, quantityLabel, quantityOf, sortedValues } from "./quantity.js";
import { CAPPED, MISSING, NOT_FINITE, chooseScale } from "./scale.js";
import { HEIGHT } from "./view.js";

// The range of the 2018 tool's convexity maps, as in `plot/scale/convexity_ratio.py`: all of them compare.
/** @type {[number, number]} */
const CONVEXITY = [0, 0.5];

/** @type {Map<string, Uint8Array<ArrayBuffer>>} */
const tables = new Map();

/** @param {Record<string, string>} colormaps @param {string} name @returns {Uint8Array<ArrayBuffer>} */
function colorTable(colormaps, name) {
  let table = tables.get(name);
  if (!table) {
    const rgb = Uint8Array.from(atob(colormaps[name] ?? colormaps.viridis), (letter) => letter.charCodeAt(0));
    table = new Uint8Array(1024);
    for (let k = 0; k < 256; k++) table.set([rgb[3 * k], rgb[3 * k + 1], rgb[3 * k + 2], 255], 4 * k);
    tables.set(name, table);
  }
  return table;
}

/**
 * Choose scales for surfaces that are to be compared; null where none has such values.
 * @param {Surface[]} surfaces @param {State} state
 * @param {{labels: Record<string, string>, colormaps: Record<string, string>}} content @param {boolean} isDifference
 * @returns {Scales | null}
 */
export function makeScales(surfaces, state, content, isDifference) {
  let problem = "";
  /**
   * @param {string} name
   * @param {boolean} isHeight  the page's settings of the scale are for heights
   */
  const choose = (name, isHeight) => {
    /** @type {[Surface, Quantity][]} */
    const parts = [];
    for (const surface of surfaces) {
      const quantity = quantityOf(surface, name);
      if (quantity) parts.push([surface, quantity]);
    }
    const sorted = sortedValues(parts);
    if (!sorted.length) return null;
    const signed = isDifference || parts[0][1].signed;
    const label = (isDifference ? "difference in " : "") + quantityLabel(name, content.labels);
    const base = { label, signed, percent: parts[0][1].percent, kind: /** @type {const} */ ("auto") };
    // Colours of a difference are symmetric about zero; its heights may lie anywhere.
    if (signed) return chooseScale(sorted, { ...base, signed: !isHeight });
    if (!isHeight) return chooseScale(sorted, name.endsWith("/convexity") ? { ...base, range: CONVEXITY } : base);
    try {
      return chooseScale(sorted, { ...base, kind: state.kind, eps: state.eps, cap: state.cap });
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      return chooseScale(sorted, base);
    }
  };
  const height = choose(state.height, true);
  const name = state.colour || state.height;
  const signed = isDifference || name.startsWith("gap/");
  const colour = name === state.height && !signed ? height : choose(name, false);
  if (!height || !colour) return null;
  const map = signed ? "PuOr_r" : state.colormap;
  return { height, colour, colors: colorTable(content.colormaps, map), problem };
}

/**
 * @param {Surface} surface @param {Scales | null} scales @param {State} state
 * @returns {Figure | null}  null where the surface has no such values
 */
export function makeFigure(surface, scales, state) {
  if (!scales) return null;
  const height = quantityOf(surface, state.height);
  const colour = state.colour ? quantityOf(surface, state.colour) : height;
  if (!height || !colour) return null;
  const top = HEIGHT * state.exaggeration;
  const field = makeField(surface, height, scales.height, colour, scales.colour, state.exaggeration, state.smooth);
  const levels = scales.height.levels.map((level) => scales.height.normalized(level) * top);
  const open = surface.open[state.colour || state.height] ?? null;
  const title = scales.height.percent ? `${scales.height.label} (%)` : scales.height.label;
  return {
    surface,
    height,
    colour,
    scales,
    field,
    levels,
    lines: isoLines(field, levels),
    frame: makeFrame(surface, scales.height, top, title),
    best: bestOf(surface, height),
    counts: count(surface, height, scales.height, open),
    open,
  };
}

/** @param {Surface} surface @param {Quantity} quantity @param {Scale} scale @param {Uint8Array | null} open @returns {Counts} */
function count(surface, quantity, scale, open) {
  const found = { points: surface.state.length, missing: 0, capped: 0, strange: 0, interpolated: 0, open: 0 };
  for (let k = 0; k < surface.state.length; k++) {
    const code = scale.classify(quantity.values[k], surface.state[k]);
    if (code === MISSING) found.missing++;
    if (code === CAPPED) found.capped++;
    if (code === NOT_FINITE) found.strange++;
    if (surface.state[k] === 2) found.interpolated++;
    if (open?.[k]) found.open++;
  }
  return found;
}
