/** Networks on the plane beside the checkpoint: diamonds with their names on surfaces, maps and sections, and in words. */
import { covers, heightAt, toScene } from "./field.js";
import { numberText } from "./levels.js";
import { diamond, line, seenThrough } from "./marks.js";
import { nearest } from "./quantity.js";
import { FONT } from "./theme.js";
import { GAP } from "./view.js";

// Of a section's line, in shares of the plane's shorter side: a network this near to it is marked on it.
const NEAR = 0.015;

/**
 * What lies on the drawn plane: the checkpoint first, where it has to be told from others; nothing where it is alone.
 * @param {Surface} surface @returns {Network[]}
 */
export function networksOf(surface) {
  const { networks, checkpoint } = surface.record;
  const own = networks.length && checkpoint ? [{ name: checkpoint, short: checkpoint.split(".")[0] || checkpoint, x: 0, y: 0, isCheckpoint: true }] : [];
  return [...own, ...networks.map((each) => ({ ...each, isCheckpoint: false }))].filter(({ x, y }) => covers(surface, x, y));
}

/**
 * On a surface, or on the floor below a hole.
 * @param {Context} context @param {Figure} figure @param {(at: Point) => [number, number]} pixel
 * @param {(at: Point) => boolean} seen
 */
export function drawNetworks(context, figure, pixel, seen) {
  /** @type {Named[]} */
  const named = [];
  for (const { x, y, short, isCheckpoint } of networksOf(figure.surface)) {
    const place = toScene(figure, x, y), z = heightAt(figure.field, ...place), above = Number.isFinite(z);
    const at = /** @type {Point} */ ([...place, above ? z : -GAP]), [px, py] = pixel(at);
    if (isCheckpoint && !above) continue;
    seenThrough(context, seen(at), () => isCheckpoint || diamond(context, px, py, 5.5));
    named.push({ text: short, x: px, y: py, toLeft: place[0] > 0, upwards: true });
  }
  writeNames(context, named, [-Infinity, -Infinity, Infinity, Infinity]);
}

/** On a map. @param {Context} context @param {Figure} figure @param {Place} place */
export function mapNetworks(context, figure, place) {
  const named = networksOf(figure.surface).map(({ x, y, short, isCheckpoint }) => {
    const [px, py] = place.toPixel(...toScene(figure, x, y));
    if (!isCheckpoint) diamond(context, px, py, 5);
    return { text: short, x: px, y: py, toLeft: px > place.left + place.width / 2, upwards: py > place.top + place.height / 2 };
  });
  if (place.width > 150) writeNames(context, named, [place.left, place.top, place.left + place.width, place.top + place.height]);
}

/**
 * @typedef {{text: string, x: number, y: number, toLeft: boolean, upwards: boolean}} Named  a name, its mark, and the side it stands on best
 * @typedef {[number, number, number, number]} Bounds  left, top, right, bottom
 */

/**
 * Names beside their marks. One that would lie on another name, on another's mark or beyond the bounds goes to another
 * side of its own, and is left out where none is free: the read-out and the page's text name it as well.
 * @param {Context} context @param {Named[]} named @param {Bounds} bounds
 */
