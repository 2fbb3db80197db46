/**
 * The profile along a line of the map: what all panes have there, in one chart.
 *
 * Values between points of the grid lie on straight lines between them; nothing is drawn across a hole.
 *
 * @typedef {import("./app.js").App} App
 * @typedef {import("./figure.js").Figure} Figure
 * @typedef {import("./types.js").Surface} Surface
 * @typedef {import("./scale.js").Scale} Scale
 */
import { make, prepare } from "./dom.js";
import { valueAt } from "./field.js";
import { numberText } from "./ladders.js";
import { quantityLabel, quantityOf } from "./quantity.js";
import { FONT, css } from "./theme.js";

const SAMPLES = 400;
// Seen on white as on black, and apart for every kind of eye; panes of a comparison come first.
const COLORS = ["#0072B2", "#D55E00", "#009E73", "#C2417F", "#F0A000", "#7A4B1E"];

/**
 * @typedef {object} Profile
 * @property {string} title
 * @property {boolean} dashed
 * @property {string} color
 * @property {Float64Array} values
 */

/** @param {App} app */
export function makeSection(app) {
  const canvas = make("canvas", { class: "picture", role: "img" });
  const legend = make("p", { class: "legend" });
  const close = make("button", { type: "button", class: "quiet", "aria-label": "Close the section", click: () => app.store.set({ section: null }) }, "×");
  const element = make("section", { class: "section", "aria-label": "Section" },
    make("header", {}, make("h2", {}, "Section A to B"), legend, close), make("div", { class: "chart" }, canvas));
  app.afterDraw.push(() => {
    const { section } = app.state;
    element.hidden = !section;
    if (section) drawChart(app, canvas, legend, profiles(app, section), section);
  });
  app.store.listen((changed) => changed.has("section") && (element.hidden = !app.state.section));
  element.hidden = !app.state.section;
  return element;
}

/**
 * The values of all panes along a line; the test set's beside the training set's, where both are known.
 *
 * @param {App} app
 * @param {[number, number, number, number]} line
 * @returns {Profile[]}
 */
export function profiles(app, line) {
  const { height } = app.state;
  const other = height.startsWith("train/") ? height.replace("train/", "test/") : "";
  return app.views.flatMap((view, k) => {
    const { figure } = view;
    if (!figure) return [];
    const color = COLORS[k % COLORS.length];
    const title = figure.surface.title;
    const found = [{ title: `${title}, ${quantityLabel(height, app.content.labels)}`, dashed: false, color, values: along(figure.surface, figure.height.values, line) }];
    const second = other && quantityOf(figure.surface, other);
    if (second) found.push({ title: quantityLabel(other, app.content.labels), dashed: true, color, values: along(figure.surface, second.values, line) });
    return found;
  });
}

/**
 * @param {Surface} surface
 * @param {Float64Array} values
 * @param {[number, number, number, number]} line
 */
function along(surface, values, [x0, y0, x1, y1]) {
  return Float64Array.from({ length: SAMPLES + 1 }, (_, n) =>
    valueAt(surface, values, x0 + ((x1 - x0) * n) / SAMPLES, y0 + ((y1 - y0) * n) / SAMPLES));
}

/**
 * @param {App} app
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} legend
 * @param {Profile[]} lines
 * @param {[number, number, number, number]} section
 */
function drawChart(app, canvas, legend, lines, section) {
  const { context, width, height } = prepare(canvas), { theme } = app;
  const scale = app.views.find((view) => view.figure)?.figure?.scales.height;
  if (!scale || width < 50) return;
  const box = { left: 58, right: width - 16, top: 8, bottom: height - 24 };
  const all = lines.flatMap(({ values }) => [...values].filter(Number.isFinite));
  context.font = `11px ${FONT}`;
  if (!all.length) {
    context.fillStyle = theme.soft;
    context.fillText("nothing finite was measured along this line", box.left, height / 2);
    legend.replaceChildren();
    canvas.setAttribute("aria-label", "Nothing finite was measured along this line.");
    return;
  }
  const low = Math.min(...all), high = Math.max(...all);
  const [bottom, top] = [scale.forward(low), scale.forward(high)];
  const toY = (/** @type {number} */ value) =>
    box.bottom - ((scale.forward(value) - bottom) / (top - bottom || 1)) * (box.bottom - box.top);
  const toX = (/** @type {number} */ n) => box.left + (n / SAMPLES) * (box.right - box.left);
  context.textBaseline = "middle";
  context.textAlign = "right";
  let last = Infinity;
  for (const tick of scale.ticks) {
    const y = toY(tick);
    if (tick < low || tick > high || last - y < 14) continue;
    last = y;
    context.strokeStyle = css(theme.gridTint);
    segment(context, box.left, y, box.right, y);
    context.fillStyle = theme.soft;
    context.fillText(scale.text(tick), box.left - 7, y);
  }
  context.strokeStyle = theme.line;
  segment(context, box.left, box.bottom, box.right, box.bottom);
  context.fillStyle = theme.soft;
  context.textBaseline = "top";
  const place = (/** @type {number} */ x, /** @type {number} */ y) =>
    `(${numberText(x, 3)}, ${numberText(y, 3)})`;
  context.textAlign = "left";
  context.fillText(`A ${place(section[0], section[1])}`, box.left, box.bottom + 7);
  context.textAlign = "right";
  context.fillText(`B ${place(section[2], section[3])}`, box.right, box.bottom + 7);
  for (const { values, color, dashed } of lines) {
    context.strokeStyle = color;
    context.lineWidth = 1.8;
    context.setLineDash(dashed ? [6, 4] : []);
    context.beginPath();
    let open = false;
    values.forEach((value, n) => {
      if (!Number.isFinite(value)) open = false;
      else if (open) context.lineTo(toX(n), toY(value));
      else {
        context.moveTo(toX(n), toY(value));
        open = true;
      }
    });
    context.stroke();
  }
  context.setLineDash([]);
  legend.replaceChildren(...lines.map(({ title, color, dashed }) => {
    const key = make("i", { class: dashed ? "dashed" : "" });
    key.style.borderColor = color;
    return make("span", {}, key, title);
  }));
  canvas.setAttribute("aria-label", lines.map(({ title, values }) => {
    const known = [...values].filter(Number.isFinite);
    const said = (/** @type {number} */ value) => numberText(scale.percent ? 100 * value : value) + (scale.percent ? " %" : "");
    if (!known.length) return `${title}: nothing finite`;
    return `${title}: ${said(values[0])} at A, ${said(values[SAMPLES])} at B, at least ${said(Math.min(...known))}, at most ${said(Math.max(...known))}`;
  }).join(". "));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function segment(context, x0, y0, x1, y1) {
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}
