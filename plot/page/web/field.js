/**
 * A surface as it is drawn: heights in the scene's coordinates, with holes, cut at the cap.
 *
 * A cell is two triangles along the diagonal whose ends differ less in height, as in the stills; what is drawn, what
 * a pointer hits and where contours run all follow these triangles.
 */
import { HEIGHT, boxOf } from "./view.js";
import { refineAxis, refineGrid, smoothFactor } from "./smoothing.js";

/**
 * @param {Surface} surface @param {Quantity} height
 * @param {Scale} scale  of the heights
 * @param {Quantity} colour @param {Scale} colourScale @param {number} exaggeration @param {boolean} smooth
 * @returns {Field}
 */
export function makeField(surface, height, scale, colour, colourScale, exaggeration, smooth) {
  const factor = smooth ? smoothFactor(surface.nx, surface.ny) : 1;
  const top = HEIGHT * exaggeration, unit = top / (scale.top - scale.bottom);
  const { half } = boxOf(surface.x, surface.y);
  const [x, y] = [surface.x, surface.y].map((axis, k) => {
    const low = axis[0], span = axis[axis.length - 1] - low;
    return axis.map((value) => ((2 * (value - low)) / span - 1) * half[k]);
  });
  const known = (/** @type {number} */ value, /** @type {number} */ k) => Number.isFinite(value) && surface.state[k] > 0;
  /** @type {Float64Array} */
  let z = height.values.map((value, k) => (known(value, k) ? (scale.forward(value) - scale.bottom) * unit : NaN));
  /** @type {Float64Array} */
  let tint = z;
  const same = colour.name === height.name && colourScale === scale;
  if (!same) {
    const span = colourScale.top - colourScale.bottom;
    tint = colour.values.map((value, k) =>
      known(value, k) ? (colourScale.forward(value) - colourScale.bottom) / span : NaN);
  }
  z = refineGrid(z, x, y, factor);
  tint = same ? z.map((value) => value / top) : refineGrid(tint, x, y, factor);
  return {
    nx: (surface.nx - 1) * factor + 1,
    ny: (surface.ny - 1) * factor + 1,
    x: refineAxis(x, factor),
    y: refineAxis(y, factor),
    z,
    colour: tint.map((value) => Math.min(1, Math.max(0, value))),
    ceiling: scale.cap === null ? Infinity : (scale.forward(scale.cap) - scale.bottom) * unit,
    top,
    factor,
  };
}

/**
 * Where a value of one axis stands on another that covers the same, such as the scene's.
 * @param {number} value @param {Float64Array} from @param {Float64Array} to
 */
function carried(value, from, to) {
  return to[0] + ((value - from[0]) / (from[from.length - 1] - from[0])) * (to[to.length - 1] - to[0]);
}

/**
 * Scene's coordinates of a place of the plane, also outside it.
 * @param {{surface: Surface, field: Field}} figure @param {number} x @param {number} y @returns {[number, number]}
 */
export function toScene({ surface, field }, x, y) {
  return [carried(x, surface.x, field.x), carried(y, surface.y, field.y)];
}

/**
 * The plane's coordinates of a place of the scene's floor.
 * @param {{surface: Surface, field: Field}} figure @param {number} x @param {number} y @returns {[number, number]}
 */
export function toPlane({ surface, field }, x, y) {
  return [carried(x, field.x, surface.x), carried(y, field.y, surface.y)];
}

/** @param {Surface} surface @param {number} x @param {number} y  in the axes' units */
export function covers({ x: xs, y: ys }, x, y) {
  return x >= xs[0] && x <= xs[xs.length - 1] && y >= ys[0] && y <= ys[ys.length - 1];
}

/**
 * Whether the diagonal of a cell with these corners (lower left, lower right, upper right, upper left) rises.
 * @param {number} a @param {number} b @param {number} c @param {number} d
 */
export function isRising(a, b, c, d) {
  return Math.abs(a - c) <= Math.abs(b - d);
}

/**
 * Index of the interval that holds a place; clamped to the axis.
 * @param {Float64Array} axis @param {number} place
 */
export function interval(axis, place) {
  const last = axis.length - 2, span = axis[last + 1] - axis[0];
  // Most axes are even: the first guess is right, or off by one.
  let k = Math.min(last, Math.max(0, Math.floor(((place - axis[0]) / span) * (last + 1))));
  while (k > 0 && axis[k] > place) k--;
  while (k < last && axis[k + 1] <= place) k++;
  return k;
}