function writeNames(context, named, bounds) {
  context.font = `600 11px ${FONT}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3;
  for (const { text, at } of placedNames(named, (text) => context.measureText(text).width, bounds)) {
    const [left, top, , bottom] = at;
    context.strokeStyle = "rgb(255 255 255 / 0.9)";
    context.strokeText(text, left, (top + bottom) / 2);
    context.fillStyle = "#14181c";
    context.fillText(text, left, (top + bottom) / 2);
  }
}

/**
 * Which names are written, and in which boxes.
 * @param {Named[]} named @param {(text: string) => number} wide @param {Bounds} bounds
 * @returns {{text: string, at: Bounds}[]}
 */
export function placedNames(named, wide, bounds) {
  const marks = named.map(({ x, y }) => /** @type {Bounds} */ ([x - 6, y - 6, x + 6, y + 6]));
  /** @type {{text: string, at: Bounds}[]} */
  const written = [];
  named.forEach(({ text, x, y, toLeft, upwards }, k) => {
    const width = wide(text);
    const sides = [[toLeft, upwards], [toLeft, !upwards], [!toLeft, upwards], [!toLeft, !upwards]];
    for (const [left, up] of sides) {
      const start = left ? x - 8 - width : x + 8, middle = y + (up ? -8 : 8);
      const at = /** @type {Bounds} */ ([start, middle - 7, start + width, middle + 7]);
      const inside = at[0] >= bounds[0] && at[1] >= bounds[1] && at[2] <= bounds[2] && at[3] <= bounds[3];
      if (!inside || written.some((other) => meet(other.at, at)) || marks.some((mark, m) => m !== k && meet(mark, at))) continue;
      written.push({ text, at });
      break;
    }
  });
  return written;
}

/** Whether two boxes meet. @param {Bounds} a @param {Bounds} b */
function meet(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

/**
 * The networks that a line of the plane runs through, and where on it, 0 to 1.
 * @param {Surface} surface @param {[number, number, number, number]} section
 */
export function networksAlong(surface, [x0, y0, x1, y1]) {
  const { x: xs, y: ys, nx, ny } = surface, long = (x1 - x0) ** 2 + (y1 - y0) ** 2;
  const reach = NEAR * Math.min(xs[nx - 1] - xs[0], ys[ny - 1] - ys[0]);
  return networksOf(surface).flatMap((network) => {
    const part = long && ((network.x - x0) * (x1 - x0) + (network.y - y0) * (y1 - y0)) / long;
    const away = Math.hypot(network.x - x0 - part * (x1 - x0), network.y - y0 - part * (y1 - y0));
    return part >= -1e-9 && part <= 1 + 1e-9 && away <= reach ? [{ network, part: Math.min(1, Math.max(0, part)) }] : [];
  });
}

/**
 * Their names at the top of a section, each beside a line down to the axis.
 * @param {Context} context @param {{text: string, x: number}[]} marks @param {{left: number, right: number, top: number, bottom: number}} box
 * @param {Theme} theme
 */
export function sectionNetworks(context, marks, box, theme) {
  context.font = `600 11px ${FONT}`;
  context.textBaseline = "top";
  context.textAlign = "left";
  context.lineJoin = "round";
  let free = -Infinity;
  for (const { text, x } of [...marks].sort((a, b) => a.x - b.x)) {
    context.save();
    context.setLineDash([2, 3]);
    context.strokeStyle = theme.line;
    context.lineWidth = 1;
    line(context, x, box.top, x, box.bottom);
    context.restore();
    const wide = context.measureText(text).width, at = x + 9 + wide > box.right ? x - 9 - wide : x + 9;
    if (at < free) continue;
    free = at + wide + 8;
    context.strokeStyle = theme.ground;
    context.lineWidth = 3;
    context.strokeText(text, at, box.top + 2);
    context.fillStyle = theme.ink;
    context.fillText(text, at, box.top + 2);
  }
}

/** What a read-out says of a point of the grid that lies at a network, or nearest to it. @param {Surface} surface @param {number} k */
export function networkText(surface, k) {
  const i = k % surface.nx, j = Math.floor(k / surface.nx);
  return networksOf(surface).filter(({ x, y }) => nearest(surface.x, x) === i && nearest(surface.y, y) === j).map(({ name, x, y, isCheckpoint }) => {
    const called = isCheckpoint ? `${name}, the checkpoint,` : name;
    return `${called} lies ${surface.x[i] === x && surface.y[j] === y ? "here" : "nearest to this point"}`;
  }).join("; ");
}

/** Where the others lie, in a sentence. @param {Surface} surface @param {(axis: AxisRecord) => string} spoken */
export function networkSentence(surface, spoken) {
  const others = networksOf(surface).filter(({ isCheckpoint }) => !isCheckpoint), [first, second] = surface.record.axes.map(spoken);
  return others.length ? `Other networks: ${others.map(({ name, x, y }) => `${name} at ${first} ${numberText(x, 3)}, ${second} ${numberText(y, 3)}`).join("; ")}.` : "";
}
