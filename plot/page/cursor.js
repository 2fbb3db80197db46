/**
 * What follows the pointer: cross-hair, kept points, the line of the section.
 *
 * @typedef {import("./pane.js").PaneView} PaneView
 * @typedef {import("./pane.js").Cursor} Cursor
 * @typedef {import("./types.js").State} State
 * @typedef {import("./figure.js").Figure} Figure
 * @typedef {import("./map.js").Place} Place
 * @typedef {import("./theme.js").Theme} Theme
 * @typedef {import("./view.js").View} View
 * @typedef {import("./view.js").Point} Point
 */
import { isVisible } from "./field.js";
import { sceneOf } from "./map.js";
import { nearest } from "./quantity.js";
import { FONT } from "./theme.js";
import { GAP } from "./view.js";

/**
 * @param {CanvasRenderingContext2D} context
 * @param {PaneView} pane
 * @param {View} view
 * @param {State} state
 * @param {Cursor | null} cursor
 * @param {Theme} theme
 */
export function drawCursor(context, pane, view, state, cursor, theme) {
  const { field, surface, frame } = /** @type {Figure} */ (pane.figure);
  // Drawn where nothing hides it.
  const trace = (/** @type {Point[]} */ points, /** @type {string} */ color, /** @type {number} */ width) => {
    const pixels = points.map((point) => view.project(point));
    const seen = points.map((point) => isVisible(field, view.eye, point));
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    for (let k = 1; k < points.length; k++) {
      if (!seen[k] || !seen[k - 1]) continue;
      context.moveTo(pixels[k - 1][0], pixels[k - 1][1]);
      context.lineTo(pixels[k][0], pixels[k][1]);
    }
    context.stroke();
  };
  if (cursor) {
    const at = pane.pointOf(cursor);
    const x = field.x[cursor.i * field.factor], y = field.y[cursor.j * field.factor];
    const [hx, hy] = frame.half;
    const line = theme.dark ? "rgb(255 255 255 / 0.55)" : "rgb(20 24 28 / 0.5)";
    trace(steps([-hx, y, -GAP], [hx, y, -GAP], 40), line, 1);
    trace(steps([x, -hy, -GAP], [x, hy, -GAP], 40), line, 1);
    if (at) {
      trace(steps([x, y, -GAP], at, 24), line, 1);
      onSurface(trace, pane, cursor);
      const [px, py] = view.project(at);
      dot(context, px, py, isVisible(field, view.eye, at));
    }
  }
  state.pins.forEach(([px, py], number) => {
    const pin = { i: nearest(surface.x, px), j: nearest(surface.y, py) };
    const at = pane.pointOf(pin);
    if (at && sceneOf(surface, field, px, py)) flag(context, view, at, number + 1, isVisible(field, view.eye, at));
  });
}

/**
 * The two grid lines through the cursor, on the surface.
 *
 * @param {(points: Point[], color: string, width: number) => void} trace
 * @param {PaneView} pane
 * @param {Cursor} cursor
 */
function onSurface(trace, pane, { i, j }) {
  const { field } = /** @type {Figure} */ (pane.figure), f = field.factor;
  const pieces = 90;
  const row = [], column = [];
  for (let n = 0; n <= pieces; n++) {
    const a = Math.round((n / pieces) * (field.nx - 1)), b = Math.round((n / pieces) * (field.ny - 1));
    row.push(/** @type {Point} */ ([field.x[a], field.y[j * f], field.z[j * f * field.nx + a]]));
    column.push(/** @type {Point} */ ([field.x[i * f], field.y[b], field.z[b * field.nx + i * f]]));
  }
  for (const line of [row, column]) {
    for (const part of whole(line, field.ceiling)) trace(part, "rgb(255 255 255 / 0.75)", 1.2);
  }
}

/**
 * Cut a line at holes.
 *
 * @param {Point[]} line
 * @param {number} ceiling
 */
