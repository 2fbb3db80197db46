/**
 * Colours that canvases need; the rest of the look is in style.css.
 *
 * @typedef {object} Theme
 * @property {boolean} dark
 * @property {string} ground
 * @property {string} ink
 * @property {string} soft
 * @property {string} line
 * @property {string} missing
 * @property {string} strange  not finite
 * @property {number[]} gridTint
 * @property {number[]} frameTint
 * @property {number[]} floorVeil  the ends of the colours would be lost on this ground: mixed in, and how much
 */

/** @type {Theme} */
const LIGHT = {
  dark: false,
  ground: "#ffffff",
  ink: "#1c2126",
  soft: "#5d6670",
  line: "#59616a",
  missing: "#dbdbdb",
  strange: "#8c8c8c",
  gridTint: [0.83, 0.845, 0.86],
  frameTint: [0.42, 0.45, 0.48],
  floorVeil: [0, 0, 0, 0.06],
};

/** @type {Theme} */
const DARK = {
  dark: true,
  ground: "#101317",
  ink: "#e8ebee",
  soft: "#9aa4ae",
  line: "#8b949e",
  missing: "#363c43",
  strange: "#8c8c8c",
  gridTint: [0.19, 0.215, 0.245],
  frameTint: [0.45, 0.49, 0.53],
  floorVeil: [1, 1, 1, 0.22],
};

/** Distinct for every kind of eye (Okabe and Ito), as pale and full; for runs and for profiles. */
export const RUNS = [
  { pale: [1.0, 0.76, 0.36], full: [0.68, 0.12, 0.0] },
  { pale: [0.96, 0.72, 0.86], full: [0.58, 0.16, 0.45] },
  { pale: [0.55, 0.8, 0.97], full: [0.0, 0.35, 0.62] },
  { pale: [0.75, 0.75, 0.75], full: [0.1, 0.1, 0.1] },
  { pale: [0.98, 0.93, 0.6], full: [0.75, 0.65, 0.0] },
  { pale: [0.68, 0.9, 0.83], full: [0.0, 0.5, 0.38] },
];

/** @param {"auto" | "light" | "dark"} wanted */
export function themeOf(wanted) {
  const dark = wanted === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : wanted === "dark";
  return dark ? DARK : LIGHT;
}

/**
 * @param {number[]} color  0 to 1
 * @param {number} [opacity]
 */
export function css(color, opacity = 1) {
  const [r, g, b] = color.map((each) => Math.round(255 * each));
  return `rgb(${r} ${g} ${b} / ${opacity})`;
}

/**
 * @param {number[]} a
 * @param {number[]} b
 * @param {number} part
 */
export function mixed(a, b, part) {
  return a.map((value, k) => value + (b[k] - value) * part);
}

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';
