/** The surface from above: colours, iso-lines with their values, marks. Needs no WebGL. */
import { simplified } from "./contours.js";
import { covers, interval, toScene } from "./field.js";
import { labelLines } from "./linelabels.js";
import { ring, star } from "./marks.js";
import { mapNetworks, networksOf } from "./networks.js";
import { FONT } from "./theme.js";

// Pixels of the screen by which a line may be beside itself.
const UNSEEN = 0.12;
// How far a mark reaches from its middle, in pixels.
const MARK = 8;

/**
 * @param {Figure} figure
 * @param {number} width  of the canvas
 * @param {number} height @returns {Place}
 */
export function placeMap({ field }, width, height) {
  const small = width < 150;
  const margin = { left: small ? 4 : 34, right: small ? 4 : 8, top: 6, bottom: small ? 4 : 20 };
  const x0 = field.x[0], y0 = field.y[0], wide = field.x[field.nx - 1] - x0, tall = field.y[field.ny - 1] - y0;
  const unit = Math.min((width - margin.left - margin.right) / wide, (height - margin.top - margin.bottom) / tall);
  const w = unit * wide, h = unit * tall;
  const left = margin.left + (width - margin.left - margin.right - w) / 2;
  const top = margin.top + (height - margin.top - margin.bottom - h) / 2;
  return {
    left,
    top,
    width: w,
    height: h,
    toPixel: (x, y) => [left + (x - x0) * unit, top + h - (y - y0) * unit],
    toScene: (px, py) => [x0 + (px - left) / unit, y0 + (top + h - py) / unit],
  };
}

/**
 * @param {Context} context @param {Figure} figure @param {Place} place @param {Theme} theme
 * @param {{lines: boolean, ratio: number, ends: [number, number][]}} look  ``ends`` are those of runs, in the scene
 */
export function drawMap(context, figure, place, theme, { lines, ratio, ends }) {
  if (place.width < 8 || place.height < 8) return;
  const sheet = colors(figure, place, theme, ratio);
  context.drawImage(sheet, place.left, place.top, place.width, place.height);
  if (figure.counts.capped) hatch(context, place, theme);
  context.save();
  context.beginPath();
  context.rect(place.left, place.top, place.width, place.height);
  context.clip();
  if (figure.open && figure.counts.open) hatchOpen(context, figure, figure.open, place);
  if (lines) drawLines(context, figure, place, UNSEEN / ratio, ends);
  context.restore();
  context.strokeStyle = theme.line;
  context.lineWidth = 1;
  context.strokeRect(place.left, place.top, place.width, place.height);
  if (place.left > 20) drawTicks(context, figure, place, theme);
}

/**
 * One pixel of the screen is one sample, on straight lines between the points of the drawn surface.
 * @param {Figure} figure @param {Place} place @param {Theme} theme @param {number} ratio
 */
