/**
 * The profile along a line of the map: what all panes have there, in one chart.
 *
 * Values between points of the grid lie on straight lines between them; nothing is drawn across a hole.
 */
import { legendItem, make, prepare } from "./dom.js";
import { valueAt } from "./field.js";
import { linearSteps, numberText } from "./levels.js";
import { quantityLabel, quantityOf, valueText } from "./quantity.js";
import { diamond, disc, line, star } from "./marks.js";
import { networksAlong, sectionNetworks } from "./networks.js";
import { FONT, css } from "./theme.js";

const SAMPLES = 400;
// Seen on white as on black, and apart for every kind of eye; panes of a comparison come first.
const COLORS = ["#0072B2", "#D55E00", "#009E73", "#C2417F", "#F0A000", "#7A4B1E"];

/** @param {App} app */
export function makeSection(app) {
  const canvas = make("canvas", { class: "picture", role: "img" });
  const legend = make("p", { class: "legend" }), place = make("output", { class: "place" });
  const close = make("button", { type: "button", class: "quiet", "aria-label": "Close the section", click: () => app.store.set({ section: null }) }, "×");
  const element = make("section", { class: "section", "aria-label": "Section" },
    make("header", {}, make("h2", {}, "Section A to B"), legend, place, close), make("div", { class: "chart" }, canvas));
  /** @type {number | null} sample under the pointer */
  let under = null;
  const draw = () => {
    const { section } = app.state;
    element.hidden = !section;
    if (section) drawChart(app, { canvas, legend, place }, profiles(app, section), section, under);
  };
  const hover = (/** @type {number | null} */ sample) => {
    under = sample !== null && sample >= 0 && sample <= SAMPLES ? sample : null;
    draw();
  };
  canvas.addEventListener("pointermove", (event) => {
    const { left, right } = chartBox(canvas.clientWidth, canvas.clientHeight);
    hover(Math.round(((event.offsetX - left) / (right - left)) * SAMPLES));
  });
  canvas.addEventListener("pointerleave", () => hover(null));
  app.afterDraw.push(draw);
  app.store.follow(() => (element.hidden = !app.state.section));
  return element;
}

/** @param {number} width @param {number} height */
function chartBox(width, height) {
  return { left: 58, right: width - 16, top: 20, bottom: height - 34 };
}

/**
 * Round values of the axis along which the line runs furthest: text, and part of the way from A to B.
 * @param {[number, number, number, number]} section
 */
export function ticksAlong([x0, y0, x1, y1]) {
  const axis = Math.abs(x1 - x0) >= Math.abs(y1 - y0) ? 0 : 1, [a, b] = [[x0, x1], [y0, y1]][axis];
  const ticks = linearSteps(Math.min(a, b), Math.max(a, b), 8).map((value) => ({ text: numberText(value), part: (value - a) / (b - a || 1) }));
  return { axis, ticks };
}

/**
 * The values of all panes along a line; the test set's beside the training set's, where both are known.
 * @param {App} app @param {[number, number, number, number]} line @returns {Profile[]}
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

/** @param {Surface} surface @param {Float64Array} values @param {[number, number, number, number]} line */
function along(surface, values, [x0, y0, x1, y1]) {
  return Float64Array.from({ length: SAMPLES + 1 }, (_, n) =>
    valueAt(surface, values, x0 + ((x1 - x0) * n) / SAMPLES, y0 + ((y1 - y0) * n) / SAMPLES));
}

/**
 * @param {App} app @param {{canvas: HTMLCanvasElement, legend: HTMLElement, place: HTMLElement}} parts @param {Profile[]} lines
 * @param {[number, number, number, number]} section @param {number | null} under  sample to read out
 */
