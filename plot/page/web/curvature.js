/** The panel of curvature: verdict, both spectra, numbers with their errors, the drawn plane against all directions, layers. */
import { make, prepare } from "./dom.js";
import { numberText } from "./levels.js";
import { line } from "./marks.js";
import { FONT, css } from "./theme.js";

const VERMILLION = "#D55E00";
// Bins hold means over probes: less than this is nothing.
const FLOOR = 0.3;

/**
 * Whether any surface comes with a report, or with a convexity map.
 * @param {App} app
 */
export function hasCurvature(app) {
  return convexityNames(app).length > 0 || app.panes.some((pane) => pane.frames.some((frame) => frame.record.curvature.length > 0));
}

/** @param {App} app */
function convexityNames(app) {
  return app.names.filter((name) => name.endsWith("/convexity"));
}

/** @param {App} app */
export function makeCurvature(app) {
  const element = make("div", { class: "curvature" });
  /** @type {[HTMLCanvasElement, SpectrumRecord][]} */
  let charts = [];
  let shown = "";
  const draw = () => {
    if (app.state.drawer === "curvature") for (const [canvas, spectrum] of charts) drawSpectrum(canvas, spectrum, app.theme);
  };
  app.store.follow(() => {
    if (app.state.drawer !== "curvature") return;
    // Not at every turn of a camera: the panel would scroll back to its top.
    const key = JSON.stringify(app.views.map((_, k) => app.surfaceOf(k).title)) + app.state.frame;
    if (key !== shown) {
      charts = [];
      element.replaceChildren(...content(app, charts));
      shown = key;
    }
    requestAnimationFrame(draw);
  });
  app.afterDraw.push(draw);
  return element;
}

/** @param {App} app @param {[HTMLCanvasElement, SpectrumRecord][]} charts @returns {Node[]} */
function content(app, charts) {
  /** @type {Node[]} */
  const parts = convexityNames(app).map((name) => colourButton(app, name));
  app.views.forEach((_, k) => {
    const { record } = app.surfaceOf(k);
    for (const report of record.curvature) {
      parts.push(make("section", {},
        make("h2", {}, app.panes.length > 1 ? `${record.title}: ${report.title}` : report.title),
        make("p", { class: "verdict" }, report.verdict),
        ...report.spectra.map((spectrum) => chart(spectrum, charts)),
        table(["", "Hessian", "filter lengths"], report.rows),
        ...report.facts.map((text) => make("p", { class: "hint" }, text)),
        ...(report.slice.length ? [make("h3", {}, "This plane, by products and by its values"), table(["", "products", "surface", "below it"], report.slice),
          make("p", { class: "hint" }, "below it: the share of random directions that show less")] : []),
        ...layers(report)));
    }
  });
  if (!parts.length) parts.push(make("p", { class: "hint" }, "No report of curvature came with these surfaces."));
  return parts;
}

/** @param {App} app @param {string} name */
function colourButton(app, name) {
  const button = make("button", {
    type: "button", class: "wide", "data-colour": name,
    click: () => app.store.set({ colour: app.state.colour === name ? app.store.start.colour === name ? "" : app.store.start.colour : name }),
  });
  app.store.follow(() => {
    const on = app.state.colour === name;
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Colours: back to those before" : `Colour by ${app.content.labels[name] ?? name}`;
  });
  return button;
}

/** @param {SpectrumRecord} spectrum @param {[HTMLCanvasElement, SpectrumRecord][]} charts */
function chart(spectrum, charts) {
  const known = spectrum.eigenvalues.map((value, k) => numberText(value, 3) + (spectrum.converged[k] ? "" : " (not converged)"));
  const canvas = make("canvas", { role: "img", "aria-label": `Spectrum, ${spectrum.title}: eigenvalues ${known.join(", ")}` });
  charts.push([canvas, spectrum]);
  return make("figure", { class: "spectrum" }, make("figcaption", {}, spectrum.title), canvas);
}

/** @param {string[]} head @param {string[][]} rows */
function table(head, rows) {
  return make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...rows.map(([label, ...cells]) => make("tr", {}, make("th", { scope: "row" }, label), ...cells.map((text) => make("td", {}, text))))));
}

/** @param {CurvatureRecord} report @returns {Node[]} */
function layers(report) {
  const most = Math.max(...report.layers.map((layer) => Math.abs(layer.normalised)), 0);
  if (!most) return [];
  const rows = report.layers.map((layer) => {
    const bar = make("i", { class: layer.normalised < 0 ? "negative" : "" });
    bar.style.width = `${Math.round((100 * Math.abs(layer.normalised)) / most)}%`;
    const said = `${numberText(layer.normalised, 3)} ± ${numberText(layer.normalisedError, 2)}`;
    return make("tr", {}, make("th", { scope: "row", title: layer.name }, layer.name), make("td", { class: "share", title: said }, bar), make("td", {}, said));
  });
  const rest = report.left ? [make("p", { class: "hint" }, `and ${report.left} more of smaller trace`)] : [];
  return [make("h3", {}, "Trace by layer, in filter lengths"), make("table", { class: "layers" }, make("tbody", {}, ...rows)), ...rest];
}