function colors(figure, place, theme, ratio) {
  const { field, scales, surface } = figure;
  const width = Math.round(place.width * ratio), height = Math.round(place.height * ratio);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {Context} */ (canvas.getContext("2d"));
  const image = context.createImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  const table = new Uint32Array(scales.colors.buffer);
  const [strange, missing] = [packed(theme.strange), packed(theme.missing)];
  const hasMissing = figure.counts.missing > 0;
  const columns = Array.from({ length: width }, (_, n) => {
    const x = field.x[0] + ((n + 0.5) / width) * (field.x[field.nx - 1] - field.x[0]), i = interval(field.x, x);
    return { i, part: (x - field.x[i]) / (field.x[i + 1] - field.x[i]) };
  });
  for (let row = 0; row < height; row++) {
    const y = field.y[0] + ((height - row - 0.5) / height) * (field.y[field.ny - 1] - field.y[0]);
    const j = interval(field.y, y), up = (y - field.y[j]) / (field.y[j + 1] - field.y[j]);
    for (let n = 0; n < width; n++) {
      const { i, part } = columns[n], k = j * field.nx + i;
      const low = k, high = k + field.nx;
      const z = (1 - up) * ((1 - part) * field.z[low] + part * field.z[low + 1]) +
        up * ((1 - part) * field.z[high] + part * field.z[high + 1]);
      const tint = (1 - up) * ((1 - part) * field.colour[low] + part * field.colour[low + 1]) +
        up * ((1 - part) * field.colour[high] + part * field.colour[high + 1]);
      let color = 0;
      if (!Number.isFinite(z) || !Number.isFinite(tint)) {
        color = hasMissing && isMissing(surface, figure.height, (i + part) / field.factor, (j + up) / field.factor) ? missing : strange;
      } else if (z <= field.ceiling) color = table[Math.round(tint * 255)];
      pixels[row * width + n] = color;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * Whether a place in a hole is one because a point was not computed: the nearest corner of its cell that is no number.
 * @param {Figure["surface"]} surface @param {Figure["height"]} height
 * @param {number} column  in cells of the measured grid
 * @param {number} row
 */
function isMissing({ nx, ny, state }, { values }, column, row) {
  const i = Math.min(nx - 2, Math.floor(column)), j = Math.min(ny - 2, Math.floor(row));
  let best = Infinity, found = false;
  // Asked of each pixel in a hole: no lists are made.
  for (let n = 0; n < 4; n++) {
    const a = i + (n & 1), b = j + (n >> 1), k = b * nx + a, away = (a - column) ** 2 + (b - row) ** 2;
    if (away >= best || (state[k] && Number.isFinite(values[k]))) continue;
    best = away;
    found = state[k] === 0;
  }
  return found;
}

/**
 * What is above the cap is white with strokes, never a plateau.
 * @param {Context} context @param {Place} place @param {Theme} theme
 */
function hatch(context, place, theme) {
  context.save();
  context.globalCompositeOperation = "destination-over";
  context.beginPath();
  context.rect(place.left, place.top, place.width, place.height);
  context.clip();
  context.strokeStyle = theme.strange;
  context.lineWidth = 1;
  context.beginPath();
  for (let x = place.left - place.height; x < place.left + place.width; x += 6) {
    context.moveTo(x, place.top + place.height);
    context.lineTo(x + place.height, place.top);
  }
  context.stroke();
  context.restore();
}

/**
 * Strokes over the cells of points whose colour says more than is known; a cell ends half-way to the next point.
 * @param {Context} context @param {Figure} figure @param {Uint8Array} open @param {Place} place
 */
function hatchOpen(context, { surface: { nx, ny }, field }, open, place) {
  const x = field.x.filter((_, k) => k % field.factor === 0), y = field.y.filter((_, k) => k % field.factor === 0);
  const edge = (/** @type {Float64Array} */ axis, /** @type {number} */ k) =>
    (axis[Math.max(0, Math.min(axis.length - 1, k - 1))] + axis[Math.max(0, Math.min(axis.length - 1, k))]) / 2;
  context.save();
  context.beginPath();
  for (let j = 0; j < ny; j++) {
    for (let i = 0; i < nx; i++) {
      if (!open[j * nx + i]) continue;
      const [left, top] = place.toPixel(edge(x, i), edge(y, j + 1));
      const [right, bottom] = place.toPixel(edge(x, i + 1), edge(y, j));
      context.rect(left, top, right - left, bottom - top);
    }
  }
  context.clip();
  // White on dark: strokes are seen at both ends of the colours.
  for (const [color, width] of /** @type {[string, number][]} */ ([["rgb(10 14 18 / 0.55)", 2.6], ["#fff", 1.2]])) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    for (let at = place.left - place.height; at < place.left + place.width; at += 6) {
      context.moveTo(at, place.top + place.height);
      context.lineTo(at + place.height, place.top);
    }
    context.stroke();
  }
  context.restore();
}

/**
 * @param {Context} context @param {Figure} figure @param {Place} place @param {number} slack  in pixels of the page
 * @param {[number, number][]} ends
 */
function drawLines(context, figure, place, slack, ends) {
  const { height } = figure.scales;
  context.lineJoin = "round";
  const onScreen = figure.lines.map(({ level, points, closed }) => {
    const line = Array.from({ length: points.length / 2 }, (_, k) => place.toPixel(points[2 * k], points[2 * k + 1]));
    return { level, line, closed };
  });
  context.strokeStyle = "rgb(10 14 18 / 0.62)";
  context.lineWidth = 0.7;
  // One line after the other, and of each the points that can be seen: where there is no graphics card a path of many
  // thousand points takes longer than all the rest of the page.
  for (const { line } of onScreen) {
    const points = simplified(Float64Array.from(line.flat()), slack);
    context.beginPath();
    for (let k = 0; k < points.length; k += 2) context[k ? "lineTo" : "moveTo"](points[k], points[k + 1]);
    context.stroke();
  }
  if (place.width <= 150) return;
  const marks = [...marksOf(figure, place), ...ends.map((end) => place.toPixel(...end))];
  const spots = marks.map(([x, y]) => /** @type {[number, number, number]} */ ([x, y, MARK]));
  labelLines(context, onScreen, height.levels.map((level) => height.text(level)), place, spots);
}

/**
 * Where marks stand on a map: the checkpoint, other networks, the best point.
 * @param {Figure} figure @param {Place} place @returns {[number, number][]}
 */
function marksOf(figure, place) {
  const { surface, best } = figure;
  const known = networksOf(surface).map(({ x, y }) => place.toPixel(...toScene(figure, x, y)));
  if (surface.record.centred && covers(surface, 0, 0)) known.push(place.toPixel(...toScene(figure, 0, 0)));
  if (best) known.push(place.toPixel(...toScene(figure, surface.x[best.k % surface.nx], surface.y[Math.floor(best.k / surface.nx)])));
  return known;
}

/** @param {Context} context @param {Figure} figure @param {Place} place @param {Theme} theme */
function drawTicks(context, { frame, field }, place, theme) {
  context.font = `10px ${FONT}`;
  context.fillStyle = theme.soft;
  context.strokeStyle = theme.line;
  context.beginPath();
  context.textAlign = "center";
  context.textBaseline = "top";
  const every = place.width < 200 ? 2 : 1;
  frame.x.forEach(({ at, text }, k) => {
    const [x] = place.toPixel(at, field.y[0]), y = place.top + place.height;
    context.moveTo(x, y);
    context.lineTo(x, y + 3);
    if (k % every === 0) context.fillText(text, x, y + 6);
  });
  context.textAlign = "right";
  context.textBaseline = "middle";
  frame.y.forEach(({ at, text }, k) => {
    const [, y] = place.toPixel(field.x[0], at);
    context.moveTo(place.left, y);
    context.lineTo(place.left - 3, y);
    if (k % every === 0) context.fillText(text, place.left - 6, y);
  });
  context.stroke();
}

/**
 * A star at the checkpoint, diamonds at other networks, a ring at the best measured point, dots on interpolated ones.
 * @param {Context} context @param {Figure} figure @param {Place} place
 */
export function drawMarks(context, figure, place) {
  const { surface, field, best, counts } = figure;
  const at = (/** @type {number} */ i, /** @type {number} */ j) =>
    place.toPixel(field.x[i * field.factor], field.y[j * field.factor]);
  if (counts.interpolated) {
    context.fillStyle = "rgb(255 255 255 / 0.8)";
    const size = Math.min(1.2, Math.max(0.5, place.width / surface.nx / 5));
    for (let k = 0; k < surface.state.length; k++) {
      if (surface.state[k] !== 2) continue;
      const [x, y] = at(k % surface.nx, Math.floor(k / surface.nx));
      context.fillRect(x - size / 2, y - size / 2, size, size);
    }
  }
  if (best) {
    const i = best.k % surface.nx, j = Math.floor(best.k / surface.nx);
    if (surface.x[i] !== 0 || surface.y[j] !== 0) ring(context, ...at(i, j), 4);
  }
  if (surface.record.centred && covers(surface, 0, 0)) star(context, ...place.toPixel(...toScene(figure, 0, 0)), 6);
  mapNetworks(context, figure, place);
}

/** @param {string} color  #rrggbb, as a pixel of an image */
function packed(color) {
  const [r, g, b] = [1, 3, 5].map((k) => parseInt(color.slice(k, k + 2), 16));
  return (255 << 24 | b << 16 | g << 8 | r) >>> 0;
}
