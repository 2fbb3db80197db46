/**
 * The frame around a surface: floor, grid, ticks and their texts.
 *
 * Floor lines are drawn in the scene, where the surface can hide them. Ticks stand on the edges nearest to the eye,
 * the height axis on the corner furthest to the left: nothing hides those, and text stays sharp on a canvas.
 */
import { linearSteps, numberText } from "./levels.js";
import { line } from "./marks.js";
import { FONT } from "./theme.js";
import { GAP, boxOf } from "./view.js";

/** @param {Surface} surface @param {Scale} scale @param {number} top @param {string} zTitle @returns {Frame} */
export function makeFrame(surface, scale, top, zTitle) {
  const { half } = boxOf(surface.x, surface.y);
  const [x, y] = [surface.x, surface.y].map((axis, k) => {
    const low = axis[0], high = axis[axis.length - 1];
    return linearSteps(low, high, 5).map((value) => ({
      at: ((2 * (value - low)) / (high - low) - 1) * half[k],
      text: numberText(value),
    }));
  });
  const z = scale.ticks.map((value) => ({ at: scale.normalized(value) * top, text: scale.text(value) }));
  const { axes } = surface.record, [xTitle, yTitle] = axes.map((axis) => axis.text);
  return { half, x, y, z, names: axes.map((axis) => axis.name), xTitle, yTitle, zTitle, top };
}

/** The corners of the box, one after the other. @param {number} hx @param {number} hy */
function around(hx, hy) {
  return [[-hx, -hy], [hx, -hy], [hx, hy], [-hx, hy]];
}

/**
 * Segments of the floor: its grid, and its border.
 * @param {Frame} frame
 */
export function floorSegments({ half: [hx, hy], x, y }) {
  const grid = [
    ...x.filter(({ at }) => Math.abs(at) < hx).flatMap(({ at }) => [at, -hy, -GAP, at, hy, -GAP]),
    ...y.filter(({ at }) => Math.abs(at) < hy).flatMap(({ at }) => [-hx, at, -GAP, hx, at, -GAP]),
  ];
  const corners = around(hx, hy);
  const border = corners.flatMap(([a, b], k) => [a, b, -GAP, ...corners[(k + 1) % 4], -GAP]);
  return { grid, border };
}

/**
 * Ticks and texts over a picture of the scene.
 * @param {Context} context @param {View} view @param {Frame} frame @param {Theme} theme
 */
export function drawAxes(context, view, frame, theme) {
  const [hx, hy] = frame.half;
  const nearX = view.back[0] >= 0 ? hx : -hx, nearY = view.back[1] >= 0 ? hy : -hy;
  // From high above the surface covers the floor's edges: there the axes stand around its top.
  const above = view.up[2] < 0.35, base = above ? frame.top : -GAP;
  const small = view.width < 520;
  context.save();
  context.strokeStyle = theme.line;
  context.lineWidth = 1;
  context.textBaseline = "middle";
  edge(context, view, theme, {
    ticks: frame.x, title: small ? frame.names[0] : frame.xTitle,
    place: (at) => [at, nearY, base], outward: [0, Math.sign(nearY), 0], ends: [-hx, hx],
  });
  edge(context, view, theme, {
    ticks: frame.y, title: small ? frame.names[1] : frame.yTitle,
    place: (at) => [nearX, at, base], outward: [Math.sign(nearX), 0, 0], ends: [-hy, hy],
  });
  if (above) outline(context, view, frame);
  else heightAxis(context, view, frame, theme);
  context.restore();
}

/**
 * @param {Context} context @param {View} view @param {Theme} theme
 * @param {{ticks: Frame["x"], title: string, place: (at: number) => number[], outward: number[], ends: number[]}} side
 */
function edge(context, view, theme, { ticks, title, place, outward, ends }) {
  const [a, b] = ends.map((at) => view.project(place(at)));
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
  if (length < 50) return;
  const middle = place((ends[0] + ends[1]) / 2);
  const [mx, my] = view.project(middle);
  const [ox, oy] = view.project(middle.map((value, k) => value + 0.1 * outward[k]));
  // Outwards on screen, but at a right angle to the edge where the floor is seen at a low angle.
  let nx = -(b[1] - a[1]) / length, ny = (b[0] - a[0]) / length;
  if (nx * (ox - mx) + ny * (oy - my) < 0) [nx, ny] = [-nx, -ny];
  const step = ticks.length > 1 ? (length * Math.abs(ticks[1].at - ticks[0].at)) / (ends[1] - ends[0]) : length;
  const every = Math.max(1, Math.ceil(26 / step));
  context.font = `11px ${FONT}`;
  context.fillStyle = theme.soft;
  context.textAlign = "center";
  for (const { at } of ticks) {
    const [x, y] = view.project(place(at));
    line(context, x, y, x + 5 * nx, y + 5 * ny);
  }
  context.save();
  ticks.forEach(({ at, text }, k) => {
    const [x, y] = view.project(place(at));
    if (k % every) return;
    const reach = 10 + (Math.abs(nx) * context.measureText(text).width) / 2 + 3 * Math.abs(ny);
    write(context, theme, text, x + reach * nx, y + reach * ny);
  });
  const widest = Math.max(0, ...ticks.map(({ text }) => context.measureText(text).width));
  context.font = `12px ${FONT}`;
  context.fillStyle = theme.ink;
  const wide = context.measureText(title).width;
  // Beyond the ticks' texts, which reach out to the side by their width.
  const far = 10 + Math.abs(nx) * (widest + 6 + wide / 2) + 26 * Math.abs(ny);
  const x = Math.min(view.width - wide / 2 - 4, Math.max(wide / 2 + 4, mx + far * nx));
  write(context, theme, title, x, Math.min(view.height - 8, my + far * ny));
  context.restore();
}

/** @param {Context} context @param {View} view @param {Frame} frame */
function outline(context, view, { half: [hx, hy], top }) {
  const corners = around(hx, hy).map(([x, y]) => view.project([x, y, top]));
  corners.forEach(([x, y], k) => line(context, x, y, corners[(k + 1) % 4][0], corners[(k + 1) % 4][1]));
}

/** @param {Context} context @param {View} view @param {Frame} frame @param {Theme} theme */
function heightAxis(context, view, { half: [hx, hy], z, zTitle, top }, theme) {
  const [cx, cy] = around(hx, hy).reduce((best, corner) =>
    view.project([...corner, 0])[0] < view.project([...best, 0])[0] ? corner : best);
  const low = view.project([cx, cy, 0]), high = view.project([cx, cy, top]);
  line(context, low[0], low[1], high[0], high[1]);
  context.font = `11px ${FONT}`;
  context.fillStyle = theme.soft;
  context.textAlign = "right";
  let last = Infinity;
  for (const { at, text } of z) {
    const [x, y] = view.project([cx, cy, at]);
    line(context, x, y, x - 5, y);
    if (Math.abs(last - y) < 13) continue;
    context.fillText(text, x - 8, y);
    last = y;
  }
  context.textAlign = "left";
  context.fillStyle = theme.ink;
  context.font = `12px ${FONT}`;
  write(context, theme, zTitle, Math.max(4, high[0] - 30), Math.max(8, high[1] - 16));
}

/**
 * Text that stays readable where it lies over a surface.
 * @param {Context} context @param {Theme} theme @param {string} text @param {number} x @param {number} y
 */
function write(context, theme, text, x, y) {
  context.strokeStyle = `${theme.ground}cc`;
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}