/**
 * Height of what is drawn at a place of the floor; NaN outside, in holes and where it is cut away.
 * @param {Field} field @param {number} px @param {number} py
 */
export function heightAt(field, px, py) {
  const { x, y, z, nx, ny } = field;
  if (!(px >= x[0] && px <= x[nx - 1] && py >= y[0] && py <= y[ny - 1])) return NaN;
  const i = interval(x, px), j = interval(y, py), k = j * nx + i;
  const u = (px - x[i]) / (x[i + 1] - x[i]), v = (py - y[j]) / (y[j + 1] - y[j]);
  const a = z[k], b = z[k + 1], c = z[k + nx + 1], d = z[k + nx];
  let height;
  if (isRising(a, b, c, d)) height = u >= v ? a + u * (b - a) + v * (c - b) : a + v * (d - a) + u * (c - d);
  else height = u + v <= 1 ? a + u * (b - a) + v * (d - a) : c + (1 - u) * (d - c) + (1 - v) * (b - c);
  // A cell with a hole at any corner is not drawn; all four count.
  return height + 0 * (a + b + c + d) <= field.ceiling ? height : NaN;
}

/**
 * The value of a measured quantity at a place of the plane, on straight lines between the points of the grid; NaN
 * outside, and where a point that counts is not finite or was not computed.
 * @param {Surface} surface @param {Float64Array} values
 * @param {number} px  in the axes' units
 * @param {number} py
 */
export function valueAt({ x, y, nx, ny, state }, values, px, py) {
  const slack = 1e-9 * (x[nx - 1] - x[0] + y[ny - 1] - y[0]);
  if (px < x[0] - slack || px > x[nx - 1] + slack || py < y[0] - slack || py > y[ny - 1] + slack) return NaN;
  const i = interval(x, px), j = interval(y, py), k = j * nx + i;
  const u = (px - x[i]) / (x[i + 1] - x[i]), v = (py - y[j]) / (y[j + 1] - y[j]);
  let sum = 0;
  for (const [at, weight] of [[k, (1 - u) * (1 - v)], [k + 1, u * (1 - v)], [k + nx, (1 - u) * v], [k + nx + 1, u * v]]) {
    // A corner without weight does not matter, even if it is a hole.
    if (Math.abs(weight) > 1e-12) sum += state[at] ? weight * values[at] : NaN;
  }
  return Number.isFinite(sum) ? sum : NaN;
}

/**
 * Where a ray first meets the surface: steps of half a cell, then bisection.
 * @param {Field} field @param {Point} origin @param {Point} direction
 * @param {number} [from]  in lengths of the direction
 * @param {number} [to] @returns {Point | null}
 */
export function hit(field, origin, direction, from = 0, to = Infinity) {
  const { x, y, nx, ny } = field;
  for (const [k, low, high] of [[0, x[0], x[nx - 1]], [1, y[0], y[ny - 1]], [2, -0.02, field.top + 0.02]]) {
    if (Math.abs(direction[k]) < 1e-12) {
      if (origin[k] < low || origin[k] > high) return null;
      continue;
    }
    const [a, b] = [(low - origin[k]) / direction[k], (high - origin[k]) / direction[k]];
    from = Math.max(from, Math.min(a, b));
    to = Math.min(to, Math.max(a, b));
  }
  if (!(from < to)) return null;
  const above = (/** @type {number} */ t) =>
    origin[2] + t * direction[2] - heightAt(field, origin[0] + t * direction[0], origin[1] + t * direction[1]);
  const flat = Math.hypot(direction[0], direction[1]);
  const cell = Math.min((x[nx - 1] - x[0]) / nx, (y[ny - 1] - y[0]) / ny);
  const steps = Math.max(64, Math.ceil(((to - from) * flat) / (cell / 2)));
  let before = NaN;
  for (let n = 0; n <= steps; n++) {
    const t = from + ((to - from) * n) / steps;
    const now = above(t);
    if (before * now <= 0) {
      let low = t - (to - from) / steps, high = t;
      for (let k = 0; k < 24; k++) {
        const middle = (low + high) / 2;
        if (above(middle) * before > 0) low = middle;
        else high = middle;
      }
      return /** @type {Point} */ (origin.map((value, k) => value + high * direction[k]));
    }
    before = now;
  }
  return null;
}

/**
 * Whether nothing of the surface stands between the eye and a point of the scene.
 * @param {Field} field @param {View} view @param {Point} point
 */
export function isVisible(field, view, point) {
  // A point on the surface must not be hidden by the facets beside it.
  return hit(field, point, view.towards(point), 0.006, 1) === null;
}
