/** Iso-lines: where the drawn triangles cut a level. */
import { isRising } from "./field.js";

/**
 * @param {Field} field
 * @param {number[]} heights  increasing, in the scene's coordinates
 * @returns {IsoLine[]}
 */
export function isoLines(field, heights) {
  const cuts = heights.map(() => /** @type {number[]} */ ([]));
  const { nx, ny, z } = field;
  for (let j = 0; j + 1 < ny; j++) {
    for (let i = 0; i + 1 < nx; i++) {
      const a = j * nx + i, b = a + 1, c = b + nx, d = a + nx;
      const low = Math.min(z[a], z[b], z[c], z[d]), high = Math.max(z[a], z[b], z[c], z[d]);
      if (!(high >= heights[0])) continue;
      const rising = isRising(z[a], z[b], z[c], z[d]);
      for (let n = 0; n < heights.length && heights[n] <= high; n++) {
        if (heights[n] < low) continue;
        const height = heights[n];
        // Edges are numbered by their lower vertex: 0 to the right, 1 upwards, 2 the diagonal of the cell.
        const bottom = 3 * a, left = 3 * a + 1, across = 3 * a + 2, right = 3 * b + 1, top = 3 * d;
        if (rising) {
          cut(cuts[n], z, height, a, b, c, bottom, right, across);
          cut(cuts[n], z, height, a, c, d, across, top, left);
        } else {
          cut(cuts[n], z, height, a, b, d, bottom, across, left);
          cut(cuts[n], z, height, b, c, d, right, top, across);
        }
      }
    }
  }
  return cuts.flatMap((pairs, level) => joined(field, pairs, heights[level], level));
}

/**
 * The same line with fewer points: none that is left out was further than `slack` from it (Douglas and Peucker).
 * @param {Float64Array} points @param {number} slack @returns {number[]}
 */
export function simplified(points, slack) {
  const count = points.length / 2, kept = new Uint8Array(count);
  kept[0] = kept[count - 1] = 1;
  const open = [[0, count - 1]];
  for (let range = open.pop(); range; range = open.pop()) {
    const [first, last] = range, x = points[2 * first], y = points[2 * first + 1];
    const dx = points[2 * last] - x, dy = points[2 * last + 1] - y, length = dx * dx + dy * dy;
    let furthest = 0, at = 0;
    for (let k = first + 1; k < last; k++) {
      const px = points[2 * k] - x, py = points[2 * k + 1] - y;
      const t = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
      const away = (px - t * dx) ** 2 + (py - t * dy) ** 2;
      if (away > furthest) [furthest, at] = [away, k];
    }
    if (furthest <= slack * slack) continue;
    kept[at] = 1;
    open.push([first, at], [at, last]);
  }
  return Array.from(points).filter((_, k) => kept[k >> 1]);
}

/**
 * Note the two edges at which a triangle crosses a height; edge one runs from p to q, two from q to r, three from r to p.
 * @param {number[]} pairs @param {Float64Array} z @param {number} height @param {number} p @param {number} q
 * @param {number} r @param {number} one @param {number} two @param {number} three
 */
function cut(pairs, z, height, p, q, r, one, two, three) {
  const a = z[p] >= height, b = z[q] >= height, c = z[r] >= height;
  if (a === b && b === c) return;
  if (a === b) pairs.push(two, three);
  else if (b === c) pairs.push(one, three);
  else pairs.push(one, two);
}

/**
 * Join pairs of edges to lines.
 * @param {Field} field @param {number[]} pairs @param {number} height @param {number} level @returns {IsoLine[]}
 */
function joined(field, pairs, height, level) {
  /** @type {Map<number, number[]>} */
  const at = new Map();
  for (let k = 0; k < pairs.length; k++) {
    const here = at.get(pairs[k]);
    if (here) here.push(k >> 1);
    else at.set(pairs[k], [k >> 1]);
  }
  const used = new Uint8Array(pairs.length >> 1);
  /** @type {IsoLine[]} */
  const lines = [];
  const follow = (/** @type {number} */ start) => {
    const edges = [start];
    for (let edge = start; ; ) {
      const next = at.get(edge)?.find((pair) => !used[pair]);
      if (next === undefined) break;
      used[next] = 1;
      edge = pairs[2 * next] === edge ? pairs[2 * next + 1] : pairs[2 * next];
      edges.push(edge);
    }
    if (edges.length < 2) return;
    const points = new Float64Array(2 * edges.length);
    edges.forEach((edge, k) => place(field, edge, height, points, 2 * k));
    lines.push({ level, points, closed: edges[0] === edges[edges.length - 1] });
  };
  // Lines that end at a border first, from their ends; what is left are loops.
  for (const [edge, here] of at) if (here.length === 1) follow(edge);
  for (let k = 0; k < used.length; k++) if (!used[k]) follow(pairs[2 * k]);
  return lines;
}

/** @param {Field} field @param {number} edge @param {number} height @param {Float64Array} out @param {number} at */
function place(field, edge, height, out, at) {
  const { nx, x, y, z } = field;
  const kind = edge % 3, corner = (edge - kind) / 3;
  let p = corner, q = corner + 1;
  if (kind === 1) q = corner + nx;
  if (kind === 2) {
    const rising = isRising(z[corner], z[corner + 1], z[corner + nx + 1], z[corner + nx]);
    [p, q] = rising ? [corner, corner + nx + 1] : [corner + 1, corner + nx];
  }
  const t = Math.min(1, Math.max(0, (height - z[p]) / (z[q] - z[p])));
  out[at] = x[p % nx] + t * (x[q % nx] - x[p % nx]);
  const [low, high] = [y[Math.floor(p / nx)], y[Math.floor(q / nx)]];
  out[at + 1] = low + t * (high - low);
}