function whole(line, ceiling) {
  /** @type {Point[][]} */
  const parts = [[]];
  for (const point of line) {
    if (Number.isFinite(point[2]) && point[2] <= ceiling) parts[parts.length - 1].push(point);
    else if (parts[parts.length - 1].length) parts.push([]);
  }
  return parts.filter((part) => part.length > 1);
}

/**
 * @param {number[]} a
 * @param {number[]} b
 * @param {number} count
 * @returns {Point[]}
 */
function steps(a, b, count) {
  return Array.from({ length: count + 1 }, (_, n) =>
    /** @type {Point} */ (a.map((value, k) => value + ((b[k] - value) * n) / count)));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {boolean} seen
 */
function dot(context, x, y, seen) {
  context.beginPath();
  context.arc(x, y, 4.5, 0, 2 * Math.PI);
  context.fillStyle = seen ? "#fff" : "rgb(255 255 255 / 0.25)";
  context.fill();
  context.lineWidth = 1.5;
  context.strokeStyle = seen ? "#111" : "rgb(17 17 17 / 0.55)";
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {View} view
 * @param {Point} at
 * @param {number} number
 * @param {boolean} seen
 */
function flag(context, view, at, number, seen) {
  const [x, y] = view.project(at);
  context.globalAlpha = seen ? 1 : 0.4;
  context.strokeStyle = "#111";
  context.lineWidth = 1.2;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(x, y - 16);
  context.stroke();
  badge(context, x, y - 22, number);
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} number
 */
function badge(context, x, y, number) {
  context.beginPath();
  context.arc(x, y, 7.5, 0, 2 * Math.PI);
  context.fillStyle = "#fff";
  context.fill();
  context.lineWidth = 1.2;
  context.strokeStyle = "#111";
  context.stroke();
  context.fillStyle = "#111";
  context.font = `600 10px ${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(String(number), x, y + 0.5);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Figure} figure
 * @param {Place} place
 * @param {State} state
 * @param {Cursor | null} cursor
 */
export function drawMapCursor(context, { surface, field }, place, state, cursor) {
  if (state.section) {
    const [a, b] = [state.section.slice(0, 2), state.section.slice(2)].map(([x, y]) =>
      place.toPixel(...plainScene(surface, field, x, y)));
    for (const [color, width] of /** @type {[string, number][]} */ ([["#fff", 3.4], ["#111", 1.6]])) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(...a);
      context.lineTo(...b);
      context.stroke();
    }
    for (const [[x, y], text] of /** @type {[[number, number], string][]} */ ([[a, "A"], [b, "B"]])) {
      badge(context, x, y, /** @type {any} */ (text));
    }
  }
  state.pins.forEach(([x, y], number) => {
    const at = sceneOf(surface, field, x, y);
    if (at) badge(context, ...place.toPixel(...at), number + 1);
  });
  if (!cursor) return;
  const [x, y] = place.toPixel(field.x[cursor.i * field.factor], field.y[cursor.j * field.factor]);
  for (const [color, width] of /** @type {[string, number][]} */ ([["rgb(255 255 255 / 0.6)", 2.2], ["#111", 0.8]])) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(place.left, y);
    context.lineTo(x - 5, y);
    context.moveTo(x + 5, y);
    context.lineTo(place.left + place.width, y);
    context.moveTo(x, place.top);
    context.lineTo(x, y - 5);
    context.moveTo(x, y + 5);
    context.lineTo(x, place.top + place.height);
    context.stroke();
  }
  dot(context, x, y, true);
}

/**
 * As `sceneOf`, also outside the plane.
 *
 * @param {Figure["surface"]} surface
 * @param {Figure["field"]} field
 * @param {number} x
 * @param {number} y
 * @returns {[number, number]}
 */
export function plainScene(surface, field, x, y) {
  const unit = (field.x[field.nx - 1] - field.x[0]) / (surface.x[surface.nx - 1] - surface.x[0]);
  const tall = (field.y[field.ny - 1] - field.y[0]) / (surface.y[surface.ny - 1] - surface.y[0]);
  return [field.x[0] + (x - surface.x[0]) * unit, field.y[0] + (y - surface.y[0]) * tall];
}