/**
 * Where a value stands among bins, counted from the first: each bin is as wide as the others, as on a logarithmic axis.
 * @param {number[]} edges @param {number} value
 */
export function placeAmong(edges, value) {
  const last = edges.length - 1;
  if (value <= edges[0]) return 0;
  if (value >= edges[last]) return last;
  const k = edges.findIndex((edge, n) => n < last && value >= edge && value < edges[n + 1]);
  const [low, high] = [edges[k], edges[k + 1]];
  const logarithmic = low > 0 || high < 0;
  return k + (logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
}

/** @param {HTMLCanvasElement} canvas @param {SpectrumRecord} spectrum @param {Theme} theme */
function drawSpectrum(canvas, { edges, counts, errors, eigenvalues, converged }, theme) {
  const { context, width, height } = prepare(canvas);
  if (width < 60) return;
  const box = { left: 30, right: width - 6, top: 10, bottom: height - 20 };
  const places = eigenvalues.map((value) => placeAmong(edges, value));
  const filled = counts.flatMap((count, k) => (count >= FLOOR ? [k, k + 1] : []));
  const first = Math.max(0, Math.floor(Math.min(...filled, ...places)) - 1);
  const last = Math.min(counts.length, Math.ceil(Math.max(...filled, ...places)) + 1);
  const top = Math.max(10, ...counts.map((count, k) => count + errors[k])) * 2;
  const toX = (/** @type {number} */ place) => box.left + ((place - first) / (last - first || 1)) * (box.right - box.left);
  const toY = (/** @type {number} */ count) =>
    box.bottom - (Math.log(Math.max(count, FLOOR) / FLOOR) / Math.log(top / FLOOR)) * (box.bottom - box.top);
  const blue = theme.dark ? "86 180 233" : "0 114 178";
  context.font = `10px ${FONT}`;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let power = 0; 10 ** power <= top; power += top > 1e5 ? 2 : 1) {
    context.strokeStyle = css(theme.gridTint);
    line(context, box.left, toY(10 ** power), box.right, toY(10 ** power));
    context.fillStyle = theme.soft;
    context.fillText(numberText(10 ** power, 2), box.left - 4, toY(10 ** power));
  }
  for (let k = first; k < last; k++) {
    if (counts[k] < FLOOR) continue;
    const [x0, x1] = [toX(k), toX(k + 1)];
    context.fillStyle = `rgb(${blue} / 0.35)`;
    context.fillRect(x0, toY(counts[k]), x1 - x0, box.bottom - toY(counts[k]));
    context.fillStyle = `rgb(${blue} / 0.3)`;
    const [low, high] = [toY(counts[k] - errors[k]), toY(counts[k] + errors[k])];
    context.fillRect(x0, high, x1 - x0, low - high);
    context.strokeStyle = `rgb(${blue})`;
    line(context, x0, toY(counts[k]), x1, toY(counts[k]));
  }
  context.strokeStyle = theme.line;
  line(context, box.left, box.bottom, box.right, box.bottom);
  places.forEach((place, k) => {
    context.strokeStyle = converged[k] ? VERMILLION : theme.soft;
    line(context, toX(place), box.top - 8, toX(place), box.top);
  });
  context.textAlign = "center";
  context.textBaseline = "top";
  context.fillStyle = theme.soft;
  let reach = -Infinity;
  for (const value of ticks(edges)) {
    const x = toX(placeAmong(edges, value)), text = numberText(value, 2), wide = context.measureText(text).width;
    if (x - wide / 2 < reach + 6 || x + wide / 2 > width || x - wide / 2 < box.left - 8) continue;
    line(context, x, box.bottom, x, box.bottom + 3);
    context.fillText(text, x, box.bottom + 5);
    reach = x + wide / 2;
  }
}

/** Powers of ten on both sides of 0, and 0. @param {number[]} edges */
function ticks(edges) {
  const largest = edges[edges.length - 1], smallest = edges.find((edge) => edge > 0) ?? largest;
  const powers = [];
  for (let power = Math.ceil(Math.log10(smallest)); 10 ** power <= largest; power++) powers.push(Number(`1e${power}`));
  return [...powers.map((value) => -value).reverse(), 0, ...powers];
}
