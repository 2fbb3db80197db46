/**
 * Trajectories: laid over the drawn surface, with drop lines from the true loss.
 *
 * An iterate lies beside the plane; the surface below its projection has another loss than it had. The line on the
 * surface is therefore where the path passes, not how high it was: the drop lines show that.
 *
 * @typedef {import("./types.js").Path} Path
 * @typedef {import("./figure.js").Figure} Figure
 *
 * @typedef {object} Draped
 * @property {Path} path
 * @property {number[]} points  six numbers a segment, in the scene's coordinates
 * @property {number[]} colors
 * @property {number[]} upTo  segments drawn once so many iterates are passed
 * @property {([number, number, number] | null)[]} stops  the iterates on the surface; null outside or over a hole
 * @property {(number | null)[]} truth  height of the true loss
 * @property {number} outside  iterates that are not on the drawn surface
 * @property {number | null} gap  median distance between true loss and the plane's, in loss units
 */
import { heightAt, valueAt } from "./field.js";
import { median } from "./scale.js";
import { RUNS, mixed } from "./theme.js";

/**
 * @param {Figure} figure
 * @returns {Draped[]}
 */
export function drapePaths(figure) {
  return figure.surface.paths.map((path, run) => drape(path, figure, RUNS[run % RUNS.length]));
}

/**
 * @param {Path} path
 * @param {Figure} figure
 * @param {{pale: number[], full: number[]}} hue
 * @returns {Draped}
 */
function drape(path, figure, hue) {
  const { surface, field } = figure;
  const [xs, ys] = /** @type {[Float64Array, Float64Array, Float64Array][]} */ ([
    [path.x, surface.x, field.x], [path.y, surface.y, field.y],
  ]).map(([places, axis, scene]) => {
    const unit = (scene[scene.length - 1] - scene[0]) / (axis[axis.length - 1] - axis[0]);
    return places.map((value) => scene[0] + (value - axis[0]) * unit);
  });
  const cell = Math.min((field.x[field.nx - 1] - field.x[0]) / field.nx, (field.y[field.ny - 1] - field.y[0]) / field.ny);
  const last = Math.max(1, xs.length - 1);
  /** @type {number[]} */ const points = [];
  /** @type {number[]} */ const colors = [];
  const upTo = [0];
  for (let k = 1; k < xs.length; k++) {
    const dx = xs[k] - xs[k - 1], dy = ys[k] - ys[k - 1];
    const pieces = Math.min(2000, Math.max(1, Math.ceil(Math.hypot(dx, dy) / (0.7 * cell))));
    let before = null;
    for (let n = 0; n <= pieces; n++) {
      const x = xs[k - 1] + (dx * n) / pieces, y = ys[k - 1] + (dy * n) / pieces;
      const z = heightAt(field, x, y);
      const color = mixed(hue.pale, hue.full, (k - 1 + n / pieces) / last);
      const here = Number.isFinite(z) ? { at: [x, y, z], color } : null;
      if (before && here) {
        points.push(...before.at, ...here.at);
        colors.push(...before.color, ...here.color);
      }
      before = here;
    }
    upTo.push(points.length / 6);
  }
  const stops = Array.from(xs, (x, k) => {
    const z = heightAt(field, x, ys[k]);
    return Number.isFinite(z) ? /** @type {[number, number, number]} */ ([x, ys[k], z]) : null;
  });
  const outside = stops.filter((stop) => !stop).length;
  return { path, points, colors, upTo, stops, outside, ...trueHeights(path, figure, stops) };
}

/**
 * @param {Path} path
 * @param {Figure} figure
 * @param {Draped["stops"]} stops
 * @returns {{truth: (number | null)[], gap: number | null}}
 */
function trueHeights(path, figure, stops) {
  const { surface, height, field } = figure, scale = figure.scales.height;
  const own = path.own[height.name], below = path.below[height.name];
  /** @type {number[]} */
  const gaps = [];
  const truth = stops.map((stop, k) => {
    if (!own || !stop || !Number.isFinite(own[k])) return null;
    const plane = below ? below[k] : valueAt(surface, height.values, path.x[k], path.y[k]);
    if (Number.isFinite(plane)) gaps.push(Math.abs(own[k] - plane));
    return ((scale.forward(own[k]) - scale.bottom) / (scale.top - scale.bottom)) * field.top;
  });
  return { truth, gap: gaps.length ? median(Float64Array.from(gaps).sort()) : null };
}

/**
 * All steps at which anything was recorded, increasing; null where the runs do not count the same thing.
 *
 * @param {Path[]} paths
 * @returns {number[] | null}
 */
export function momentsOf(paths) {
  if (new Set(paths.map((path) => path.unit)).size > 1) return null;
  return [...new Set(paths.flatMap((path) => path.step))].sort((a, b) => a - b);
}

/**
 * How many iterates of a path are passed at this part of all moments: those of the same step in every run, so that
 * runs of different lengths keep their pace. Counted in iterates where steps cannot be compared.
 *
 * @param {Path} path
 * @param {number[] | null} moments
 * @param {number} part
 */
export function passedOf(path, moments, part) {
  const last = path.step.length - 1;
  if (!moments || part >= 1) return Math.round(part * last);
  const now = moments[Math.round(part * (moments.length - 1))];
  return Math.max(0, path.step.findLastIndex((step) => step <= now));
}

/**
 * Segments from the surface to the true loss, for the iterates passed so far; long paths get one in so many.
 *
 * @param {Draped} draped
 * @param {number} passed
 */
export function dropSegments({ stops, truth }, passed) {
  const every = Math.max(1, Math.ceil(stops.length / 80));
  return stops.flatMap((stop, k) => {
    const high = truth[k];
    return stop && high !== null && k <= passed && k % every === 0 ? [...stop, stop[0], stop[1], high] : [];
  });
}