function drawChart(app, { canvas, legend, place }, lines, section, under) {
  const { context, width, height } = prepare(canvas), { theme } = app;
  const figure = app.views.find((view) => view.figure)?.figure, scale = figure?.scales.height;
  if (!scale || width < 50) return;
  const box = chartBox(width, height);
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
  context.lineWidth = 1;
  for (const tick of scale.ticks) {
    const y = toY(tick);
    if (tick < low || tick > high || last - y < 14) continue;
    last = y;
    context.strokeStyle = css(theme.gridTint);
    line(context, box.left, y, box.right, y);
    context.fillStyle = theme.soft;
    context.fillText(scale.text(tick), box.left - 7, y);
  }
  context.strokeStyle = theme.line;
  line(context, box.left, box.bottom, box.right, box.bottom);
  context.fillStyle = theme.soft;
  context.textBaseline = "top";
  const [x0, y0, x1, y1] = section, names = figure.frame.names, { axis, ticks } = ticksAlong(section);
  const text = (/** @type {number} */ n) =>
    `${names[0]} ${numberText(x0 + ((x1 - x0) * n) / SAMPLES, 3)}, ${names[1]} ${numberText(y0 + ((y1 - y0) * n) / SAMPLES, 3)}`;
  context.textAlign = "center";
  for (const tick of ticks) {
    const x = toX(tick.part * SAMPLES);
    line(context, x, box.bottom, x, box.bottom + 4);
    context.fillText(tick.text, x, box.bottom + 6);
  }
  context.fillStyle = theme.ink;
  const across = box.right - box.left, measure = (/** @type {string} */ each) => context.measureText(each).width;
  const ends = [`A: ${text(0)}`, figure.frame[axis ? "yTitle" : "xTitle"], `B: ${text(SAMPLES)}`];
  // Where there is no room for all three, the places of A and B are left to the pointer.
  if (measure(ends[0]) + measure(names[axis]) + measure(ends[2]) + 24 > across) [ends[0], ends[2]] = ["A", "B"];
  const wide = ends.map(measure);
  context.textAlign = "left";
  context.fillText(ends[0], box.left, box.bottom + 20);
  context.textAlign = "right";
  context.fillText(ends[2], box.right, box.bottom + 20);
  context.textAlign = "center";
  const free = across - wide[0] - wide[2] - 24;
  context.fillText(free > wide[1] ? ends[1] : names[axis], box.left + wide[0] + 12 + free / 2, box.bottom + 20);
  context.textAlign = "left";
  context.fillText(scale.axisLabel(), 8, 3, width - 16);
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
  const networks = app.views.flatMap(({ figure: each }) => (each ? networksAlong(each.surface, section).map((found) => ({ ...found, each })) : []));
  sectionNetworks(context, networks.map(({ network, part }) => ({ text: network.short, x: toX(part * SAMPLES) })), box, theme);
  for (const { network, part, each } of networks) {
    const value = valueAt(each.surface, each.height.values, network.x, network.y);
    if (Number.isFinite(value)) (network.isCheckpoint ? star : diamond)(context, toX(part * SAMPLES), toY(value), 5);
  }
  place.textContent = under === null ? "" : [text(under), ...lines.map(({ title, values }) => `${title} ${valueText(values[under], scale.percent, 4)}`)].join("; ");
  if (under !== null) {
    context.strokeStyle = theme.soft;
    context.lineWidth = 1;
    line(context, toX(under), box.top, toX(under), box.bottom);
    for (const { values, color } of lines) if (Number.isFinite(values[under])) disc(context, toX(under), toY(values[under]), 3.5, color, "#fff");
  }
  legend.replaceChildren(...lines.map(({ title, color, dashed }) => legendItem({ color, mark: "", text: title, dashed })));
  canvas.setAttribute("aria-label", lines.map(({ title, values }) => {
    const known = [...values].filter(Number.isFinite);
    const said = (/** @type {number} */ value) => valueText(value, scale.percent, 4);
    if (!known.length) return `${title}: nothing finite`;
    return `${title}: ${said(values[0])} at A, ${said(values[SAMPLES])} at B, at least ${said(Math.min(...known))}, at most ${said(Math.max(...known))}`;
  }).join(". "));
}
