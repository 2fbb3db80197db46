/** What follows the pointer: cross-hair, kept points, the line of the section. */
import { covers, isVisible, toScene } from "./field.js";
import { cased, disc, line, seenThrough } from "./marks.js";
import { nearest } from "./quantity.js";
import { FONT } from "./theme.js";
import { GAP } from "./view.js";

/**
 * @param {Context} context @param {PaneView} pane @param {View} view @param {State} state @param {Cursor | null} cursor
 * @param {Theme} theme
 */
export function drawCursor(context, pane, view, state, cursor, theme) {
  const { field, surface, frame } = /** @type {Figure} */ (pane.figure);
  // Drawn where nothing hides it.
  const trace = (/** @type {Point[]} */ points, /** @type {string} */ color, /** @type {number} */ width) => {
    const pixels = points.map((point) => view.project(point));
    const seen = points.map((point) => isVisible(field, view, point));
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
      dot(context, px, py, isVisible(field, view, at));
    }
  }
  state.pins.forEach(([px, py], number) => {
    const pin = { i: nearest(surface.x, px), j: nearest(surface.y, py) };
    const at = pane.pointOf(pin);
    if (at && covers(surface, px, py)) flag(context, view, at, number + 1, isVisible(field, view, at));
  });
}

/**
 * The two grid lines through the cursor, on the surface.
 * @param {(points: Point[], color: string, width: number) => void} trace @param {PaneView} pane @param {Cursor} cursor
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
 * @param {Point[]} line @param {number} ceiling
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

/** @param {number[]} a @param {number[]} b @param {number} count @returns {Point[]} */
function steps(a, b, count) {
  return Array.from({ length: count + 1 }, (_, n) =>
    /** @type {Point} */ (a.map((value, k) => value + ((b[k] - value) * n) / count)));
}

/** @param {Context} context @param {number} x @param {number} y @param {boolean} seen */
function dot(context, x, y, seen) {
  disc(context, x, y, 4.5, seen ? "#fff" : "rgb(255 255 255 / 0.25)", seen ? "#111" : "rgb(17 17 17 / 0.55)", 1.5);
}

/** @param {Context} context @param {View} view @param {Point} at @param {number} number @param {boolean} seen */
function flag(context, view, at, number, seen) {
  const [x, y] = view.project(at);
  seenThrough(context, seen, () => {
    context.strokeStyle = "#111";
    context.lineWidth = 1.2;
    line(context, x, y, x, y - 16);
    badge(context, x, y - 22, String(number));
  });
}

/** @param {Context} context @param {number} x @param {number} y @param {string} text */
function badge(context, x, y, text) {
  disc(context, x, y, 8.5, "#fff", "#111", 1.2);
  context.fillStyle = "#111";
  context.font = `700 11px ${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y + 0.5);
}

/**
 * @param {Context} context @param {Figure} figure @param {Place} place @param {State} state
 * @param {Cursor | null} cursor
 */
export function drawMapCursor(context, figure, place, state, cursor) {
  const { surface, field } = figure;
  if (state.section) {
    const [a, b] = [state.section.slice(0, 2), state.section.slice(2)].map(([x, y]) =>
      place.toPixel(...toScene(figure, x, y)));
    cased(context, [["#fff", 3.4], ["#111", 1.6]], () => {
      context.moveTo(...a);
      context.lineTo(...b);
    });
    for (const [[x, y], text] of /** @type {[[number, number], string][]} */ ([[a, "A"], [b, "B"]])) {
      badge(context, x, y, text);
    }
  }
  state.pins.forEach(([x, y], number) => {
    if (covers(surface, x, y)) badge(context, ...place.toPixel(...toScene(figure, x, y)), String(number + 1));
  });
  if (!cursor) return;
  const [x, y] = place.toPixel(field.x[cursor.i * field.factor], field.y[cursor.j * field.factor]);
  cased(context, [["rgb(255 255 255 / 0.6)", 2.2], ["#111", 0.8]], () => {
    context.moveTo(place.left, y);
    context.lineTo(x - 5, y);
    context.moveTo(x + 5, y);
    context.lineTo(place.left + place.width, y);
    context.moveTo(x, place.top);
    context.lineTo(x, y - 5);
    context.moveTo(x, y + 5);
    context.lineTo(x, place.top + place.height);
  });
  dot(context, x, y, true);
}
