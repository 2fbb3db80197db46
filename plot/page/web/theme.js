/** Colours that canvases need; the rest of the look is in style.css. */

/** @type {Theme} */
const LIGHT = {
  dark: false, ground: "#ffffff", ink: "#1c2126", soft: "#5d6670", line: "#59616a", missing: "#dbdbdb",
  strange: "#8c8c8c", gridTint: [0.83, 0.845, 0.86], frameTint: [0.42, 0.45, 0.48], floorVeil: [0, 0, 0, 0.06],
};

/** @type {Theme} */
const DARK = {
  dark: true, ground: "#101317", ink: "#e8ebee", soft: "#9aa4ae", line: "#8b949e", missing: "#363c43",
  strange: "#8c8c8c", gridTint: [0.19, 0.215, 0.245], frameTint: [0.45, 0.49, 0.53], floorVeil: [1, 1, 1, 0.22],
};

// As in the stills (`plot/paths/trajectories.py`): not in viridis, apart for every kind of eye; a path begins in a tint.
const HUES = ["#D55E00", "#111111", "#C2417F", "#F0A000", "#0091E0", "#7A4B1E"];
const TINT = 0.5;

/** Colours of runs and profiles, 0 to 1. */
export const RUNS = HUES.map((hue) => {
  const full = [1, 3, 5].map((k) => parseInt(hue.slice(k, k + 2), 16) / 255);
  return { full, pale: full.map((value) => value + (1 - value) * TINT) };
});

/** @param {number} run */
export function runColor(run) {
  return RUNS[run % RUNS.length].full;
}

/** @param {"auto" | "light" | "dark"} wanted */
export function themeOf(wanted) {
  const dark = wanted === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : wanted === "dark";
  return dark ? DARK : LIGHT;
}

/** @param {number[]} color  0 to 1 */
export function css(color) {
  const [r, g, b] = color.map((each) => Math.round(255 * each));
  return `rgb(${r} ${g} ${b})`;
}

/** @param {number[]} a @param {number[]} b @param {number} part */
export function mixed(a, b, part) {
  return a.map((value, k) => value + (b[k] - value) * part);
}

export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif';
